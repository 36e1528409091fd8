# Copyright 2026 mixformer2_ros contributors
# SPDX-License-Identifier: Apache-2.0
"""Points in the plane, and lines and filled outlines through them."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

Image = NDArray[np.uint8]
Points = NDArray[np.float64]
"""float64 (N, 2): x and y."""

SQUARE: Points = np.array([[-1.0, -1.0], [1.0, -1.0], [1.0, 1.0], [-1.0, 1.0]])
"""Corners of a square of half side one."""

FRACTION = 4
"""Fractional bits of drawn coordinates: edges are placed to 1/16 pixel."""


def rotation(angle: float) -> NDArray[np.float64]:
    """Return the matrix (2, 2) that turns a column from x towards y by `angle`, rad."""
    cosine, sine = np.cos(angle), np.sin(angle)
    return np.array([[cosine, -sine], [sine, cosine]])


def turned(points: Points, angle: float) -> Points:
    """Turn points about the origin, from x towards y.

    Args:
        points: float64 (N, 2).
        angle: rad.
    """
    return np.asarray(points @ rotation(-angle))


def fixed(points: Points) -> NDArray[np.int32]:
    """Return points in pixels as OpenCV's drawing functions take them, with `FRACTION` bits."""
    return np.round(points * 2**FRACTION).astype(np.int32)


def fill(image: Image, outline: Points, rgb: tuple[int, int, int]) -> None:
    """Fill an outline, given in pixels, in place; its edge is antialiased."""
    cv2.fillPoly(image, [fixed(outline)], rgb, cv2.LINE_AA, FRACTION)


def stroke(image: Image, line: Points, rgb: tuple[int, int, int], wide: int) -> None:
    """Draw an open line through points, given in pixels, in place, about `wide` pixels wide."""
    cv2.polylines(image, [fixed(line)], False, rgb, wide, cv2.LINE_AA, FRACTION)


def winding(rng: np.random.Generator, height: int, width: int, bends: int = 4) -> Points:
    """Draw a smooth line that crosses an image.

    Args:
        rng: source of randomness.
        height: rows of the image.
        width: columns of the image.
        bends: number of random knots the line passes near.

    Returns:
        float64 (40, 2): points x, y in pixels, from beyond one side to beyond the other.
    """
    along = np.linspace(-0.1, 1.1, 40)
    knots = np.linspace(-0.1, 1.1, bends)
    offset = rng.uniform(0.15, 0.85) + rng.normal(0, 0.12, bends)
    across = np.interp(along, knots, offset)
    kernel = np.hanning(11) / np.hanning(11).sum()
    across = np.convolve(np.pad(across, 5, mode="edge"), kernel, mode="valid")
    if rng.random() < 0.5:
        return np.stack([along * width, across * height], axis=1)
    return np.stack([across * width, along * height], axis=1)
