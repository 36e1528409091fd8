# Copyright 2026 mixformer2_ros contributors
# SPDX-License-Identifier: Apache-2.0
"""Samples with a painted target: an object moves over a background among distractors."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from mixformer2_ros.scenes.outlines import rotation
from mixformer2_ros.training.data.compose import (
    Cutout,
    extent,
    paint,
    paint_background,
    place,
    recoloured,
)
from mixformer2_ros.training.data.photometric import Camera, draw_camera, photograph
from mixformer2_ros.training.data.samples import (
    MIN_VISIBLE,
    Sample,
    Sampling,
    fraction_box,
    pick,
    place_target,
)

Image = NDArray[np.uint8]

_PLAIN_LIGHT = 0.35
_CHANNEL_ORDERS = ((1, 2, 0), (2, 0, 1), (2, 1, 0), (1, 0, 2))


@dataclass(frozen=True)
class _Scene:
    """What all views of one sample share."""

    target: Cutout
    shape: NDArray[np.float64]  # (2, 2) the target's first pose
    agility: float  # how much its pose changes between views
    background: Image
    anchor: NDArray[np.float64]  # (2,) background point under the target at first, pixels
    pixels_per_size: float  # background pixels per target size
    travel: float  # how far the target moves over the background between views, target sizes
    distractors: list[Cutout]
    camera: Camera | None  # None takes perfect pictures
    mirrored: bool  # the background goes on mirrored beyond its edge


def pasted_sample(
    rng: np.random.Generator,
    objects: Sequence[Cutout],
    backgrounds: Sequence[Image],
    sampling: Sampling,
    plain: bool = False,
) -> Sample:
    """Paint a sample.

    Args:
        rng: Source of randomness.
        objects: Targets, distractors and occluders are drawn from these.
        backgrounds: uint8 RGB images.
        sampling: Number, size and placing of the crops, share of those without the target.
        plain: Neither distractors nor occluders, nor edges of the image, a perfect camera, and a
            background in the dark.
    """
    scene = _draw_scene(rng, objects, backgrounds, plain)
    variant = sampling.variant
    size = variant.template_size / variant.template_factor
    middle = np.full(2, variant.template_size / 2)
    templates = [_view(rng, scene, variant.template_size, size, middle, still=True)]
    if rng.random() < 0.4:
        templates.append(templates[0])
    else:  # The online template is cut around a tracked box, which is a little off.
        off = middle + rng.normal(0.0, 0.04, 2) * size
        templates.append(
            _view(rng, scene, variant.template_size, size * np.exp(rng.normal(0.0, 0.05)), off)
        )
    views = []
    for _ in range(sampling.searches):
        search_size, centre = place_target(rng, sampling.jitter, variant)
        absent = rng.random() < sampling.absent_share
        views.append(
            _view(rng, scene, variant.search_size, search_size, centre, busy=True, absent=absent)
        )
    return Sample(
        np.stack([view[0] for view in templates]),
        np.stack([view[0] for view in views]),
        np.stack([view[1] for view in views]),
        np.array([view[2] for view in views]),
    )


def _pose(rng: np.random.Generator, amount: float) -> NDArray[np.float64]:
    angle = rng.normal(0.0, 0.3 * amount)
    aspect = np.exp(rng.normal(0.0, 0.12 * amount))
    shear = rng.normal(0.0, 0.12 * amount)
    return rotation(angle) @ np.array([[aspect, shear], [0.0, 1.0 / aspect]])


def _draw_scene(
    rng: np.random.Generator, objects: Sequence[Cutout], backgrounds: Sequence[Image], plain: bool
) -> _Scene:
    target = pick(rng, objects)
    distractors = [pick(rng, objects) for _ in range(0 if plain else rng.integers(0, 4))]
    if not plain and rng.random() < 0.3:
        distractors.append(recoloured(target, pick(rng, _CHANNEL_ORDERS)))
    background = pick(rng, backgrounds)
    height, width = background.shape[:2]
    return _Scene(
        target=target,
        shape=_pose(rng, 0.7),
        agility=float(rng.choice([0.2, 0.5, 1.0])),
        background=background,
        anchor=rng.uniform(0.1, 0.9, 2) * (width, height),
        pixels_per_size=float(np.exp(rng.uniform(np.log(25), np.log(110)))),
        travel=float(rng.choice([0.0, 0.4, 1.5, 6.0])),
        distractors=distractors,
        camera=None if plain else draw_camera(rng),
        mirrored=bool(rng.random() < 0.85),
    )


def _view(
    rng: np.random.Generator,
    scene: _Scene,
    side: int,
    size: float,
    centre: NDArray[np.float64],
    *,
    still: bool = False,
    busy: bool = False,
    absent: bool = False,
) -> tuple[Image, NDArray[np.float32], bool]:
    """Paint one crop; return it, the target's box in it and whether the target is visible."""
    canvas = _backdrop(rng, scene, side, size, centre, 0.0 if still else scene.travel)
    if scene.camera is None:
        canvas = cv2.convertScaleAbs(canvas, alpha=_PLAIN_LIGHT)
    linear = scene.shape if still else _pose(rng, scene.agility) @ scene.shape
    affine = place(scene.target.hull, linear, size, centre)
    box = extent(scene.target.hull, affine)
    for distractor in scene.distractors:
        if rng.random() < (0.7 if busy else 0.2):
            _paint_beside(rng, canvas, distractor, size, box)
    if not absent:
        paint(canvas, scene.target, affine)
    covered = 0.0
    if busy and rng.random() < 0.2:
        covered = _occlude(rng, canvas, scene, size, box)
    image, inside = canvas, 1.0
    if scene.camera is not None:
        if rng.random() < 0.1:
            box, inside = _edge_of_image(rng, canvas, box, centre)
        image = photograph(rng, scene.camera, canvas, size)
    fractions, in_crop = fraction_box(box, side)
    visible = not absent and inside * in_crop * (1.0 - covered) > MIN_VISIBLE
    return image, fractions if visible else np.zeros(4, np.float32), visible


