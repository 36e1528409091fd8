# Copyright 2026 mixformer2_ros contributors
# SPDX-License-Identifier: Apache-2.0
"""What one process can show; two real ones are in test_command.py."""

from __future__ import annotations

import copy

import pytest
import torch

from mixformer2_ros.model.variants import SMALL
from mixformer2_ros.training.config import build_config
from mixformer2_ros.training.data.batch import Batch
from mixformer2_ros.training.data.config import DataConfig
from mixformer2_ros.training.data.dataset import TrackingDataset
from mixformer2_ros.training.data.pools import build_pools
from mixformer2_ros.training.distributed import Part, global_count, own_rand, shared_mean
from mixformer2_ros.training.stages import STAGES, build_stage


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


SIZES = {"depth": 4, "width": 64, "mlp_ratio": 1, "search_size": 96, "template_size": 48}
OWN = {
    "one_stage": {},
    "teacher": {"corner": {"channels": 16}},
    "dense_to_sparse": {},
    "deep_to_shallow": {"shortening": {"fading": [0, 2], "mimic": [[1, 1], [3, 3]]}},
    "score_head": {},
}


@pytest.fixture(scope="module")
def networks() -> dict[str, torch.nn.Module]:
    """A dense and a sparse network for the stages that take one."""
    dense = build_stage(_config("teacher")).student
    return {"dense": dense, "sparse": build_stage(_config("dense_to_sparse"), None, dense).student}


def _config(stage: str):
    return build_config({"stage": stage, "precision": "fp32", **SIZES, **OWN[stage]}, "test")


@pytest.mark.parametrize("name", STAGES)
def test_all_that_is_trained_takes_part_in_the_loss(name: str, networks):
    """Otherwise processes would wait for gradients that never come."""
    start = networks["sparse"].state_dict() if name == "score_head" else None
    teacher = {"dense_to_sparse": "dense", "deep_to_shallow": "sparse"}.get(name)
    stage = build_stage(_config(name), start, copy.deepcopy(networks[teacher]) if teacher else None)
    generator = torch.Generator().manual_seed(0)
    templates, searches = (
        torch.randint(0, 256, (2, 2, side, side, 3), generator=generator, dtype=torch.uint8)
        for side in (48, 96)
    )
    boxes = torch.tensor([0.2, 0.2, 0.6, 0.7]).expand(2, 2, 4)
    batch = Batch(templates, searches, boxes, torch.ones(2, 2, dtype=torch.bool))
    for progress in (0.0, 0.5, 1.0):
        stage.zero_grad()
        stage(batch, progress, generator)[0].backward()
        idle = [
            parameter
            for parameter, value in stage.named_parameters()
            if value.requires_grad and value.grad is None
        ]
        assert not idle
