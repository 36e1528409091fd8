# Copyright 2026 mixformer2_ros contributors
# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import pytest
import torch

from mixformer2_ros.training.distillation_losses import (
    DistillationConfig,
    box_losses,
    feature_error,
    resampled,
)


def test_resampling_to_the_same_bins_changes_nothing():
    probabilities = torch.rand(2, 4, 24).softmax(dim=-1)
    assert torch.equal(resampled(probabilities, 24), probabilities)


def test_resampling_by_hand():
    # Cells at 0, 1/2; bins at 0, 1/4, 1/2, 3/4: each cell reaches half a crop to both sides.
    fine = resampled(torch.tensor([0.0, 1.0]), 4)
    torch.testing.assert_close(fine, torch.tensor([0.0, 0.25, 0.5, 0.25]))
    # Cells at 0, 1/4, 1/2, 3/4; bins at 0, 1/2. Half of what lies between two goes to each.
    coarse = resampled(torch.tensor([0.1, 0.4, 0.5, 0.0]), 2)
    torch.testing.assert_close(coarse, torch.tensor([0.3, 0.7]))


@pytest.mark.parametrize("cells", [18, 56, 72, 144])
def test_resampling_keeps_the_sum_and_the_place(cells: int):
    generator = torch.Generator().manual_seed(0)
    places = torch.arange(cells) / cells
    centres = 0.2 + 0.6 * torch.rand(5, 1, generator=generator)
    probabilities = (-0.5 * ((places - centres) / 0.06).square()).softmax(dim=-1)
    found = resampled(probabilities, 96)
    torch.testing.assert_close(found.sum(dim=-1), torch.ones(5))
    torch.testing.assert_close(
        found @ (torch.arange(96) / 96), probabilities @ places, atol=0.2 / 96, rtol=0
    )


def test_feature_error_is_the_mean_square():
    student = torch.tensor([[[1.0, 2.0], [3.0, 4.0]]])
    teacher = torch.tensor([[[1.0, 0.0], [0.0, 4.0]]])
    assert feature_error(student, teacher).item() == pytest.approx((4.0 + 9.0) / 4)


def test_box_losses_are_weighted_means_over_present_targets():
    edges = torch.tensor([[0.0, 0.0, 0.5, 0.5], [0.1, 0.2, 0.3, 0.4], [0.2, 0.2, 0.4, 0.4]])
    boxes = torch.tensor([[0.25, 0.0, 0.75, 0.5], [0.0, 0.0, 0.0, 0.0], [0.2, 0.2, 0.4, 0.4]])
    loss, parts = box_losses(
        edges, boxes, torch.tensor([True, False, True]), DistillationConfig(l1=3.0, ciou=7.0)
    )
    # The second target is absent, the third box is exact.
    l1, iou = (0.25 + 0.25) / 4 / 2, (1 / 3 + 1) / 2
    ciou = (1 - 1 / 3 + 0.25**2 / (0.75**2 + 0.5**2)) / 2
    assert parts["l1"].item() == pytest.approx(l1)
    assert parts["ciou"].item() == pytest.approx(ciou)
    assert parts["iou"].item() == pytest.approx(iou)
    assert loss.item() == pytest.approx(3.0 * l1 + 7.0 * ciou)


def test_crossed_corners_are_led_back():
    edges = torch.tensor([[0.6, 0.6, 0.4, 0.4]], requires_grad=True)
    box = torch.tensor([[0.1, 0.1, 0.3, 0.3]])
    box_losses(edges, box, torch.tensor([True]), DistillationConfig())[0].backward()
    assert edges.grad is not None
    assert (edges.grad > 0).all()  # Both corners lie too far to the right and down.


def test_published_weights_are_the_defaults():
    config = DistillationConfig()
    assert (config.l1, config.ciou, config.edges, config.features) == (5.0, 2.0, 5.0, 0.2)
