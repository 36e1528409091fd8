# Copyright 2026 mixformer2_ros contributors
# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import json

import numpy as np
import pytest
import torch

from mixformer2_ros.model.variants import SMALL
from mixformer2_ros.training.config import TrainingConfig
from mixformer2_ros.training.data.batch import batches
from mixformer2_ros.training.data.config import SOURCES, DataConfig
from mixformer2_ros.training.data.dataset import TrackingDataset
from mixformer2_ros.training.data.pools import build_pools
from mixformer2_ros.training.data.published import (
    NoUsableTargetError,
    PublishedSets,
    draw_frames,
)
from mixformer2_ros.training.data.readers import open_reader
from mixformer2_ros.training.data.samples import Jitter, Sampling
from mixformer2_ros.training.data.skipped import SkippedFiles
from mixformer2_ros.training.pipeline import FINISHED, SKIPPED, Machine, train
from mixformer2_ros.training.schedule import Budget

EXACT = Jitter(near_share=1.0, near_centre=0.0, near_scale=0.0)
NOTHING_ELSE = dict.fromkeys((*SOURCES, "sprites", "backgrounds", "scene_clips"), 0)


@pytest.fixture
def all_sets(sets, tmp_path):
    """One target in each set, and the weights 1:1:1:1."""
    folders = {
        "got10k": sets.got10k(tmp_path / "got10k"),
        "lasot": sets.lasot(tmp_path / "lasot"),
        "trackingnet": sets.trackingnet(tmp_path / "trackingnet"),
        "coco": sets.coco(tmp_path / "coco"),
    }
    return DataConfig(
        **NOTHING_ELSE,
        sources=dict.fromkeys(folders, 1.0),
        folders={kind: str(folder) for kind, folder in folders.items()},
    )


def _dataset(config: DataConfig, skipped: SkippedFiles | None = None, **sizes) -> TrackingDataset:
    pools = build_pools(config, None, 0, held_out=False, skipped=skipped)
    return TrackingDataset(pools, config, SMALL, seed=1, **{"groups": 4, "searches": 2, **sizes})


def test_frames_come_in_order_and_within_the_gap():
    rng = np.random.default_rng(0)
    visible = np.ones(2000, bool)
    visible[500:800] = False
    seen = [draw_frames(rng, visible, 3) for _ in range(300)]
    for (earlier, later), searches in seen:
        assert earlier <= later
        assert all(visible[frame] for frame in (earlier, later, *searches))
        assert min(searches) > later
        assert later - earlier <= 200
        # Where the next 200 frames show nothing, the next that does is taken.
        assert max(searches) <= (800 if 300 <= later < 500 and later + 200 < 800 else later + 200)
    assert {earlier for (earlier, _), _ in seen} != {later for (_, later), _ in seen}
    assert draw_frames(rng, np.array([False, True]), 2) == ([1, 1], [1, 1])


def test_crops_hold_the_target_where_the_box_says(sets, tmp_path):
    reader = open_reader("lasot", sets.lasot(tmp_path))
    published = PublishedSets({"lasot": reader}, {"lasot": 1.0}, SkippedFiles())
    jitter = Jitter(near_share=0.0, scale=0.354)
    colours = []
    for seed in range(20):
        sample = published.sample(np.random.default_rng(seed), Sampling(SMALL, jitter, 3, 0.0))
        for crop, box, present in zip(sample.searches, sample.boxes, sample.present, strict=True):
            if present:
                x1, y1, x2, y2 = (box * SMALL.search_size).round().astype(int)
                inside = crop[y1 + 4 : y2 - 4, x1 + 4 : x2 - 4].reshape(-1, 3)
                if len(inside):
                    colours.append(inside.mean(axis=0))
        middle = sample.templates[:, 46:66, 46:66].reshape(-1, 3).mean(axis=0)
        assert middle[1] >= middle[0]
    green = np.array([colour[1] > colour[0] + 60 for colour in colours])
    # All but the 5 % without colour.
    assert len(green) > 30
    assert green.mean() > 0.85


def test_without_jitter_the_target_is_in_the_middle(all_sets):
    dataset = _dataset(DataConfig(**{**vars(all_sets), "jitter": EXACT, "absent_share": 0.0}))
    batch = dataset[0]
    assert batch.present.all()
    sides = batch.boxes[..., 2:] - batch.boxes[..., :2]
    area = sides.prod(dim=-1).sqrt()
    torch.testing.assert_close(area, torch.full_like(area, 1 / SMALL.search_factor))
    centre = (batch.boxes[..., :2] + batch.boxes[..., 2:]) / 2
    torch.testing.assert_close(centre, torch.full_like(centre, 0.5))


def test_jitter_reaches_as_far_as_published(sets, tmp_path):
    reader = open_reader("trackingnet", sets.trackingnet(tmp_path))
    published = PublishedSets({"trackingnet": reader}, {"trackingnet": 1.0}, SkippedFiles())
    jitter = Jitter(near_share=0.0, scale=0.0)
    sample = published.sample(np.random.default_rng(0), Sampling(SMALL, jitter, 200, 0.0))
    centres = (sample.boxes[:, :2] + sample.boxes[:, 2:])[sample.present] / 2 - 0.5
    # Uniform within 2.25 target sizes of the middle; cut boxes' centres lie a little further in.
    reach = 2.25 / SMALL.search_factor
    assert reach * 0.85 < np.abs(centres).max() <= reach
    assert abs(centres.std() - reach / np.sqrt(3)) < 0.05


