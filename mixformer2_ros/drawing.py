# Copyright 2026 mixformer2_ros contributors
# SPDX-License-Identifier: Apache-2.0
"""Boxes, states and captions drawn on images for people."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from mixformer2_ros.tracking.types import TargetState, TrackResult

STATE_COLOURS: dict[TargetState, tuple[int, int, int]] = {
    TargetState.IDLE: (200, 200, 200),
    TargetState.TRACKING: (40, 220, 60),
    TargetState.UNCERTAIN: (255, 190, 0),
    TargetState.LOST: (230, 40, 40),
}
"""RGB colour of a target's box by its state."""

TRUTH_COLOUR = (80, 200, 255)
_WHITE = (255, 255, 255)
_BLACK = (0, 0, 0)
_FONT = cv2.FONT_HERSHEY_SIMPLEX


@dataclass(frozen=True)
class Mark:
    """What is drawn for one target.

    Attributes:
        box: x, y, w, h in pixels.
        state: sets the colour.
        label: text at the box.
    """

    box: Sequence[float] | NDArray[np.float64]
    state: TargetState
    label: str

    @classmethod
    def of(cls, target_id: str, result: TrackResult) -> Mark:
        """The mark of a tracker's result: its name, state and score.

        Args:
            target_id: name of the target; may be empty.
            result: what the tracker says of it.
        """
        label = f"{target_id} {result.state.name} {result.score:.2f}".lstrip()
        return cls(result.box, result.state, label)


def annotate(
    image: NDArray[np.uint8],
    marks: Sequence[Mark] | Mapping[str, TrackResult],
    truth: NDArray[np.float64] | None = None,
    caption: str = "",
) -> NDArray[np.uint8]:
    """Draw targets, the truth and a caption on a copy of an image.

    Boxes that are not finite are left out; boxes may reach beyond the image.

    Args:
        image: uint8 (height, width, 3), RGB; stays as it is.
        marks: what to draw for each target, or a tracker's results by name.
        truth: x, y, w, h in pixels, drawn thin; None or NaNs for none.
        caption: text at the left upper corner.

    Returns:
        uint8 (height, width, 3), RGB.
    """
    if isinstance(marks, Mapping):
        marks = [Mark.of(target_id, result) for target_id, result in marks.items()]
    canvas = np.ascontiguousarray(image).copy()
    thick = line_width(canvas)
    if truth is not None:
        _rectangle(canvas, truth, TRUTH_COLOUR, max(1, thick // 2))
    for mark in marks:
        colour = STATE_COLOURS[mark.state]
        place = _rectangle(canvas, mark.box, colour, thick)
        if place is not None and mark.label:
            write(canvas, mark.label, place[0], place[1] - 5 * thick, colour)
    if caption:
        write(canvas, caption, 0, 0, _WHITE)
    return canvas


def line_width(image: NDArray[np.uint8]) -> int:
    """Width of lines that suits an image's size, pixels."""
    return max(1, round(min(image.shape[:2]) / 300))


def write(
    image: NDArray[np.uint8], text: str, x: int, y: int, colour: tuple[int, int, int]
) -> None:
    """Write text on a darkened patch in place, moved into the image where it would leave it.

    Args:
        image: uint8 (height, width, 3), RGB, changed in place.
        text: one line.
        x: left end of the text, pixels.
        y: its base line, pixels.
        colour: RGB.
    """
    thick = line_width(image)
    scale = 0.25 + 0.25 * thick
    (width, height), below = cv2.getTextSize(text, _FONT, scale, thick)
    margin = 2 + thick
    x = max(margin, min(x, image.shape[1] - width - margin))
    y = max(height + margin, min(y, image.shape[0] - below - margin))
    # An outline would need a second, bolder text, which OpenCV 5 sets wider than the first.
    patch = image[
        max(0, y - height - margin) : y + below + margin, max(0, x - margin) : x + width + margin
    ]
    patch[:] = patch // 3
    cv2.putText(image, text, (x, y), _FONT, scale, colour, thick, cv2.LINE_AA)


def _rectangle(
    image: NDArray[np.uint8],
    box: Sequence[float] | NDArray[np.float64],
    colour: tuple[int, int, int],
    thick: int,
) -> tuple[int, int] | None:
    """Draw a box; its left upper corner, or None when it is not finite."""
    edges = np.asarray(box, np.float64)
    if not np.isfinite(edges).all():
        return None
    # OpenCV fails on numbers far outside; the image's surroundings are enough.
    limit = 4.0 * max(image.shape)
    x1, y1 = np.clip(np.round(edges[:2]), -limit, limit).astype(int)
    x2, y2 = np.clip(np.round(edges[:2] + edges[2:]) - 1, -limit, limit).astype(int)
    for rgb, width in ((_BLACK, thick + 2), (colour, thick)):
        cv2.rectangle(image, (int(x1), int(y1)), (int(x2), int(y2)), rgb, width)
    return int(x1), int(y1)
