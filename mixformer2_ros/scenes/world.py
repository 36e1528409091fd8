# Copyright 2026 mixformer2_ros contributors
# SPDX-License-Identifier: Apache-2.0
"""What a scene is made of: a painted ground, actors on it, and the camera over it.

World coordinates are pixels of the ground image (x right, y down, pixel i covers [i, i + 1)); at
zoom 1 a world pixel is a pixel of the view.
"""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from mixformer2_ros.scenes.motion import Signal
from mixformer2_ros.scenes.outlines import rotation


@dataclass(frozen=True)
class Actor:
    """A sprite and where it is in every frame.

    Attributes:
        pixels: uint8 (h, w, 4), RGB multiplied by alpha, and alpha.
        hull: float64 (K, 2), convex hull of what is at least half opaque, relative to the sprite's
            centre, sprite pixels.
        positions: float64 (N, 2), world coordinates of the sprite's centre.
        angles: float64 (N,), rad, clockwise on the image.
        scales: float64 (N,), world pixels per sprite pixel.
        shadow: world pixels its shadow is shifted by, 0 for none.
    """

    pixels: NDArray[np.uint8]
    hull: NDArray[np.float64]
    positions: Signal
    angles: Signal
    scales: Signal
    shadow: float = 0.0

    def matrix(self, index: int) -> NDArray[np.float64]:
        """Sprite to world coordinates in one frame: float64 (2, 3)."""
        height, width = self.pixels.shape[:2]
        turn = rotation(float(self.angles[index])) * float(self.scales[index])
        shift = self.positions[index] - turn @ np.array([width / 2, height / 2])
        return np.hstack([turn, shift[:, None]])


@dataclass(frozen=True)
class Camera:
    """Where the camera looks in every frame.

    Attributes:
        centres: float64 (N, 2), world coordinates of the middle of the view.
        angles: float64 (N,), rad.
        zooms: float64 (N,), view pixels per world pixel.
        size: width and height of the view, pixels.
    """

    centres: Signal
    angles: Signal
    zooms: Signal
    size: tuple[int, int]

    def matrix(self, index: int) -> NDArray[np.float64]:
        """World to view coordinates in one frame: float64 (2, 3)."""
        turn = rotation(-float(self.angles[index])) * float(self.zooms[index])
        shift = np.array(self.size) / 2 - turn @ self.centres[index]
        return np.hstack([turn, shift[:, None]])


@dataclass(frozen=True)
class World:
    """Ground, actors in drawing order and the camera; see `Actor` and `Camera`.

    Attributes:
        ground: uint8 (H, W, 3), RGB.
        target: the actor with the truth.
        distractors: drawn below the target.
        occluders: drawn above the target.
        camera: the view.
        gains: float64 (N,), brightness of every frame.
    """

    ground: NDArray[np.uint8]
    target: Actor
    distractors: tuple[Actor, ...]
    occluders: tuple[Actor, ...]
    camera: Camera
    gains: Signal


def make_actor(
    rgba: NDArray[np.uint8],
    positions: Signal,
    angles: Signal | None = None,
    scales: Signal | None = None,
    shadow: float = 0.0,
) -> Actor:
    """Put a sprite on a path.

    Args:
        rgba: uint8 (h, w, 4), not premultiplied.
        positions: float64 (N, 2), world coordinates.
        angles: float64 (N,), rad; None for upright.
        scales: float64 (N,); None for 1.
        shadow: shift of the shadow, world pixels.
    """
    weighted = rgba.copy()
    weighted[..., :3] = np.round(rgba[..., :3] * (rgba[..., 3:] / 255.0))
    solid = (rgba[..., 3] >= 128).astype(np.uint8)
    rows, columns = np.nonzero(solid if solid.any() else rgba[..., 3])
    corners = [np.stack([columns + dx, rows + dy], axis=1) for dx in (0, 1) for dy in (0, 1)]
    hull = cv2.convexHull(np.concatenate(corners).astype(np.float32))[:, 0].astype(np.float64)
    height, width = rgba.shape[:2]
    count = len(positions)
    return Actor(
        weighted,
        hull - np.array([width / 2, height / 2]),
        positions,
        np.zeros(count) if angles is None else angles,
        np.ones(count) if scales is None else scales,
        shadow,
    )
