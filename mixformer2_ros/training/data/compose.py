# Copyright 2026 mixformer2_ros contributors
# SPDX-License-Identifier: Apache-2.0
"""Paints crops directly: a background and objects, each put in place by one affine warp.

Whole frames are never rendered. All coordinates are pixels of the crop, x to the right and y down,
with (0, 0) the outer corner of the first pixel; affine maps are (2, 3) float64 from object (or
background) coordinates to crop coordinates.
"""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from mixformer2_ros.scenes.view import centred

Image = NDArray[np.uint8]
Affine = NDArray[np.float64]

_MAX_CUTOUT_SIDE = 224
_LEVELS = 4


@dataclass(frozen=True)
class Cutout:
    """An object without its surroundings.

    Attributes:
        levels: (h, w, 4) uint8 images, RGB premultiplied by alpha; each level half the size of
            the one before, so that a small copy does not alias.
        hull: (N, 2) float64, corners of the convex hull of the opaque part, in pixels of level 0.
    """

    levels: tuple[Image, ...]
    hull: NDArray[np.float64]


def make_cutout(rgba: Image) -> Cutout:
    """Prepare an object for painting.

    Args:
        rgba: (h, w, 4) uint8, RGB not premultiplied.

    Raises:
        ValueError: Nothing in it is opaque.
    """
    scale = _MAX_CUTOUT_SIDE / max(rgba.shape[:2])
    alpha = rgba[..., 3:].astype(np.uint16)
    level = np.dstack([(rgba[..., :3] * alpha // 255).astype(np.uint8), rgba[..., 3]])
    if scale < 1.0:
        level = cv2.resize(level, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA)
    opaque = level[..., 3] > 127
    rows = np.flatnonzero(opaque.any(axis=1))
    if len(rows) == 0:
        raise ValueError("an object has no opaque pixel")
    first = opaque[rows].argmax(axis=1)
    last = opaque.shape[1] - opaque[rows, ::-1].argmax(axis=1)
    corners = [np.stack([x, rows + y], axis=1) for x in (first, last) for y in (0, 1)]
    hull = cv2.convexHull(np.concatenate(corners).astype(np.int32))[:, 0].astype(np.float64)
    # A transparent margin lets the bilinear warp fade the edge out.
    level = cv2.copyMakeBorder(level, 1, 1, 1, 1, cv2.BORDER_CONSTANT, value=(0, 0, 0, 0))
    levels = [level]
    while len(levels) < _LEVELS and min(levels[-1].shape[:2]) >= 8:
        height, width = levels[-1].shape[:2]
        half = ((width + 1) // 2, (height + 1) // 2)
        levels.append(cv2.resize(levels[-1], half, interpolation=cv2.INTER_AREA))
    return Cutout(tuple(levels), hull + 1.0)


def recoloured(cutout: Cutout, order: tuple[int, int, int]) -> Cutout:
    """Return the same object with its colour channels exchanged: a twin in another colour."""
    return Cutout(tuple(level[..., [*order, 3]] for level in cutout.levels), cutout.hull)


def extent(hull: NDArray[np.float64], affine: Affine) -> NDArray[np.float64]:
    """Return the box x1, y1, x2, y2 of a hull (N, 2) after an affine map."""
    points = hull @ affine[:, :2].T + affine[:, 2]
    return np.concatenate([points.min(axis=0), points.max(axis=0)])


def place(
    hull: NDArray[np.float64], linear: NDArray[np.float64], size: float, centre: NDArray[np.float64]
) -> Affine:
    """Return the map that gives a hull a size and puts the centre of its box at a point.

    Args:
        hull: (N, 2) corners in object coordinates.
        linear: (2, 2) rotation, shear and aspect.
        size: Wanted sqrt(width * height) of the box, pixels.
        centre: (2,) wanted centre of the box, pixels.
    """
    x1, y1, x2, y2 = extent(hull, np.column_stack([linear, np.zeros(2)]))
    scale = size / np.sqrt((x2 - x1) * (y2 - y1))
    middle = np.array([x1 + x2, y1 + y2]) / 2 * scale
    return np.column_stack([linear * scale, centre - middle])


def _warp(image: Image, affine: Affine, width: int, height: int, border: int) -> Image:
    matrix = centred(affine)
    return np.asarray(
        cv2.warpAffine(image, matrix, (width, height), flags=cv2.INTER_LINEAR, borderMode=border)
    )


def paint_background(image: Image, affine: Affine, size: int, mirrored: bool) -> Image:
    """Return a crop (size, size, 3) of a background (H, W, 3).

    Args:
        image: Background, uint8 RGB.
        affine: Background to crop.
        size: Side of the crop, pixels.
        mirrored: Go on mirrored beyond the background's edge; black otherwise.
    """
    scale = float(np.sqrt(abs(np.linalg.det(affine[:, :2]))))
    halvings = int(np.clip(np.floor(-np.log2(max(scale, 1e-6)) + 0.3), 0, 4))
    if halvings:  # Shrink by area first: a bilinear warp alone would alias.
        height, width = image.shape[:2]
        # By a power of two, for which OpenCV is several times faster.
        small = (max(1, width >> halvings), max(1, height >> halvings))
        image = np.asarray(cv2.resize(image, small, interpolation=cv2.INTER_AREA))
        affine = affine.copy()
        affine[:, 0] *= width / small[0]
        affine[:, 1] *= height / small[1]
    border = cv2.BORDER_REFLECT_101 if mirrored else cv2.BORDER_CONSTANT
    return _warp(image, affine, size, size, border)


def paint(canvas: Image, cutout: Cutout, affine: Affine) -> None:
    """Paint an object over a crop, in place.

    Args:
        canvas: (H, W, 3) uint8 RGB.
        cutout: The object.
        affine: Object (level 0) to crop.
    """
    scale = float(np.sqrt(abs(np.linalg.det(affine[:, :2]))))
    index = int(np.clip(np.floor(-np.log2(max(scale, 1e-6)) + 0.3), 0, len(cutout.levels) - 1))
    level = cutout.levels[index]
    height, width = level.shape[:2]
    full_height, full_width = cutout.levels[0].shape[:2]
    corners = np.array([[0, 0], [1, 0], [0, 1], [1, 1]]) * (full_width, full_height)
    box = extent(corners, affine)
    x1, y1 = np.maximum(np.floor(box[:2]).astype(int), 0)
    x2, y2 = np.minimum(np.ceil(box[2:]).astype(int), [canvas.shape[1], canvas.shape[0]])
    if x2 <= x1 or y2 <= y1:
        return
    local = affine * np.array([full_width / width, full_height / height, 1.0])
    local[:, 2] -= (x1, y1)
    patch = _warp(level, local, x2 - x1, y2 - y1, cv2.BORDER_CONSTANT)
    below = canvas[y1:y2, x1:x2]
    kept = cv2.multiply(below, cv2.cvtColor(255 - patch[..., 3], cv2.COLOR_GRAY2RGB), scale=1 / 255)
    canvas[y1:y2, x1:x2] = cv2.add(kept, np.ascontiguousarray(patch[..., :3]))
