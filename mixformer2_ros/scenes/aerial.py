# Copyright 2026 mixformer2_ros contributors
# SPDX-License-Identifier: Apache-2.0
"""Ground seen from above, and what stands on it: roads, trees, roofs."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

from mixformer2_ros.scenes.colours import Colour, choice, colour, ink, palette
from mixformer2_ros.scenes.fields import Image, colourise, modulate, noise
from mixformer2_ros.scenes.outlines import SQUARE, Points, fill, stroke, turned, winding


def road(
    rng: np.random.Generator,
    image: Image,
    line: Points,
    wide: int,
    marked: bool | None = None,
) -> None:
    """Paint a road with verges in place.

    Args:
        rng: source of randomness.
        image: uint8 (height, width, 3), RGB, changed in place.
        line: (N, 2) points x, y of the middle, pixels.
        wide: width of the carriageway, pixels.
        marked: whether it has a dashed middle line; None lets chance decide.
    """
    grey = colour(rng, "grey")
    verge = ink(colour(rng, choice(rng, "earth", "grass", "concrete")), 0.9)
    stroke(image, line, verge, round(wide * 1.2))
    stroke(image, line, ink(grey, 0.6), wide)
    if marked if marked is not None else rng.random() < 0.7:
        light = ink(colour(rng, "snow"), 0.9)
        steps = np.concatenate([[0.0], np.cumsum(np.hypot(*np.diff(line, axis=0).T))])
        places = np.arange(0.0, steps[-1], max(2.0, wide * 0.1))
        dense = np.stack([np.interp(places, steps, line[:, c]) for c in (0, 1)], axis=1)
        for k in range(0, len(dense) - 3, 8):
            stroke(image, dense[k : k + 4], light, max(1, wide // 24))


def crown(image: Image, x: float, y: float, radius: float, tint: Colour, sun: float) -> None:
    """Paint one round tree crown seen from above, lit from one side, in place.

    Args:
        image: uint8 (height, width, 3), RGB, changed in place.
        x: of the middle, pixels.
        y: of the middle, pixels.
        radius: pixels.
        tint: uint8 (3,), RGB.
        sun: direction away from the sun, rad.
    """
    for scale, bright in ((1.0, 0.75), (0.7, 1.0), (0.4, 1.25)):
        shift = (1.0 - scale) * radius * 0.5
        place = (round(x - shift * np.cos(sun)), round(y - shift * np.sin(sun)))
        size = max(1, round(radius * scale))
        cv2.circle(image, place, size, ink(tint, bright), -1, cv2.LINE_AA)


def trees(
    rng: np.random.Generator,
    image: Image,
    count: int,
    size: float,
    free: NDArray[np.uint8] | None = None,
    family: str = "",
) -> None:
    """Paint clusters of round crowns seen from above, each with its shadow, in place.

    Args:
        rng: source of randomness.
        image: uint8 (height, width, 3), RGB, changed in place.
        count: number of trees.
        size: typical crown radius, pixels.
        free: uint8 (height, width), nonzero where a tree may stand; None for everywhere.
        family: colours of the crowns; empty for any natural one.
    """
    height, width = image.shape[:2]
    family = family or choice(rng, "forest", "forest", "grass", "earth")
    sun = rng.uniform(0, 2 * np.pi)
    clusters = rng.random((max(1, count // 12), 2)) * (width, height)
    spread = rng.uniform(0.03, 0.2) * width
    for _ in range(count):
        radius = size * rng.lognormal(0.0, 0.35)
        centre = clusters[rng.integers(len(clusters))] + rng.normal(0, spread, 2)
        x, y = float(centre[0]), float(centre[1])
        tint = colour(rng, family)
        if not _allowed(free, x, y):
            continue
        shadow = (round(x + radius * 0.6 * np.cos(sun)), round(y + radius * 0.6 * np.sin(sun)))
        cv2.circle(image, shadow, max(1, round(radius)), ink(tint, 0.35), -1, cv2.LINE_AA)
        crown(image, x, y, radius, tint, sun)


def houses(
    rng: np.random.Generator,
    image: Image,
    count: int,
    size: float,
    free: NDArray[np.uint8] | None = None,
) -> None:
    """Paint roofs seen from above, two slopes and a shadow each, in place.

    Args:
        rng: source of randomness.
        image: uint8 (height, width, 3), RGB, changed in place.
        count: number of houses.
        size: typical half side, pixels.
        free: uint8 (height, width), nonzero where a house may stand; None for everywhere.
    """
    height, width = image.shape[:2]
    angle = rng.uniform(0, np.pi)
    for _ in range(count):
        centre = rng.random(2) * (width, height)
        half = size * rng.uniform(0.5, 1.3, 2)
        turn = angle + rng.normal(0, 0.08)
        corners = SQUARE * half
        slope = corners * np.array([1, 0.5]) + np.array([0, half[1] / 2])
        roof = colour(rng, choice(rng, "brick", "grey", "concrete", "earth"))
        if not _allowed(free, float(centre[0]), float(centre[1])):
            continue
        fill(image, turned(corners, turn) + centre + size * 0.25, ink(roof, 0.3))
        fill(image, turned(corners, turn) + centre, ink(roof, 0.8))
        fill(image, turned(slope, turn) + centre, ink(roof))


def _allowed(free: NDArray[np.uint8] | None, x: float, y: float) -> bool:
    if free is None:
        return True
    row, column = min(max(int(y), 0), free.shape[0] - 1), min(max(int(x), 0), free.shape[1] - 1)
    return bool(free[row, column])


def _fields(rng: np.random.Generator, height: int, width: int) -> Image:
    """Farmland: a Voronoi patchwork of tinted fields with furrows."""
    count = int(rng.integers(6, 28))
    seeds = np.full((height // 2 + 1, width // 2 + 1), 255, np.uint8)
    seeds[rng.integers(0, seeds.shape[0], count), rng.integers(0, seeds.shape[1], count)] = 0
    _, labels = cv2.distanceTransformWithLabels(
        seeds, cv2.DIST_L2, 3, labelType=cv2.DIST_LABEL_PIXEL
    )
    labels = cv2.resize(
        labels.astype(np.float32), (width, height), interpolation=cv2.INTER_NEAREST
    ).astype(np.intp)
    families = ("grass", "earth", "sand", "forest", "grass")
    tints = np.stack([colour(rng, choice(rng, *families)) for _ in range(count + 1)])
    angles = rng.uniform(0, np.pi, count + 1).astype(np.float32)
    waves = rng.uniform(0.2, 1.2, count + 1).astype(np.float32)
    x = np.arange(width, dtype=np.float32)[None]
    y = np.arange(height, dtype=np.float32)[:, None]
    phase = x * (np.cos(angles) * waves)[labels] + y * (np.sin(angles) * waves)[labels]
    return modulate(tints[labels], 0.5 + 0.5 * np.sin(phase), 0.85, 1.1)


def aerial_ground(rng: np.random.Generator, height: int, width: int) -> Image:
    """Bare meadows or a patchwork of fields seen from a drone, without anything on them."""
    extent = max(height, width)
    ground = noise(rng, height, width, extent * rng.uniform(0.15, 0.5), rng.uniform(0.5, 0.75))
    if rng.random() < 0.5:
        return modulate(_fields(rng, height, width), ground, 0.75, 1.15)
    families = ("grass", "forest", "earth", "sand", "concrete", "snow")
    return colourise(ground, palette(rng, *(choice(rng, *families) for _ in range(2))))


def aerial(rng: np.random.Generator, height: int, width: int) -> Image:
    """Ground seen from a drone: meadows or fields, roads, trees, roofs."""
    extent = max(height, width)
    image = aerial_ground(rng, height, width)
    for _ in range(int(rng.integers(0, 3))):
        line = winding(rng, height, width, int(rng.integers(3, 6)))
        road(rng, image, line, round(extent * rng.uniform(0.02, 0.09)) + 1)
    if rng.random() < 0.6:
        houses(rng, image, int(rng.integers(2, 22)), extent * rng.uniform(0.015, 0.06))
    if rng.random() < 0.75:
        trees(rng, image, int(rng.integers(10, 110)), extent * rng.uniform(0.006, 0.03))
    return image
