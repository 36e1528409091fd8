# Copyright 2026 mixformer2_ros contributors
# SPDX-License-Identifier: Apache-2.0
"""Procedural backgrounds: varied, natural-looking RGB images from a random generator.

Every picture is painted by one of `PAINTERS` (aerial views, landscapes, facades, foliage, ...)
and then lit: uneven light, colour cast, defocus, grain. The same generator state gives the same
picture.
"""

from __future__ import annotations

from collections.abc import Callable

import cv2
import numpy as np

from mixformer2_ros.scenes.aerial import aerial
from mixformer2_ros.scenes.eye_level import city, indoor, landscape, plain
from mixformer2_ros.scenes.fields import Image
from mixformer2_ros.scenes.surfaces import asphalt, clutter, foliage, pattern, water

Painter = Callable[[np.random.Generator, int, int], Image]

PAINTERS: dict[str, Painter] = {
    "aerial": aerial,
    "landscape": landscape,
    "city": city,
    "foliage": foliage,
    "clutter": clutter,
    "pattern": pattern,
    "water": water,
    "asphalt": asphalt,
    "indoor": indoor,
    "plain": plain,
}
_WEIGHTS = {"aerial": 3.0, "landscape": 2.0, "city": 2.0, "clutter": 1.5, "plain": 0.7}


def background(rng: np.random.Generator, height: int, width: int) -> Image:
    """Paint one varied, natural-looking background.

    Args:
        rng: source of randomness; equal generators give equal pictures.
        height: rows, at least 16.
        width: columns, at least 16.

    Returns:
        uint8 (height, width, 3), RGB.

    Raises:
        ValueError: the size is smaller than 16 x 16.
    """
    if height < 16 or width < 16:
        raise ValueError(f"a background needs at least 16 x 16 pixels, not {width} x {height}")
    names = list(PAINTERS)
    weights = np.array([_WEIGHTS.get(name, 1.0) for name in names])
    name = names[int(rng.choice(len(names), p=weights / weights.sum()))]
    return finish(rng, PAINTERS[name](rng, height, width))


def finish(rng: np.random.Generator, image: Image) -> Image:
    """Light an image like a camera would: uneven light, cast, contrast, defocus, grain.

    Args:
        rng: source of randomness.
        image: uint8 (height, width, 3), RGB.

    Returns:
        A new image of the same shape and type.
    """
    height, width = image.shape[:2]
    contrast = rng.uniform(0.65, 1.15)
    cast = rng.uniform(0.9, 1.1, 3) * contrast
    lift = rng.uniform(0, 1) * (1 - min(contrast, 1.0)) * 200
    coarse = rng.uniform(0.8, 1.15, (3, 3, 1)) * cast
    light = cv2.resize(coarse.astype(np.float32), (width, height), interpolation=cv2.INTER_LINEAR)
    lit = cv2.multiply(image, light, dtype=cv2.CV_32F)
    if rng.random() < 0.35:
        lit = cv2.GaussianBlur(lit, (0, 0), rng.uniform(0.5, 2.5))
    grain = rng.standard_normal((height, width), np.float32) * np.float32(rng.uniform(0, 5)) + lift
    return np.asarray(cv2.add(lit, cv2.merge([grain] * 3), dtype=cv2.CV_8U), np.uint8)
