# Copyright 2026 mixformer2_ros contributors
# SPDX-License-Identifier: Apache-2.0
"""Fields of numbers over a picture, such as noise, and pictures made of them."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

Image = NDArray[np.uint8]
Field = NDArray[np.float32]


def noise(
    rng: np.random.Generator,
    height: int,
    width: int,
    cell: float,
    persistence: float = 0.55,
    stretch: float = 1.0,
) -> Field:
    """Multi-octave value noise.

    Args:
        rng: source of randomness.
        height: rows of the field.
        width: columns of the field.
        cell: size of the coarsest features, pixels.
        persistence: amplitude of an octave relative to the next coarser one.
        stretch: how many times longer features are along x than along y.

    Returns:
        float32 (height, width), scaled to fill [0, 1].
    """
    rows = max(2, round(height / cell) + 2)
    columns = max(2, round(width / (cell * stretch)) + 2)
    field = rng.random((rows, columns), np.float32)
    amplitude = 1.0
    while min(height / field.shape[0], width / field.shape[1]) > 3.0:
        amplitude *= persistence
        field = cv2.resize(
            field, (field.shape[1] * 2, field.shape[0] * 2), interpolation=cv2.INTER_CUBIC
        )
        field += amplitude * rng.random(field.shape, np.float32)
    field = cv2.resize(field, (width, height), interpolation=cv2.INTER_CUBIC)
    low, high, _, _ = cv2.minMaxLoc(field)
    return np.asarray((field - low) * (1.0 / max(high - low, 1e-6)), np.float32)


def plane(height: int, width: int, angle: float) -> Field:
    """Return how far each pixel lies along a direction, in pixels from the first: (height, width).

    Args:
        height: rows of the field.
        width: columns of the field.
        angle: of the direction, rad from x towards y.
    """
    x = np.arange(width, dtype=np.float32)[None] * np.float32(np.cos(angle))
    y = np.arange(height, dtype=np.float32)[:, None] * np.float32(np.sin(angle))
    return np.asarray(x + y, np.float32)


def colourise(field: Field, table: NDArray[np.uint8]) -> Image:
    """Look the values of a field in [0, 1] up in a colour table (256, 3).

    Args:
        field: float32 (height, width).
        table: uint8 (256, 3), RGB.

    Returns:
        uint8 (height, width, 3), RGB.
    """
    grey = cv2.convertScaleAbs(field, alpha=255.0)
    return np.asarray(cv2.LUT(cv2.merge([grey, grey, grey]), table[None]), np.uint8)


def modulate(image: Image, field: Field, low: float, high: float) -> Image:
    """Multiply an image by a field of [0, 1] mapped to [low, high]."""
    factor = field * np.float32(high - low) + np.float32(low)
    return np.asarray(
        cv2.multiply(image, cv2.merge([factor, factor, factor]), dtype=cv2.CV_8U), np.uint8
    )
