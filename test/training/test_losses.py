# Copyright 2026 mixformer2_ros contributors
# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import math

import pytest
import torch

from mixformer2_ros.training.losses import (
    LossConfig,
    box_iou,
    ciou_loss,
    edge_cross_entropy,
    edge_divergence,
    giou_loss,
    soft_edge_targets,
    token_losses,
    total_loss,
)
from mixformer2_ros.training.network import LayerOutput, TrainingOutput

UNIT = torch.tensor([[0.0, 0.0, 0.5, 0.5]])


def test_iou_and_union_of_overlapping_boxes():
    iou, union = box_iou(UNIT, torch.tensor([[0.25, 0.0, 0.75, 0.5]]))
    assert iou.item() == pytest.approx(0.125 / 0.375)
    assert union.item() == pytest.approx(0.375)


def test_crossed_corners_overlap_nothing():
    assert box_iou(UNIT, torch.tensor([[0.4, 0.4, 0.1, 0.1]]))[0].item() == 0.0


def test_giou_loss_is_zero_for_equal_boxes_and_grows_with_the_gap():
    assert giou_loss(UNIT, UNIT).item() == pytest.approx(0.0, abs=1e-6)
    apart = torch.tensor([[0.5, 0.5, 1.0, 1.0]])
    # IoU 0, union 0.5, hull 1: 1 - (0 - 0.5).
    assert giou_loss(UNIT, apart).item() == pytest.approx(1.5)


def test_ciou_loss_by_hand():
    # Equal sizes, a quarter apart: IoU 1/3, centres 0.25 apart, hull 0.75 x 0.5.
    loss, iou = ciou_loss(UNIT, torch.tensor([[0.25, 0.0, 0.75, 0.5]]))
    assert iou.item() == pytest.approx(1 / 3)
    assert loss.item() == pytest.approx(1 - 1 / 3 + 0.25**2 / (0.75**2 + 0.5**2))
    # Same centre, aspects 1 and 4/3: IoU 3/4, so that aspects count.
    loss, iou = ciou_loss(
        torch.tensor([[0.0, 0.0, 0.4, 0.4]]), torch.tensor([[0.0, 0.05, 0.4, 0.35]])
    )
    aspect = 4 / math.pi**2 * (math.atan(4 / 3) - math.atan(1)) ** 2
    assert iou.item() == pytest.approx(0.75)
    assert loss.item() == pytest.approx(0.25 + aspect**2 / (0.25 + aspect))
    # IoU 3/8: they do not.
    loss, _ = ciou_loss(
        torch.tensor([[0.0, 0.0, 0.4, 0.4]]), torch.tensor([[0.0, 0.125, 0.4, 0.275]])
    )
    assert loss.item() == pytest.approx(1 - 3 / 8)


def test_edge_divergence_by_hand():
    target = torch.tensor([0.5, 0.25, 0.25]).expand(1, 4, 3)
    flat = edge_divergence(torch.zeros(1, 4, 3), target)
    assert flat.item() == pytest.approx(0.5 * math.log(1.5) + 0.5 * math.log(0.75))
    one_edge = torch.zeros(1, 4, 3)
    one_edge[0, 1:] = target[0, 1:].log()
    assert edge_divergence(one_edge, target).item() == pytest.approx(flat.item() / 4)
    certain = torch.tensor([1.0, 0.0, 0.0]).expand(1, 4, 3)
    assert edge_divergence(torch.zeros(1, 4, 3), certain).item() == pytest.approx(math.log(3))


def test_soft_targets_are_gaussian_around_the_edge():
    target = soft_edge_targets(torch.tensor([0.5]), bins=8, sigma=1.0)[0]
    assert target.sum().item() == pytest.approx(1.0)
    assert target.argmax().item() == 4
    assert (target[5] / target[4]).item() == pytest.approx(math.exp(-0.5))


def test_edge_cross_entropy_vanishes_at_the_target_alone():
    edges = torch.tensor([[0.2, 0.3, 0.6, 0.9]])
    perfect = soft_edge_targets(edges, 24, 1.0).clamp_min(1e-12).log()
    assert edge_cross_entropy(perfect, edges, 1.0).item() == pytest.approx(0.0, abs=1e-5)
    flat = torch.zeros(1, 4, 24)
    target = soft_edge_targets(edges, 24, 1.0)
    entropy = -(target * target.clamp_min(1e-12).log()).sum(-1).mean().item()
    divergence = math.log(24) - entropy
    assert edge_cross_entropy(flat, edges, 1.0).item() == pytest.approx(divergence, rel=1e-5)


def test_token_losses_weigh_inside_and_outside_alike():
    centres = torch.tensor([[[0.25, 0.25], [0.75, 0.25], [0.25, 0.75], [0.75, 0.75]]])
    boxes, present = torch.tensor([[0.0, 0.0, 0.5, 0.5]]), torch.tensor([True])
    inside = torch.tensor([[2.0, 0.0, 0.0, 0.0]])
    offsets = torch.zeros(1, 4, 4)
    offsets[0, 0] = 0.25  # The one token inside is exactly in the middle.
    classification, distance = token_losses(inside, offsets, centres, boxes, present)
    expected = (math.log1p(math.exp(-2.0)) + math.log(2.0)) / 2
    assert classification.item() == pytest.approx(expected)
    assert distance.item() == 0.0


def _output(edges: torch.Tensor, score: float) -> TrainingOutput:
    logits = (soft_edge_targets(edges, 96, 0.5) + 1e-9).log()
    return TrainingOutput(
        [LayerOutput(logits, None, None)], torch.tensor([score]), torch.zeros(1, 0, 2)
    )


def test_absent_targets_have_no_box_loss():
    output = _output(torch.tensor([[0.1, 0.1, 0.2, 0.2]]), score=-20.0)
    loss, parts = total_loss(output, torch.zeros(1, 4), torch.tensor([False]), LossConfig(), 0.0)
    assert loss.item() == pytest.approx(0.0, abs=1e-6)
    assert parts["l1"].item() == 0.0


def test_late_in_the_training_the_score_judges_the_box():
    wrong = _output(torch.tensor([[0.1, 0.1, 0.2, 0.2]]), score=5.0)
    truth, present = torch.tensor([[0.6, 0.6, 0.8, 0.8]]), torch.tensor([True])
    early = total_loss(wrong, truth, present, LossConfig(), 0.0)[1]["score"]
    late = total_loss(wrong, truth, present, LossConfig(), 0.9)[1]["score"]
    assert early.item() == pytest.approx(math.log1p(math.exp(-5.0)), rel=1e-4)
    assert late.item() == pytest.approx(5.0 + math.log1p(math.exp(-5.0)), rel=1e-4)
