# Copyright 2026 mixformer2_ros contributors
# SPDX-License-Identifier: Apache-2.0
"""What one process can show; two real ones are in test_command.py."""

from __future__ import annotations

import pytest
import torch

from mixformer2_ros.model.variants import SMALL
from mixformer2_ros.training.data.dataset import DataConfig, TrackingDataset, build_pools
from mixformer2_ros.training.distributed import Part, global_count, own_rand, shared_mean


def test_processes_share_a_batch_out():
    assert [list(Part(rank, 3).of(6)) for rank in range(3)] == [[0, 1], [2, 3], [4, 5]]
    with pytest.raises(ValueError, match=r"7 samples cannot be shared evenly among 3 .* multiple"):
        Part(0, 3).of(7)


def test_the_parts_of_a_batch_are_the_batch():
    config = DataConfig(sprites=3, backgrounds=2, scene_clips=2)
    pools = build_pools(config, None, 0, held_out=False)
    whole, *halves = (
        TrackingDataset(pools, config, SMALL, 0, 4, 1, part)[5]
        for part in (None, Part(0, 2), Part(1, 2))
    )
    assert torch.equal(whole.searches, torch.cat([half.searches for half in halves]))


def test_alone_counts_and_means_are_ones_own():
    assert global_count(torch.tensor(5)) == 5
    assert global_count(torch.tensor(0)) == 1
    assert shared_mean({"a": torch.tensor(2.0), "b": torch.tensor(3)}) == {"a": 2.0, "b": 3.0}
    generator = torch.Generator().manual_seed(0)
    expected = torch.rand(4, 2, generator=torch.Generator().manual_seed(0))
    assert torch.equal(own_rand(4, 2, generator=generator), expected)
