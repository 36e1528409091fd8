# Copyright 2026 mixformer2_ros contributors
# SPDX-License-Identifier: Apache-2.0
"""Square crops around a target: the only place where image pixels are read."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import NamedTuple

import cv2
import numpy as np
from numpy.typing import NDArray

from mixformer2_ros.tracking.frame import Frame


class Window(NamedTuple):
    """A square of whole pixels; it may reach beyond the image."""

    left: int
    top: int
    side: int


def search_window(box: Sequence[float], factor: float) -> Window:
    """Return the published window around a box (MixFormerV2, arXiv 2305.15896).

    Args:
        box: x, y, w, h in pixels.
        factor: Side of the window over the side of the square of the box's area.

    Returns:
        Side ceil(sqrt(w h) factor); left and top round(centre - side / 2), halves to even.

    Raises:
        ValueError: The box is so small that the window has no pixels.
    """
    x, y, w, h = box
    side = math.ceil(math.sqrt(w * h) * factor)
    if side < 1:
        raise ValueError(f"a {w:.3g} x {h:.3g} pixel box is too small to cut a window around")
    return Window(round(x + 0.5 * w - 0.5 * side), round(y + 0.5 * h - 0.5 * side), side)


class Scratch:
    """Memory that crops pass through on their way, kept from one to the next. Not thread-safe."""

    def __init__(self) -> None:
        self._blocks: dict[str, NDArray[np.uint8]] = {}

    def take(self, name: str, shape: Sequence[int]) -> NDArray[np.uint8]:
        """Return a uint8 array of a shape; what it holds is undefined.

        Args:
            name: Use of the memory; the next array of that name takes its place.
            shape: Shape of the array.
        """
        size = math.prod(shape)
        block = self._blocks.get(name)
        if block is None or block.size < size:
            block = self._blocks[name] = np.empty(size, np.uint8)
        return block[:size].reshape(shape)


def crop(
    frame: Frame,
    window: Window,
    size: int,
    out: NDArray[np.uint8] | None = None,
    scratch: Scratch | None = None,
) -> NDArray[np.uint8]:
    """Cut a window out of a frame and resize it, with zeros outside the image.

    The pixels are the published ones: bilinear, and the image's last column and row count as
    outside. Only the window's pixels are read; they are converted to RGB after the resize.

    Args:
        frame: The image.
        window: The square to cut, in pixels of the image.
        size: Side of the result in pixels.
        out: (size, size, 3) uint8, contiguous, takes the result; None makes a new array.
        scratch: Memory to use in between; None makes new one.

    Returns:
        (size, size, 3) uint8 RGB: `out`, if that is given.
    """
    out = np.empty((size, size, 3), np.uint8) if out is None else out
    scratch = scratch or Scratch()
    left, top, side = window
    x1, y1 = max(left, 0), max(top, 0)
    x2, y2 = min(left + side, frame.width - 1), min(top + side, frame.height - 1)
    if x2 <= x1 or y2 <= y1:
        out.fill(0)
        return out
    pixels = frame.region(x1, y1, x2, y2)
    channels = pixels.shape[2:]
    if (x2 - x1, y2 - y1) != (side, side):
        padded = scratch.take("padded", (side, side, *channels))
        padded.fill(0)
        padded[y1 - top : y2 - top, x1 - left : x2 - left] = pixels
        pixels = padded
    resized = scratch.take("resized", (size, size, *channels))
    cv2.resize(pixels, (size, size), dst=resized)
    rgb = frame.to_rgb(resized, out)
    if rgb is not out:
        np.copyto(out, rgb)
    return out
