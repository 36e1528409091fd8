# Copyright 2026 mixformer2_ros contributors
# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

from dataclasses import replace

import pytest
import torch

from mixformer2_ros.model import MixFormerV2
from mixformer2_ros.model.state import CheckpointError
from mixformer2_ros.model.teacher import MixViT
from mixformer2_ros.training.config import ConfigError, CornerConfig, TrainingConfig
from mixformer2_ros.training.stages.networks import (
    network_from_weights,
    student_of,
    student_variant,
    teacher_variant,
)

CONFIG = TrainingConfig(
    variant="base", depth=3, width=64, mlp_ratio=2, search_size=96, template_size=48
)


@pytest.mark.parametrize("pyramid", [False, True])
def test_a_teacher_is_rebuilt_from_its_weights(pyramid: bool):
    config = replace(CONFIG, corner=CornerConfig(channels=24, pyramid=pyramid))
    teacher = MixViT(teacher_variant(config)).eval()
    state = {name: value.half() for name, value in teacher.state_dict().items()}
    again = network_from_weights(state, "file").eval()
    assert isinstance(again, MixViT)
    images = [torch.randn(1, 3, side, side) for side in (48, 48, 96)]
    torch.testing.assert_close(again(*images).box, teacher(*images).box, atol=1e-2, rtol=0)


def test_a_student_is_rebuilt_from_its_weights():
    student = MixFormerV2(student_variant(CONFIG)).eval()
    again = network_from_weights(student.state_dict(), "file")
    assert isinstance(again, MixFormerV2)
    assert [again.variant.depth, again.variant.mlp_ratio, again.variant.heads] == [3, 2, 1]
    images = [torch.randn(1, 3, side, side) for side in (48, 48, 96)]
    torch.testing.assert_close(again(*images).box, student(*images).box)


def test_other_weights_are_refused():
    with pytest.raises(CheckpointError, match=r"resnet\.pt is neither a MixFormerV2 nor a MixViT"):
        network_from_weights({"conv1.weight": torch.zeros(1)}, "resnet.pt")


def test_a_student_begins_as_what_it_starts_from():
    start = MixFormerV2(student_variant(CONFIG)).requires_grad_(False)
    student = student_of(replace(CONFIG, search_size=64, template_size=32, mlp_ratio=1), start)
    assert student.variant.mlp_ratio == 1
    assert student.backbone.pos_embed_s.shape[1] == 16
    own, other = student.backbone.layers()[0].attn, start.backbone.layers()[0].attn
    assert torch.equal(own.qkv.weight, other.qkv.weight)
    trained = {name for name, value in student.named_parameters() if value.requires_grad}
    assert "backbone.blocks.0.attn.qkv.weight" in trained
    assert not any("pos_embed_s" in name or "pos_embed_t" in name for name in trained)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"depth": 2}, "network of depth 2, but the weights it starts from have 3"),
        ({"width": 128}, "network of width 128, but .* have 64"),
        ({"mlp_ratio": 4}, "MLP ratio of 4, but the weights it starts from have 2"),
    ],
)
def test_sizes_that_do_not_fit_are_explained(change: dict[str, int], message: str):
    with pytest.raises(ConfigError, match=message):
        student_of(replace(CONFIG, **change), MixFormerV2(student_variant(CONFIG)))
