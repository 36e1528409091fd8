# Copyright 2026 mixformer2_ros contributors
# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

from dataclasses import replace

import pytest
import torch
from torch.utils.data import Dataset

from mixformer2_ros.model.variants import SMALL
from mixformer2_ros.training.data.batch import Batch, batches
from mixformer2_ros.training.data.config import DataConfig
from mixformer2_ros.training.data.dataset import TrackingDataset
from mixformer2_ros.training.data.generated import GeneratedStream
from mixformer2_ros.training.data.pools import build_pools
from mixformer2_ros.training.data.streams import mixture_of, open_stream
from mixformer2_ros.training.distributed import Part

TINY = replace(SMALL, search_size=96, template_size=48)
PAINTED = DataConfig(
    sprites=3, backgrounds=2, scene_clips=1, procedural=1.0, scenes=0.5, absent_share=0.0
)


def stream(config: DataConfig, groups: int = 6, part: Part | None = None) -> Dataset[Batch]:
    pools = build_pools(config, None, 0, held_out=False)
    device = torch.device("cpu")
    return open_stream(pools, config, TINY, 0, groups, 1, part or Part(), device)


@pytest.fixture
def half_read(sets, tmp_path) -> DataConfig:
    """Batches of which one half is read from a published set: a cyan target on grey."""
    folder = str(sets.coco(tmp_path))
    made = replace(PAINTED, generated=True)
    return replace(made, sources={"coco": 1.5}, folders={"coco": folder})


def test_the_configuration_says_where_batches_are_made():
    assert isinstance(stream(PAINTED), TrackingDataset)
    assert isinstance(stream(replace(PAINTED, generated=True)), GeneratedStream)


def test_the_mixture_keeps_the_weights_of_what_there_is():
    pools = build_pools(PAINTED, None, 0, held_out=False)
    assert mixture_of(PAINTED, pools).tracks == pytest.approx(0.5 / 1.5)
    with pytest.raises(ValueError, match="no source of samples"):
        mixture_of(replace(PAINTED, procedural=0.0, scenes=0.0), pools)


def cyan_targets(batch: Batch) -> torch.Tensor:
    """Return which samples show the target of COCO's photograph, (G,) bool."""
    middle = batch.templates[:, 0, 20:28, 20:28].float().mean(dim=(1, 2))
    return middle[:, 2] > middle[:, 0] + 40


def test_a_part_of_each_batch_is_read_from_published_sets(half_read):
    mixed = stream(half_read, groups=12)
    for batch in batches(mixed, 0, 2, workers=0):
        assert batch.searches.shape == (12, 1, 96, 96, 3)
        # Some cameras see no colour, and some painted object is cyan, too.
        assert cyan_targets(batch)[6:].sum() >= 4
        assert cyan_targets(batch)[:6].sum() <= 3


def test_batches_follow_one_another_as_their_numbers_say(half_read):
    mixed = stream(half_read)
    second = list(batches(mixed, 0, 2, workers=0))[1]
    assert torch.equal(second.searches, mixed[1].searches)
    assert torch.equal(second.boxes, mixed[1].boxes)


def test_processes_share_both_parts_out(half_read):
    whole = stream(half_read)[0]
    parts = [stream(half_read, part=Part(rank, 3))[0] for rank in range(3)]
    joined = torch.cat([torch.cat([part.boxes[i : i + 1] for part in parts]) for i in range(2)])
    torch.testing.assert_close(joined, whole.boxes, atol=1e-4, rtol=0)


def test_a_batch_too_small_for_both_parts_is_an_error(half_read):
    with pytest.raises(ValueError, match="raise groups"):
        stream(half_read, groups=3, part=Part(0, 3))
