# Copyright 2026 mixformer2_ros contributors
# SPDX-License-Identifier: Apache-2.0
"""Textured RGBA sprites of procedural objects.

An object is drawn as filled outlines in its own frame, turned and stretched as a whole, textured,
shaded and scaled down from a larger canvas, which antialiases its edge.
"""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

from mixformer2_ros.scenes.canvas import Canvas
from mixformer2_ros.scenes.colours import palette
from mixformer2_ros.scenes.fields import colourise, noise
from mixformer2_ros.scenes.objects import PAINTERS, Painter
from mixformer2_ros.scenes.outlines import Points, rotation

_OVERSAMPLING = 2.0


def draw(
    rng: np.random.Generator, painter: Painter, size: int, transform: Points | None = None
) -> NDArray[np.uint8]:
    """Draw one object with a given painter.

    Args:
        rng: source of randomness.
        painter: one of `PAINTERS`.
        size: longer side, pixels, at least 4.
        transform: float (2, 2) applied to the object's own frame; None draws a random pose.

    Returns:
        uint8 (h, w, 4), RGBA with tight alpha.
    """
    side = max(48, round(size * _OVERSAMPLING / 0.8))
    canvas = Canvas(side, _pose(rng) if transform is None else transform)
    painter(rng, canvas)
    x, y, w, h = cv2.boundingRect(canvas.cover)
    cut = np.s_[y : y + h, x : x + w]
    return _scale(_texture(rng, canvas.colours[cut]), canvas.cover[cut], size)


def sprite(rng: np.random.Generator, size: int) -> NDArray[np.uint8]:
    """Draw one random object: vehicle-like, person-like, drone-like, animal-like or abstract.

    Args:
        rng: source of randomness; equal generators give equal sprites.
        size: longer side, pixels, at least 4.

    Returns:
        uint8 (h, w, 4), RGBA with antialiased, not premultiplied alpha. The array is the bounding
        box of its alpha: every outer row and column holds some.

    Raises:
        ValueError: the size is smaller than 4.
    """
    if size < 4:
        raise ValueError(f"a sprite needs at least 4 pixels, not {size}")
    names = list(PAINTERS)
    return draw(rng, PAINTERS[names[int(rng.integers(len(names)))]], size)


def _texture(rng: np.random.Generator, colours: NDArray[np.uint8]) -> NDArray[np.float32]:
    """Give flat paint a surface: material, pattern and the shading of a round body."""
    height, width = colours.shape[:2]
    painted = colours.astype(np.float32)
    if rng.random() < 0.6:
        cell = max(height, width) * rng.uniform(0.04, 0.4)
        field = noise(rng, height, width, cell, rng.uniform(0.4, 0.8))
        material = colourise(field, palette(rng, "any", "grey"))
        cv2.addWeighted(painted, 1.0, material, rng.uniform(0.1, 0.45), -20.0, painted, cv2.CV_32F)
    x = np.linspace(-1, 1, width, dtype=np.float32)[None]
    y = np.linspace(-1, 1, height, dtype=np.float32)[:, None]
    if rng.random() < 0.3:
        turn, wave = rng.uniform(0, np.pi), rng.uniform(10, 60)
        phase = x * np.float32(np.cos(turn) * wave) + y * np.float32(np.sin(turn) * wave)
        stripe = np.clip(np.sin(phase) * 3, -1, 1) * np.float32(rng.uniform(0.05, 0.4))
        painted *= 1 + stripe[..., None]
    sun, depth = rng.uniform(0, 2 * np.pi), rng.uniform(0, 0.45)
    shade = 1 + x * np.float32(np.cos(sun) * depth) + y * np.float32(np.sin(sun) * depth)
    return np.asarray(painted * shade[..., None], np.float32)


def _pose(rng: np.random.Generator) -> Points:
    """Turn, mirror and stretch the object; a third of them stay upright."""
    turn = rng.uniform(0, 2 * np.pi) if rng.random() < 0.65 else rng.normal(0, 0.1)
    stretch = np.exp(rng.normal(0, 0.18))
    mirror = rng.choice([-1.0, 1.0])
    return rotation(turn) @ np.diag([mirror * stretch, 1 / stretch])


def _scale(colours: NDArray[np.float32], cover: NDArray[np.uint8], size: int) -> NDArray[np.uint8]:
    """Scale a drawing to `size` at its longer side: uint8 (h, w, 4), tight alpha."""
    height, width = cover.shape
    # Weighted by coverage, so that nothing from outside bleeds into the edge.
    inside = cover.astype(np.float32) * (1 / 255)
    weighted = colours * inside[..., None]
    scale = size / max(width, height)
    target = (max(1, round(width * scale)), max(1, round(height * scale)))
    way = cv2.INTER_AREA if scale < 1 else cv2.INTER_LINEAR
    alpha = np.asarray(cv2.resize(inside, target, interpolation=way))
    rgb = np.asarray(cv2.resize(weighted, target, interpolation=way))
    rgba = np.dstack([rgb / np.maximum(alpha, 1e-3)[..., None], alpha * 255])
    result = np.clip(np.round(rgba), 0, 255).astype(np.uint8)
    # The tip of a thin part may fade to nothing in scaling: cut such an outer line off.
    x, y, w, h = cv2.boundingRect(result[..., 3])
    return np.ascontiguousarray(result[y : y + h, x : x + w])
