# Copyright 2026 mixformer2_ros contributors
# SPDX-License-Identifier: Apache-2.0
"""Surfaces near the camera: leaves, water, asphalt, patterns, heaps of things."""

from __future__ import annotations

import cv2
import numpy as np

from mixformer2_ros.scenes.colours import choice, colour, ink, palette
from mixformer2_ros.scenes.fields import Image, colourise, modulate, noise, plane
from mixformer2_ros.scenes.outlines import SQUARE, fill, stroke, turned, winding


def foliage(rng: np.random.Generator, height: int, width: int) -> Image:
    """Leaves or grass blades near the camera."""
    families = (("forest", "grass"), ("grass", "sand"), ("earth", "brick"), ("forest", "forest"))
    chosen = families[int(rng.integers(len(families)))]
    field = noise(rng, height, width, max(height, width) * 0.2, 0.6)
    image = modulate(colourise(field, palette(rng, *chosen)), field, 0.2, 0.8)
    size = max(height, width) * rng.uniform(0.01, 0.05)
    slim = rng.uniform(0.12, 0.6)
    outline = np.array([[-1, 0], [-0.4, 0.8], [0.4, 0.7], [1, 0], [0.4, -0.7], [-0.4, -0.8]])
    lean, scatter = rng.uniform(0, np.pi), rng.uniform(0.2, 2.0)
    count = int(rng.integers(150, 420))
    greens = [colour(rng, choice(rng, *chosen)) for _ in range(12)]
    for k in range(count):
        length = size * rng.lognormal(0, 0.4)
        leaf = turned(outline * (length, length * slim), lean + rng.normal(0, scatter))
        bright = 0.5 + 0.8 * k / count + rng.normal(0, 0.12)
        tint = ink(greens[int(rng.integers(12))], bright)
        fill(image, leaf + rng.random(2) * (width, height), tint)
    return image


def clutter(rng: np.random.Generator, height: int, width: int) -> Image:
    """A heap of shapes of many sizes and colours."""
    field = noise(rng, height, width, max(height, width) * 0.3)
    image = colourise(field, palette(rng, "any", "grey"))
    dead_leaves(rng, image, int(rng.integers(60, 260)), rng.uniform(0.02, 0.09))
    grain = noise(rng, height, width, max(height, width) * rng.uniform(0.02, 0.1), 0.8)
    return modulate(image, grain, 0.75, 1.2)


def pattern(rng: np.random.Generator, height: int, width: int) -> Image:
    """Stripes, checks, rings or wood grain, bent by noise."""
    extent = max(height, width)
    wave = 2 * np.pi / (extent * rng.uniform(0.02, 0.25))
    warp = noise(rng, height, width, extent * 0.3) * np.float32(extent * rng.uniform(0, 0.3))
    angle = rng.uniform(0, np.pi)
    kind = int(rng.integers(3))
    if kind == 0:
        value = np.sin((plane(height, width, angle) + warp) * np.float32(wave))
    elif kind == 1:
        first = np.sin((plane(height, width, angle) + warp) * np.float32(wave))
        value = first * np.sin((plane(height, width, angle + np.pi / 2) + warp) * np.float32(wave))
    else:
        x = np.arange(width, dtype=np.float32)[None] - np.float32(rng.uniform(0, width))
        y = np.arange(height, dtype=np.float32)[:, None] - np.float32(rng.uniform(0, height))
        value = np.sin((np.hypot(x, y) + warp) * np.float32(wave))
    if rng.random() < 0.5:
        value = np.clip(value * rng.uniform(2, 8), -1, 1)
    family = choice(rng, "any", "earth", "concrete", "brick", "water", "sand")
    table = palette(rng, family, choice(rng, family, "grey"), stops=int(rng.integers(2, 4)))
    grain = noise(rng, height, width, extent * 0.05, 0.8)
    return modulate(colourise((value + 1) * np.float32(0.5), table), grain, 0.8, 1.15)


def water(rng: np.random.Generator, height: int, width: int) -> Image:
    """A rippled surface with sparkles."""
    ripple = noise(rng, height, width, max(6.0, height * rng.uniform(0.03, 0.15)), 0.65, 5.0)
    second = choice(rng, "water", "sky", "forest", "night")
    image = colourise(ripple, palette(rng, "water", second))
    sparkle = np.clip((ripple - np.float32(rng.uniform(0.72, 0.95))) * 6, 0, 1)[..., None]
    return np.asarray(image + (255 - image) * sparkle * np.float32(0.8), np.uint8)


def asphalt(rng: np.random.Generator, height: int, width: int) -> Image:
    """Road or yard near the camera: grain, patches, markings, cracks."""
    extent = max(height, width)
    field = noise(rng, height, width, extent * rng.uniform(0.1, 0.4), rng.uniform(0.6, 0.85))
    family = choice(rng, "grey", "concrete", "earth", "sand", "brick")
    image = colourise(field, palette(rng, family, stops=2))
    for _ in range(int(rng.integers(0, 5))):
        half = extent * rng.uniform(0.03, 0.2, 2)
        corners = SQUARE * half
        place = rng.random(2) * (width, height)
        fill(image, turned(corners, rng.uniform(0, np.pi)) + place, ink(colour(rng, family)))
    for _ in range(int(rng.integers(0, 5))):
        line = winding(rng, height, width, 2)
        paint = ink(colour(rng, choice(rng, "snow", "sand", "concrete")))
        stroke(image, line, paint, max(1, round(extent * 0.012)))
    for _ in range(int(rng.integers(0, 4))):
        stroke(image, winding(rng, height, width, 12), (30, 28, 26), 1)
    return image


def dead_leaves(
    rng: np.random.Generator, image: Image, count: int, size: float, top: float = 0.0
) -> None:
    """Overlapping shapes of a power law of sizes, the statistics of natural images."""
    height, width = image.shape[:2]
    family = choice(rng, "any", "any", "grey", "earth", "concrete")
    for _ in range(count):
        radius = max(height, width) * size * min(4.0, rng.pareto(2.0) + 0.25)
        x, y = rng.uniform(0, width), height * rng.uniform(max(0.0, top), 1.0)
        tint = ink(colour(rng, family))
        if rng.random() < 0.4:
            axes = (round(radius) + 1, round(radius * rng.uniform(0.3, 1)) + 1)
            turn = float(rng.uniform(0, 180))
            cv2.ellipse(image, (round(x), round(y)), axes, turn, 0, 360, tint, -1, cv2.LINE_AA)
        else:
            corners = int(rng.integers(3, 8))
            angles = np.sort(rng.uniform(0, 2 * np.pi, corners))
            radii = radius * rng.uniform(0.5, 1.2, corners)
            shape = np.stack([radii * np.cos(angles), radii * np.sin(angles)], axis=1)
            fill(image, shape + np.array([x, y]), tint)
