# Copyright 2026 mixformer2_ros contributors
# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

from dataclasses import replace

import cv2
import numpy as np
import pytest
import torch

from mixformer2_ros.model.variants import SMALL
from mixformer2_ros.scenes.batched.atlas import Atlas
from mixformer2_ros.scenes.batched.description import Mixture
from mixformer2_ros.scenes.batched.tape import Tape
from mixformer2_ros.training.data.compose import make_cutout
from mixformer2_ros.training.data.config import DataConfig
from mixformer2_ros.training.data.corpus import Clip, Photo
from mixformer2_ros.training.data.device_atlas import build_atlas
from mixformer2_ros.training.data.generated import GeneratedStream, place_targets
from mixformer2_ros.training.data.pools import Pools
from mixformer2_ros.training.data.samples import Jitter, place_target

EXACT = Jitter(near_share=1.0, near_centre=0.0, near_scale=0.0)
TINY = replace(SMALL, search_size=96, template_size=48)


@pytest.fixture(scope="module")
def pools(yellow_video) -> Pools:
    """Red objects; a photograph and two videos that show a yellow rectangle on grey noise."""
    noise, frames, boxes = yellow_video(range(40, 240, 50))
    hidden = [boxes[0], (np.nan,) * 4, boxes[2], boxes[3]]
    clip = Clip("yellow", frames, np.array([boxes, hidden], np.float64))
    photo = Photo(frames[0], np.array(boxes[:1], np.float64))
    rgba = np.zeros((60, 100, 4), np.uint8)
    cv2.ellipse(rgba, (50, 30), (45, 25), 0, 0, 360, (250, 20, 20, 255), -1)
    cutouts = [make_cutout(rgba)]
    return Pools(cutouts, [noise], [clip], cutouts, [photo], [clip, replace(clip, name="fly_1")])


@pytest.fixture(scope="module")
def atlas(pools: Pools) -> Atlas:
    return build_atlas(pools, DataConfig(), 0, torch.device("cpu"), 128)


def stream(
    atlas: Atlas, samples: range, mixture: Mixture | None = None, seed: int = 0, **options: Jitter
) -> GeneratedStream:
    jitter = options.get("jitter", Jitter())
    return GeneratedStream(atlas, mixture or Mixture(), jitter, TINY, seed, samples, 2)


def test_batches_have_the_shapes_that_training_takes(atlas):
    batch = stream(atlas, range(5))[0]
    assert batch.templates.shape == (5, 2, 48, 48, 3)
    assert batch.searches.shape == (5, 2, 96, 96, 3)
    assert batch.boxes.shape == (5, 2, 4)
    assert batch.templates.dtype == batch.searches.dtype == torch.uint8
    assert (batch.present.dtype, batch.boxes.dtype) == (torch.bool, torch.float32)
    assert batch.visibility.shape == batch.difficulty.shape == (5, 2)


def test_a_batch_depends_on_seed_and_index_alone(atlas):
    first, again = stream(atlas, range(4))[3], stream(atlas, range(4))[3]
    assert torch.equal(first.searches, again.searches)
    assert torch.equal(first.boxes, again.boxes)
    for other in (stream(atlas, range(4))[4], stream(atlas, range(4), seed=1)[3]):
        assert not torch.equal(first.searches, other.searches)


def test_processes_share_a_batch_out(atlas):
    whole = stream(atlas, range(20))[1]
    parts = [stream(atlas, range(10 * rank, 10 * rank + 10))[1] for rank in range(2)]
    for name in ("templates", "searches"):
        joined = torch.cat([getattr(part, name) for part in parts]).int()
        # Sums over batches of another size may round another way.
        assert (joined - getattr(whole, name).int()).abs().max() <= 1
    boxes = torch.cat([part.boxes for part in parts])
    torch.testing.assert_close(boxes, whole.boxes, atol=1e-4, rtol=0)


def test_boxes_are_fractions_of_the_crop_and_zero_where_absent(atlas):
    batch = stream(atlas, range(60))[0]
    assert 0 < (~batch.present).sum() < 60
    assert not batch.boxes[~batch.present].any()
    found = batch.boxes[batch.present]
    assert (found >= 0).all()
    assert (found <= 1).all()
    assert (found[:, 2:] > found[:, :2]).all()
    assert (batch.difficulty >= 0).all()
    assert (batch.difficulty < 1).all()


@pytest.mark.parametrize("tracks", [0.0, 1.0])
def test_targets_are_where_the_box_says(atlas, tracks: float):
    plain = Mixture(tracks=tracks, absent=0, twins=0, edges=0, retextured=0, shadows=0, plain=1)
    batch = stream(atlas, range(30), plain, jitter=EXACT)[0]
    assert batch.present.all()
    centre = (batch.boxes[..., :2] + batch.boxes[..., 2:]) / 2
    torch.testing.assert_close(centre, torch.full_like(centre, 0.5), atol=0.05, rtol=0)
    sides = batch.boxes[..., 2:] - batch.boxes[..., :2]
    nominal = 1 / TINY.search_factor
    assert (sides.prod(dim=-1).sqrt() / nominal - 1).abs().median() < 0.08


def test_the_online_template_may_repeat_the_initial_one(atlas):
    batch = stream(atlas, range(8), Mixture(same_templates=1.0))[0]
    assert torch.equal(batch.templates[:, 0], batch.templates[:, 1])
    batch = stream(atlas, range(8), Mixture(same_templates=0.0))[0]
    assert not torch.equal(batch.templates[:, 0], batch.templates[:, 1])


def test_material_keeps_the_weights_of_its_sources(atlas):
    config, tracks = DataConfig(), atlas.tracks
    # Photograph: a rectangle and the object; each video: two targets, of four and three frames.
    assert np.diff(tracks.starts).tolist() == [1, 1, 4, 3, 4, 3, 4, 3]
    shares = tracks.weights.reshape(4, 2).sum(axis=1)
    videos = config.videos / (1 + config.video_weights["fly_"])
    expected = [config.photos, videos, config.videos - videos, config.scenes]
    np.testing.assert_allclose(shares, expected)
    assert atlas.pictures.weights.sum() == pytest.approx(1.0)


def test_frames_end_only_where_the_video_does(atlas):
    # The target of the first frame is next to the left edge, and the frame is 320 wide.
    bounds = atlas.tracks.bounds[atlas.tracks.starts[2]]
    assert np.isfinite(bounds).tolist() == [True, True, False, True]


def test_targets_are_placed_like_one_by_one():
    jitter = Jitter(near_share=0.5)
    rng = np.random.default_rng(0)
    single = [place_target(rng, jitter, SMALL) for _ in range(4000)]
    sizes, centres = place_targets(Tape(0, 0, np.arange(1000)), jitter, SMALL, 4)
    for found, expected in (
        (np.log(sizes).ravel(), np.log([size for size, _ in single])),
        (centres[..., 0].ravel(), np.array([centre[0] for _, centre in single])),
    ):
        assert found.mean() == pytest.approx(expected.mean(), abs=0.05 * expected.std())
        assert found.std() == pytest.approx(expected.std(), rel=0.06)
