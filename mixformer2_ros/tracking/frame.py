# Copyright 2026 mixformer2_ros contributors
# SPDX-License-Identifier: Apache-2.0
"""Images as the tracker sees them: only a search region's pixels are ever read or converted."""

from __future__ import annotations

from typing import Protocol

import numpy as np
from numpy.typing import NDArray


class Frame(Protocol):
    """An image in whatever layout it arrived in.

    A frame is immutable: it may be read by several threads and kept in a history. Implementations
    may decode lazily, at the first access to anything but `nbytes`; whatever that raises concerns
    this one frame only.
    """

    @property
    def height(self) -> int:
        """Height in pixels."""
        ...

    @property
    def width(self) -> int:
        """Width in pixels."""
        ...

    @property
    def nbytes(self) -> int:
        """Most memory in bytes the frame comes to hold, with whatever it decodes and keeps.

        Cheap (never decodes): the history bounds its memory by it.
        """
        ...

    def region(self, x1: int, y1: int, x2: int, y2: int) -> NDArray:
        """Return the pixels of a rectangle in a layout that can be resized.

        Args:
            x1: Left column, included.
            y1: Top row, included.
            x2: Right column, excluded.
            y2: Bottom row, excluded. The rectangle lies inside the image and is not empty.

        Returns:
            (y2 - y1, x2 - x1[, channels]) array, a view where the layout allows it, in which
            zero stands for black.
        """
        ...

    def to_rgb(self, pixels: NDArray, out: NDArray[np.uint8] | None = None) -> NDArray[np.uint8]:
        """Convert what `region` gave, before or after a resize.

        Args:
            pixels: (h, w[, channels]) array in the layout of `region`.
            out: (h, w, 3) uint8 that a conversion may write to.

        Returns:
            (h, w, 3) uint8 RGB: `pixels` themselves where nothing is to be converted, else `out`,
            if that is given.
        """
        ...


class ArrayFrame:
    """A frame over an RGB array, without copying it.

    Args:
        image: (height, width, 3) uint8 RGB.

    Raises:
        ValueError: The array has another shape or type.
    """

    def __init__(self, image: NDArray[np.uint8]) -> None:
        if image.ndim != 3 or image.shape[2] != 3 or image.dtype != np.uint8 or image.size == 0:
            raise ValueError(
                f"image has shape {image.shape} and type {image.dtype}, but the tracker needs a "
                "non-empty (height, width, 3) uint8 RGB array; convert it first, for example with "
                "cv2.cvtColor(image, cv2.COLOR_GRAY2RGB)"
            )
        self._image = image
        self.height: int = image.shape[0]
        self.width: int = image.shape[1]
        self.nbytes: int = image.nbytes

    def region(self, x1: int, y1: int, x2: int, y2: int) -> NDArray[np.uint8]:
        """Return a view of the half-open rectangle, see `Frame.region`."""
        return self._image[y1:y2, x1:x2]

    def to_rgb(self, pixels: NDArray, out: NDArray[np.uint8] | None = None) -> NDArray[np.uint8]:
        """Return the pixels unchanged: they are RGB already."""
        return pixels


def as_frame(image: NDArray[np.uint8] | Frame) -> Frame:
    """Return the image as a frame.

    Args:
        image: (height, width, 3) uint8 RGB array, or a frame (returned as it is).

    Returns:
        The frame.

    Raises:
        ValueError: The array has another shape or type.
    """
    return ArrayFrame(image) if isinstance(image, np.ndarray) else image
