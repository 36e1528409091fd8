# Copyright 2026 mixformer2_ros contributors
# SPDX-License-Identifier: Apache-2.0
"""Random colours that occur together, such as those of grass, brick or water."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

Colour = NDArray[np.uint8]
"""uint8 (3,), RGB."""

# Hue in OpenCV degrees (0..179), saturation, value: (low, high) of each.
_FAMILIES: dict[str, tuple[tuple[int, int], tuple[int, int], tuple[int, int]]] = {
    "grass": ((32, 55), (60, 170), (50, 170)),
    "forest": ((35, 75), (60, 180), (20, 110)),
    "earth": ((6, 20), (50, 150), (40, 160)),
    "sand": ((12, 24), (40, 120), (130, 230)),
    "grey": ((0, 179), (0, 30), (40, 210)),
    "concrete": ((10, 110), (3, 40), (90, 220)),
    "snow": ((95, 120), (0, 40), (170, 250)),
    "water": ((85, 115), (50, 190), (40, 170)),
    "brick": ((0, 14), (70, 180), (60, 190)),
    "sky": ((95, 118), (20, 150), (140, 250)),
    "dusk": ((120, 179), (20, 140), (60, 220)),
    "night": ((95, 130), (30, 140), (8, 70)),
    "any": ((0, 179), (0, 255), (10, 250)),
}


def colour(rng: np.random.Generator, family: str = "any") -> Colour:
    """Draw one RGB colour of a family such as ``grass``, ``brick`` or ``any``.

    Args:
        rng: source of randomness.
        family: one of the colour families of this module.

    Returns:
        uint8 array (3,), RGB.
    """
    ranges = _FAMILIES[family]
    hsv = np.array([[[rng.integers(low, high + 1) for low, high in ranges]]], np.uint8)
    return np.asarray(cv2.cvtColor(hsv, cv2.COLOR_HSV2RGB)[0, 0], np.uint8)


def palette(rng: np.random.Generator, *families: str, stops: int = 4) -> NDArray[np.uint8]:
    """A smooth colour table through random colours of the given families.

    Args:
        rng: source of randomness.
        families: colour families to draw from.
        stops: number of colours the table passes through.

    Returns:
        uint8 (256, 3), RGB.
    """
    colours = np.stack([colour(rng, choice(rng, *families)) for _ in range(stops)])
    positions = np.linspace(0, 255, stops)
    steps = np.arange(256)
    channels = [np.interp(steps, positions, colours[:, c]) for c in range(3)]
    return np.stack(channels, axis=1).astype(np.uint8)


def ink(tint: Colour, bright: float = 1.0) -> tuple[int, int, int]:
    """Return a colour, made brighter or darker, as OpenCV's drawing functions take it."""
    scaled = np.clip(tint.astype(np.float32) * bright, 0, 255)
    return int(scaled[0]), int(scaled[1]), int(scaled[2])


def choice(rng: np.random.Generator, *names: str) -> str:
    """Draw one of some names, such as those of colour families."""
    return names[int(rng.integers(len(names)))]
