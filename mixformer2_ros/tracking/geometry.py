# Copyright 2026 mixformer2_ros contributors
# SPDX-License-Identifier: Apache-2.0
"""Boxes in image coordinates and their way out of and back into the image."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import NamedTuple

MIN_VISIBLE_SHARE = 0.25
"""Share of a given box that must lie inside the image for a target to be started on it."""

MIN_VISIBLE_PIXELS = 2.0
"""Width and height in pixels that the visible part of a given box must have."""


class Box(NamedTuple):
    """An upright box in pixels: left and top edge, width and height."""

    x: float
    y: float
    w: float
    h: float

    @classmethod
    def around(cls, cx: float, cy: float, w: float, h: float) -> Box:
        """Return the box with this centre and size."""
        return cls(cx - 0.5 * w, cy - 0.5 * h, w, h)

    @property
    def cx(self) -> float:
        """Column of the centre."""
        return self.x + 0.5 * self.w

    @property
    def cy(self) -> float:
        """Row of the centre."""
        return self.y + 0.5 * self.h

    @property
    def side(self) -> float:
        """Side of the square of the same area."""
        return math.sqrt(self.w * self.h)

    def scaled(self, sx: float, sy: float) -> Box:
        """Return the box in an image resized by these factors."""
        return Box(self.x * sx, self.y * sy, self.w * sx, self.h * sy)

    def touches_border(self, width: int, height: int, margin: float = 2.0) -> bool:
        """Tell whether an edge lies within `margin` pixels of the image's border."""
        return (
            self.x <= margin
            or self.y <= margin
            or self.x + self.w >= width - margin
            or self.y + self.h >= height - margin
        )


def clip_box(box: Box, width: int, height: int, margin: float) -> Box:
    """Keep a box inside the image and at least `margin` pixels large, as published.

    Args:
        box: Any box; its size may be negative.
        width: Image width in pixels.
        height: Image height in pixels.
        margin: Pixels; in images smaller than that, the image's smaller side.

    Returns:
        The box with x1 in [0, width - margin], x2 in [margin, width], the rows likewise, and
        width and height not below the margin.
    """
    margin = min(margin, width, height)
    x1 = min(max(0.0, box.x), width - margin)
    y1 = min(max(0.0, box.y), height - margin)
    x2 = min(max(margin, box.x + box.w), float(width))
    y2 = min(max(margin, box.y + box.h), float(height))
    return Box(x1, y1, max(margin, x2 - x1), max(margin, y2 - y1))


def visible_part(box: Box, width: int, height: int) -> Box:
    """Return the part of a box inside the image; width or height are zero where there is none."""
    x1, y1 = max(box.x, 0.0), max(box.y, 0.0)
    x2, y2 = min(box.x + box.w, float(width)), min(box.y + box.h, float(height))
    return Box(x1, y1, max(x2 - x1, 0.0), max(y2 - y1, 0.0))


def checked_box(box: Sequence[float], width: int, height: int) -> Box:
    """Return a box that a target can be started on.

    Args:
        box: x, y, w, h in pixels.
        width: Image width in pixels.
        height: Image height in pixels.

    Returns:
        The same box, not clipped.

    Raises:
        ValueError: The box is not four finite numbers, is empty, or lies mostly outside the image.
    """
    values = tuple(float(value) for value in box)
    if len(values) != 4:
        raise ValueError(f"the box has {len(values)} values; give x, y, w, h in pixels")
    if not all(math.isfinite(value) for value in values):
        raise ValueError(f"the box {_format(values)} is not finite; give x, y, w, h in pixels")
    checked = Box(*values)
    if checked.w <= 0 or checked.h <= 0:
        raise ValueError(
            f"the box {_format(checked)} is empty; width and height must be positive pixels"
        )
    visible = visible_part(checked, width, height)
    share = (visible.w / checked.w) * (visible.h / checked.h)
    if share < MIN_VISIBLE_SHARE or min(visible.w, visible.h) < MIN_VISIBLE_PIXELS:
        raise ValueError(
            f"{share:.0%} of the box {_format(checked)} lies inside the {width}x{height} image; "
            f"draw it so that at least {MIN_VISIBLE_SHARE:.0%} of it and "
            f"{MIN_VISIBLE_PIXELS:.0f} pixels each way are visible"
        )
    return checked


def _format(values: Sequence[float]) -> str:
    return "(" + ", ".join(f"{value:.6g}" for value in values) + ")"
