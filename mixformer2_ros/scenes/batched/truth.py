# Copyright 2026 mixformer2_ros contributors
# SPDX-License-Identifier: Apache-2.0
"""The true box, measured on the rendered target."""

from __future__ import annotations

import torch
from torch import Tensor

_EDGE = 0.5


def tight_boxes(alpha: Tensor) -> Tensor:
    """Return the boxes around where a target covers more than half of a pixel.

    An edge lies where the largest coverage of a column (row) crosses one half, interpolated between
    pixel centres; so it is never further than half a pixel from the edge of the thresholded mask.
    What reaches the crop's border ends there.

    Args:
        alpha: (N, S, S) coverage in [0, 1].

    Returns:
        (N, 4) float32 x1, y1, x2, y2 in pixels of the crop; zeros where no pixel exceeds one half.
    """
    columns, rows = alpha.amax(dim=1), alpha.amax(dim=2)
    side = alpha.shape[-1]
    x1, y1 = _first_crossing(columns), _first_crossing(rows)
    x2, y2 = side - _first_crossing(columns.flip(1)), side - _first_crossing(rows.flip(1))
    found = columns.amax(dim=1) > _EDGE
    return torch.stack([x1, y1, x2, y2], dim=1) * found[:, None]


def coverage(boxes: Tensor, side: int) -> Tensor:
    """Return the share of every pixel that a box covers, (N, side, side).

    Args:
        boxes: (N, 4) x1, y1, x2, y2 in pixels.
        side: Side of the crop, pixels.
    """
    left = torch.arange(side, device=boxes.device, dtype=boxes.dtype)
    across = (torch.minimum(boxes[:, 2:3], left + 1) - torch.maximum(boxes[:, 0:1], left)).clamp(0)
    down = (torch.minimum(boxes[:, 3:4], left + 1) - torch.maximum(boxes[:, 1:2], left)).clamp(0)
    return down[:, :, None] * across[:, None, :]


def _first_crossing(profile: Tensor) -> Tensor:
    first = (profile > _EDGE).to(torch.uint8).argmax(dim=1, keepdim=True)
    inside = profile.gather(1, first).squeeze(1)
    outside = profile.gather(1, (first - 1).clamp_min(0)).squeeze(1)
    first = first.squeeze(1)
    edge = first + 0.5 - (inside - _EDGE) / (inside - outside).clamp_min(1e-6)
    return torch.where(first == 0, torch.zeros_like(edge), edge)