def _backdrop(
    rng: np.random.Generator,
    scene: _Scene,
    side: int,
    size: float,
    centre: NDArray[np.float64],
    travel: float,
) -> Image:
    turn = rng.normal(0.0, 0.03) if travel else 0.0
    scale = size / scene.pixels_per_size * (np.exp(rng.normal(0.0, 0.04)) if travel else 1.0)
    linear = scale * rotation(turn)
    anchor = scene.anchor + rng.normal(0.0, 1.0, 2) * travel * scene.pixels_per_size
    limit = np.array(scene.background.shape[1::-1], np.float64)
    anchor = np.clip(anchor, 0.05 * limit, 0.95 * limit)
    affine = np.column_stack([linear, centre - linear @ anchor])
    return paint_background(scene.background, affine, side, scene.mirrored)


def _paint_beside(
    rng: np.random.Generator, canvas: Image, cutout: Cutout, size: float, box: NDArray[np.float64]
) -> None:
    """Paint an object that may touch the target's box but does not hide in it."""
    other = size * np.exp(rng.normal(0.0, 0.3))
    for _ in range(4):
        centre = rng.uniform(0, canvas.shape[0], 2)
        gap = np.abs(centre - (box[:2] + box[2:]) / 2) - (box[2:] - box[:2]) / 2
        if gap.max() > 0.35 * other:
            paint(canvas, cutout, place(cutout.hull, _pose(rng, 1.0), other, centre))
            return


def _occlude(
    rng: np.random.Generator,
    canvas: Image,
    scene: _Scene,
    size: float,
    box: NDArray[np.float64],
) -> float:
    """Paint something over a part of the target; return the covered share of its box, about."""
    if not scene.distractors:
        return 0.0
    occluder = pick(rng, scene.distractors)
    centre = rng.uniform(box[:2], box[2:])
    affine = place(occluder.hull, _pose(rng, 1.0), size * rng.uniform(0.4, 1.3), centre)
    paint(canvas, occluder, affine)
    over = extent(occluder.hull, affine)
    shared = np.minimum(over[2:], box[2:]) - np.maximum(over[:2], box[:2])
    return 0.75 * float(np.prod(np.maximum(shared, 0.0)) / np.prod(box[2:] - box[:2]))


def _edge_of_image(
    rng: np.random.Generator,
    canvas: Image,
    box: NDArray[np.float64],
    centre: NDArray[np.float64],
) -> tuple[NDArray[np.float64], float]:
    """Black out what lies beyond an edge of the image; return the visible box and its share."""
    side = canvas.shape[0]
    axis = int(rng.integers(2))
    half = (box[2 + axis] - box[axis]) / 2
    reach = half * rng.uniform(-0.5, 3.0)
    view = canvas if axis == 1 else canvas.swapaxes(0, 1)
    clipped = box.copy()
    if rng.random() < 0.5:
        limit = int(np.clip(round(centre[axis] - reach), 0, side))
        view[:limit] = 0
        clipped[axis] = max(box[axis], limit)
    else:
        limit = int(np.clip(round(centre[axis] + reach), 0, side))
        view[limit:] = 0
        clipped[axis + 2] = min(box[axis + 2], limit)
    return clipped, float((clipped[axis + 2] - clipped[axis]) / (2 * half))
