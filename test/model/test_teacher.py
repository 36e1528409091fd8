# Copyright 2026 mixformer2_ros contributors
# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import re

import pytest
import torch

from mixformer2_ros.model.state import CheckpointError
from mixformer2_ros.model.teacher import (
    TEACHER_BASE,
    MixViT,
    TeacherVariant,
    build_teacher,
    load_teacher,
)

TINY = TeacherVariant(
    "tiny", search_size=96, template_size=48, search_factor=4.0, depth=2, mlp_ratio=2,
    width=32, heads=2, head_channels=16,
)  # fmt: skip


@pytest.fixture
def teacher() -> MixViT:
    torch.manual_seed(0)
    return build_teacher(TINY).eval()


@pytest.fixture
def images(random_views) -> list[torch.Tensor]:
    return random_views(48, 48, 96)


def test_the_box_is_the_expected_position_of_the_corners(teacher: MixViT, images):
    prediction = teacher(*images)
    side = prediction.corners.shape[-1]
    assert side == 24
    where = torch.arange(side) / side
    x1 = (prediction.corners[:, 0] * where).sum(dim=(1, 2))
    y2 = (prediction.corners[:, 1] * where[:, None]).sum(dim=(1, 2))
    centre, size = prediction.box[:, :2], prediction.box[:, 2:]
    torch.testing.assert_close((centre - size / 2)[:, 0], x1)
    torch.testing.assert_close((centre + size / 2)[:, 1], y2)
    assert prediction.score.shape == (2,)


def test_templates_do_not_see_the_search_crop(teacher: MixViT, images):
    template, online, search = images
    count = teacher.backbone.template_tokens
    first = teacher.backbone(template, online, search)[-1]
    second = teacher.backbone(template, online, -search)[-1]
    torch.testing.assert_close(first[:, :count], second[:, :count])
    assert not torch.allclose(first[:, count:], second[:, count:])


def test_the_score_does_not_teach_the_box(teacher: MixViT, images):
    prediction = teacher(*images)
    prediction.score.sum().backward()
    assert all(parameter.grad is None for parameter in teacher.box_head.parameters())


def test_sizes_of_the_published_teacher():
    with torch.device("meta"):
        model = build_teacher("teacher_base")
    assert len(model.backbone.blocks) == 12
    assert model.variant is TEACHER_BASE
    with pytest.raises(ValueError, match=r"unknown teacher variant 'x': choose .*teacher_base"):
        build_teacher("x")


def test_published_names_are_understood(teacher: MixViT, images):
    published = {"backbone.cls_token": torch.zeros(1), "backbone.norm.weight": torch.zeros(1)}
    for name, value in teacher.state_dict().items():
        name = re.sub(r"^score_head\.layers", "score_branch.score_head.layers", name)
        name = re.sub(r"^score_head", "score_branch", name)
        name = re.sub(r"^box_head\.top_left\.(\w+)", r"box_head.\1_tl", name)
        name = re.sub(r"^box_head\.bottom_right\.(\w+)", r"box_head.\1_br", name)
        published[name] = value
    other = build_teacher(TINY).eval()
    load_teacher(other, published)
    torch.testing.assert_close(other(*images).box, teacher(*images).box)
    torch.testing.assert_close(other(*images).score, teacher(*images).score)


def test_a_checkpoint_without_score_module_keeps_that_of_the_network(teacher: MixViT):
    other = build_teacher(TINY)
    state = {key: value for key, value in teacher.state_dict().items() if "score" not in key}
    token = other.score_head.score_token.clone()
    load_teacher(other, state)
    assert torch.equal(other.score_head.score_token, token)


def test_weights_that_do_not_fit_are_refused(teacher: MixViT):
    state = teacher.state_dict()
    del state["box_head.top_left.conv5.weight"]
    with pytest.raises(CheckpointError, match=r"1 names missing .*top_left.conv5.weight"):
        load_teacher(teacher, state, "x.pth")