def test_absent_targets_come_from_hidden_frames_or_other_videos(sets, tmp_path):
    sets.lasot(tmp_path / "lasot")
    sets.trackingnet(tmp_path / "trackingnet")
    readers = {kind: open_reader(kind, tmp_path / kind) for kind in ("lasot", "trackingnet")}
    published = PublishedSets(readers, {"lasot": 1.0, "trackingnet": 1.0}, SkippedFiles())
    present = [
        published.sample(np.random.default_rng(seed), Sampling(SMALL, EXACT, 4, 1.0)).present
        for seed in range(20)
    ]
    # Now and then the "other" video is the same again; then the target is there, and said to be.
    assert np.mean(present) < 0.3
    sample = published.sample(np.random.default_rng(0), Sampling(SMALL, EXACT, 4, 0.0))
    assert sample.present.all()


def test_mixture_follows_the_weights(all_sets):
    config = DataConfig(**{**vars(all_sets), "sources": {"coco": 3.0, "lasot": 1.0, "got10k": 0.0}})
    dataset = _dataset(config, groups=60, searches=1)
    templates = dataset[0].templates[:, 0, 50:60, 50:60].float().mean(dim=(1, 2))
    grey = (templates.amax(dim=1) - templates.amin(dim=1)) < 40
    cyan = templates[:, 2] > templates[:, 0] + 40
    assert 0.6 < (cyan & ~grey).float().sum() / (~grey).sum() < 0.9


def test_batches_depend_on_seed_and_index_alone(all_sets):
    dataset = _dataset(all_sets)
    first = list(batches(dataset, 0, 3, workers=0))
    again = next(iter(batches(_dataset(all_sets), 2, 3, workers=0)))
    assert torch.equal(first[2].searches, again.searches)
    assert not torch.equal(first[1].searches, again.searches)


def test_bad_files_are_skipped_named_and_counted(sets, tmp_path, caplog):
    sets.got10k(tmp_path, tuple(f"GOT-10k_Train_00000{i}" for i in range(1, 5)))
    (tmp_path / "train/GOT-10k_Train_000001/groundtruth.txt").write_text("1,2,3,4\n")
    for image in (tmp_path / "train/GOT-10k_Train_000002").glob("*.jpg"):
        image.write_bytes(b"no image")
    skipped = SkippedFiles(tmp_path / "skipped.txt")
    config = DataConfig(**NOTHING_ELSE, sources={"got10k": 1.0}, folders={"got10k": str(tmp_path)})
    made = list(batches(_dataset(config, skipped), 0, 12, workers=0))
    assert len(made) == 12
    assert all(batch.searches.float().std() > 0 for batch in made)
    assert "000001/groundtruth.txt: 1 boxes" in caplog.text
    assert "no readable image" in caplog.text
    # Another process, such as a worker, adds to the same list and counts nothing twice.
    again = SkippedFiles(tmp_path / "skipped.txt")
    list(batches(_dataset(config, again), 0, 12, workers=0))
    reasons = skipped.reasons()
    assert sum("groundtruth.txt" in reason for reason in reasons) == 1
    assert len(set(reasons)) == len(reasons) >= 2
    assert skipped.report().startswith(f"{len(reasons)} files of the training material")


def test_a_set_of_bad_files_alone_is_an_error_that_shows_them(sets, tmp_path):
    sets.got10k(tmp_path)
    (tmp_path / "train/GOT-10k_Train_000001/groundtruth.txt").write_text("1,2,3,4\n")
    config = DataConfig(**NOTHING_ELSE, sources={"got10k": 1.0}, folders={"got10k": str(tmp_path)})
    with pytest.raises(NoUsableTargetError, match=r"50 targets in a row(.|\n)*groundtruth\.txt"):
        _dataset(config)[0]


def test_a_weight_without_a_folder_is_an_error_that_says_so():
    config = DataConfig(**NOTHING_ELSE, sources={"lasot": 1.0})
    with pytest.raises(ValueError, match="'lasot' has a weight but no folder"):
        build_pools(config, None, 0, held_out=False)


def test_unknown_and_unused_sets_are_said(sets, tmp_path, caplog):
    with pytest.raises(ValueError, match="'got' is unknown; choose one of got10k"):
        build_pools(DataConfig(**NOTHING_ELSE, sources={"got": 1.0}), None, 0, held_out=False)
    config = DataConfig(**NOTHING_ELSE, folders={"coco": str(sets.coco(tmp_path))})
    assert build_pools(config, None, 0, held_out=False).published is None
    assert "coco has a folder but no weight" in caplog.text


def test_a_training_counts_what_it_skipped(sets, tmp_path):
    sets.got10k(tmp_path / "sets", ("GOT-10k_Train_000001", "GOT-10k_Train_000002"))
    (tmp_path / "sets/train/GOT-10k_Train_000001/groundtruth.txt").unlink()
    config = TrainingConfig(
        depth=1,
        width=64,
        mlp_ratio=1,
        search_size=64,
        template_size=32,
        groups=1,
        supervised=0,
        precision="fp32",
        data=DataConfig(**NOTHING_ELSE, sources={"got10k": 1.0}),
        validation_samples=1,
    )
    machine = Machine(folders={"got10k": str(tmp_path / "sets")}, workers=0)
    train(config, Budget(steps=2), tmp_path / "out", machine)
    assert json.loads((tmp_path / "out" / FINISHED).read_text())["skipped_files"] == 1
    assert "000001/groundtruth.txt" in (tmp_path / "out" / SKIPPED).read_text()
