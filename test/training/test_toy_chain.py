# Copyright 2026 mixformer2_ros contributors
# SPDX-License-Identifier: Apache-2.0
"""All stages of the paper on toys, by the command that trains the real networks."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
import torch

from mixformer2_ros.cli import main
from mixformer2_ros.model import MixFormerV2
from mixformer2_ros.training.chain import read_chain
from mixformer2_ros.training.command import RECIPES
from mixformer2_ros.training.config import TrainingConfig, written_variant
from mixformer2_ros.training.data.batch import Batch
from mixformer2_ros.training.data.dataset import TrackingDataset
from mixformer2_ros.training.data.pools import build_pools
from mixformer2_ros.training.losses import box_iou
from mixformer2_ros.training.stages.networks import network_from_weights
from mixformer2_ros.training.validation import validate
from mixformer2_ros.training.weights import read_weights

UNSEEN = 4711


def _unseen_scenes(config: TrainingConfig) -> Batch:
    """Objects, backgrounds and motion that training never sees; the target is always there."""
    data = replace(config.data, sprites=64, backgrounds=16, absent_share=0.0)
    pools = build_pools(data, None, UNSEEN, held_out=False)
    variant = written_variant(config)
    return TrackingDataset(pools, data, variant, UNSEEN, groups=64, searches=2)[0]


def _iou_of_the_best_constant(batch: Batch) -> float:
    """Mean IoU of the one box that fits best everywhere: what needs no picture at all."""
    boxes = batch.boxes.flatten(0, 1)
    sides = torch.linspace(0.2, 0.6, 9)
    guesses = 0.5 + 0.5 * torch.stack([-sides, -sides, sides, sides], dim=1)
    return max(box_iou(guess.expand(len(boxes), 4), boxes)[0].mean().item() for guess in guesses)


@pytest.mark.slow
@pytest.mark.timeout(900)
def test_the_whole_chain_learns_to_find_objects_it_has_never_seen(tmp_path: Path):
    assert main(["train", "chain_toy", "--out", str(tmp_path), "--workers", "0"]) == 0
    links = read_chain(RECIPES / "chain_toy.yaml")
    assert [link.config.stage for link in links] == [
        "teacher",
        "dense_to_sparse",
        "deep_to_shallow",
        "deep_to_shallow",
        "deep_to_shallow",
        "score_head",
    ]
    network = network_from_weights(read_weights(tmp_path / links[-1].name), "toy").eval()
    assert isinstance(network, MixFormerV2)
    assert (network.variant.depth, network.variant.mlp_ratio) == (2, 1)
    batch = _unseen_scenes(links[0].config)
    quality = validate(network, batch)
    assert quality.iou > 0.5
    assert quality.iou > _iou_of_the_best_constant(batch) + 0.1
