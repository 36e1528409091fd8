# Copyright 2026 mixformer2_ros contributors
# SPDX-License-Identifier: Apache-2.0
"""Actors as the camera sees them: their outline, what they cover, and how they are painted."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

from mixformer2_ros.scenes.outlines import Points
from mixformer2_ros.scenes.world import Actor

Window = tuple[int, int, int, int]
"""A part of the view and beyond it: x1, y1, x2, y2 in pixels."""


def outline(actor: Actor, view: NDArray[np.float64], index: int) -> Points:
    """Return the convex hull of an actor in the view: float64 (K, 2).

    Args:
        actor: the actor.
        view: float64 (2, 3), world to view coordinates; see `world.Camera.matrix`.
        index: the frame.
    """
    height, width = actor.pixels.shape[:2]
    matrix = _chain(view, actor.matrix(index))
    return np.asarray(
        (actor.hull + np.array([width / 2, height / 2])) @ matrix[:, :2].T + matrix[:, 2]
    )


def coverage(
    actor: Actor, view: NDArray[np.float64], index: int, window: Window
) -> NDArray[np.float32]:
    """Return how much of each pixel of a window an actor covers: float32, 0 to 1.

    Args:
        actor: the actor.
        view: float64 (2, 3), world to view coordinates.
        index: the frame.
        window: which part of the view.
    """
    matrix = _chain(view, actor.matrix(index))
    alpha = np.ascontiguousarray(actor.pixels[..., 3])
    return _warp(alpha, matrix, window).astype(np.float32) / np.float32(255)


def paste(image: NDArray[np.uint8], actor: Actor, view: NDArray[np.float64], index: int) -> None:
    """Blend an actor, after its shadow, into the view in place.

    Args:
        image: uint8 (H, W, 3), RGB, changed in place.
        actor: the actor.
        view: float64 (2, 3), world to view coordinates.
        index: the frame.
    """
    matrix = _chain(view, actor.matrix(index))
    if actor.shadow > 0:
        shaded = matrix.copy()
        shaded[:, 2] += view[:, :2] @ np.array([actor.shadow, actor.shadow])
        _blend(image, actor.pixels, shaded, shadow=True)
    _blend(image, actor.pixels, matrix, shadow=False)


def centred(matrix: NDArray[np.float64]) -> NDArray[np.float64]:
    """The same map between pixel centres: warpAffine puts pixel i at i, not at i + 0.5."""
    shifted = matrix.copy()
    shifted[:, 2] += matrix[:, :2] @ np.array([0.5, 0.5]) - 0.5
    return shifted


def _chain(outer: NDArray[np.float64], inner: NDArray[np.float64]) -> NDArray[np.float64]:
    linear = outer[:, :2] @ inner[:, :2]
    shift = outer[:, :2] @ inner[:, 2] + outer[:, 2]
    return np.hstack([linear, shift[:, None]])


def _warp(
    pixels: NDArray[np.uint8],
    matrix: NDArray[np.float64],
    window: Window,
) -> NDArray[np.uint8]:
    """Warp a sprite into a window (x1, y1, x2, y2) of the view; transparent outside."""
    shifted = centred(matrix)
    shifted[:, 2] -= window[:2]
    size = (window[2] - window[0], window[3] - window[1])
    return np.asarray(cv2.warpAffine(pixels, shifted, size, flags=cv2.INTER_LINEAR))


def _blend(
    image: NDArray[np.uint8],
    pixels: NDArray[np.uint8],
    matrix: NDArray[np.float64],
    shadow: bool,
) -> None:
    height, width = pixels.shape[:2]
    corners = np.array([[0, 0], [width, 0], [width, height], [0, height]], np.float64)
    placed = corners @ matrix[:, :2].T + matrix[:, 2]
    low = np.maximum(np.floor(placed.min(axis=0)).astype(int) - 1, 0)
    high = np.minimum(np.ceil(placed.max(axis=0)).astype(int) + 1, image.shape[1::-1])
    if np.any(high <= low):
        return
    window = (int(low[0]), int(low[1]), int(high[0]), int(high[1]))
    layer = _warp(pixels, matrix, window)
    part = image[window[1] : window[3], window[0] : window[2]]
    alpha = layer[..., 3]
    if shadow:
        keep = cv2.convertScaleAbs(alpha, alpha=-0.45, beta=0)
        keep = cv2.subtract(np.full_like(alpha, 255), keep)
    else:
        keep = cv2.bitwise_not(alpha)
    dimmed = cv2.multiply(part, cv2.merge([keep, keep, keep]), scale=1 / 255)
    part[:] = dimmed if shadow else cv2.add(dimmed, np.ascontiguousarray(layer[..., :3]))
