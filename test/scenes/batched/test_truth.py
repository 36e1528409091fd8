# Copyright 2026 mixformer2_ros contributors
# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import pytest

torch = pytest.importorskip("torch")

from mixformer2_ros.scenes.batched.truth import coverage, tight_boxes  # noqa: E402


def test_boxes_of_boxes_are_exact_to_a_quarter_pixel():
    generator = torch.Generator().manual_seed(0)
    corner = 1 + torch.rand(500, 2, generator=generator) * 40
    boxes = torch.cat([corner, corner + 2 + torch.rand(500, 2, generator=generator) * 20], dim=1)
    measured = tight_boxes(coverage(boxes, 64))
    # An edge between two pixels is known up to what a linear ramp differs from a step by.
    torch.testing.assert_close(measured, boxes, atol=0.25, rtol=0)


def test_what_reaches_the_border_ends_there():
    alpha = torch.zeros(1, 8, 8)
    alpha[0, :3, 4:] = 1.0
    torch.testing.assert_close(tight_boxes(alpha), torch.tensor([[4.0, 0.0, 8.0, 3.0]]))


def test_faint_targets_have_no_box():
    assert not tight_boxes(torch.full((1, 8, 8), 0.5)).any()


def test_coverage_sums_to_the_area_inside():
    boxes = torch.tensor([[1.25, 2.5, 3.5, 4.0], [-3.0, 6.0, 2.0, 20.0], [9.0, 9.0, 12.0, 12.0]])
    torch.testing.assert_close(coverage(boxes, 8).sum(dim=(1, 2)), torch.tensor([3.375, 4.0, 0.0]))
