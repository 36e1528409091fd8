# Copyright 2026 mixformer2_ros contributors
# SPDX-License-Identifier: Apache-2.0
"""Samples cut out of real pictures: frames of a video, or one photograph seen twice."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from mixformer2_ros.training.data.compose import extent, paint_background
from mixformer2_ros.training.data.corpus import Clip, Photo
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
Box = NDArray[np.float64]

_MIN_SIDE = 8.0
# Pixels around what is seen, for the resampling.
_MARGIN = 16


def video_sample(
    rng: np.random.Generator,
    clips: Sequence[Clip],
    weights: NDArray[np.float64] | None,
    sampling: Sampling,
) -> Sample:
    """Cut a sample out of a video: every crop around the target's own box in its frame.

    Args:
        rng: Source of randomness.
        clips: The videos; each has a track with two usable boxes.
        weights: (len(clips),) share of each; equal without.
        sampling: Number, size and placing of the crops; those without the target are taken from
            another video.
    """
    chosen = int(rng.choice(len(clips), p=weights))
    clip = clips[chosen]
    usable = usable_boxes(clip)
    track = int(rng.choice(np.flatnonzero(usable.sum(axis=1) >= 2)))
    frames = np.flatnonzero(usable[track])
    picks = rng.choice(frames, 2 + sampling.searches)
    camera = draw_camera(rng)
    views = [(clip.frames[frame], clip.tracks[track, frame]) for frame in picks]
    if rng.random() < 0.4:
        views[1] = views[0]
    others = [other for index, other in enumerate(clips) if index != chosen]
    share = sampling.absent_share if others else 0.0
    decoys: list[Image | None] = [
        pick(rng, others).frames[0] if rng.random() < share else None
        for _ in range(sampling.searches)
    ]
    return _cut(rng, views, decoys, camera, sampling)


def photo_sample(
    rng: np.random.Generator,
    photos: Sequence[Photo],
    sampling: Sampling,
) -> Sample:
    """Cut a sample out of one photograph: a labelled object, or just any rectangle of it.

    A rectangle is no object, but to find it again one has to match, which is what a tracker
    must learn.
    """
    photo = pick(rng, photos)
    if len(photo.boxes) and rng.random() < 0.7:
        box = photo.boxes[rng.integers(len(photo.boxes))]
    else:
        box = any_rectangle(rng, photo.image)
    views = [(photo.image, box)] * (2 + sampling.searches)
    decoys: list[Image | None] = [
        pick(rng, photos).image if rng.random() < sampling.absent_share else None
        for _ in range(sampling.searches)
    ]
    return _cut(rng, views, decoys, draw_camera(rng), sampling)


def usable_boxes(clip: Clip) -> NDArray[np.bool_]:
    """Return (objects, frames): where a target is visible and large enough to be of use."""
    sides = np.nan_to_num(clip.tracks[..., 2:], nan=0.0)
    return np.asarray(sides.min(axis=-1) >= _MIN_SIDE)


def any_rectangle(rng: np.random.Generator, image: Image) -> Box:
    """Return a rectangle x, y, w, h somewhere in an image, of a size as targets have."""
    height, width = image.shape[:2]
    size = rng.uniform(0.12, 0.35) * min(height, width)
    aspect = np.exp(rng.normal(0.0, 0.35))
    sides = np.minimum(size * np.array([aspect, 1.0 / aspect]), 0.9 * np.array([width, height]))
    corner = rng.random(2) * (np.array([width, height]) - sides)
    return np.concatenate([corner, sides])


def _cut(
    rng: np.random.Generator,
    views: Sequence[tuple[Image, Box]],
    decoys: Sequence[Image | None],
    camera: Camera,
    sampling: Sampling,
) -> Sample:
    """Cut two templates and the search crops out of `views`, in this order, or out of decoys."""
    variant = sampling.variant
    side = variant.template_size
    size = side / variant.template_factor
    middle = np.full(2, side / 2)
    templates = [
        _crop(rng, camera, image, box, side, size, middle, 0.0)[0] for image, box in views[:2]
    ]
    side = variant.search_size
    searches, boxes, present = [], [], []
    for (image, box), decoy in zip(views[2:], decoys, strict=True):
        size, centre = place_target(rng, sampling.jitter, variant)
        seen = (image, box) if decoy is None else (decoy, any_rectangle(rng, decoy))
        crop, found = _crop(rng, camera, *seen, side, size, centre, 0.05)
        fractions, share = fraction_box(found, side)
        visible = decoy is None and share > MIN_VISIBLE
        searches.append(crop)
        boxes.append(fractions if visible else np.zeros(4, np.float32))
        present.append(visible)
    return Sample(np.stack(templates), np.stack(searches), np.stack(boxes), np.array(present))


def _crop(
    rng: np.random.Generator,
    camera: Camera,
    image: Image,
    box: Box,
    side: int,
    size: float,
    centre: NDArray[np.float64],
    stretch: float,
) -> tuple[Image, Box]:
    """Cut around a box and take a picture of what is seen; return crop and x1, y1, x2, y2."""
    aspect = float(np.exp(rng.normal(0.0, stretch))) if stretch else 1.0
    crop, found = cut_out(image, box, side, size, centre, aspect)
    return photograph(rng, camera, crop, size), found


def cut_out(
    image: Image,
    box: Box,
    side: int,
    size: float,
    centre: NDArray[np.float64],
    aspect: float = 1.0,
) -> tuple[Image, Box]:
    """Cut around a box so that it gets a size and a place in the crop; black beyond the image.

    Args:
        image: (H, W, 3) uint8 RGB.
        box: (4,) x, y, w, h in pixels of the image.
        side: Side of the crop, pixels.
        size: sqrt(width * height) of the box in the crop, pixels.
        centre: (2,) centre of the box in the crop, pixels.
        aspect: Factor of the box's width, and divisor of its height.

    Returns:
        The crop (side, side, 3) and the box x1, y1, x2, y2 in it, not clipped.
    """
    linear = size / np.sqrt(box[2] * box[3]) * np.diag([aspect, 1.0 / aspect])
    affine = np.column_stack([linear, centre - linear @ (box[:2] + box[2:] / 2)])
    corners = np.array([box[:2], box[:2] + box[2:]])
    found = extent(corners, affine)
    # Of a large frame, only what is seen is worth resizing.
    seen = np.linalg.inv(linear) @ (np.array([[0.0, side]] * 2) - affine[:, 2:])
    low = np.clip(np.floor(seen[:, 0]) - _MARGIN, 0, None).astype(int)
    high = (np.ceil(seen[:, 1]) + _MARGIN).astype(int)
    part = image[low[1] : max(high[1], 0), low[0] : max(high[0], 0)]
    if not part.size:
        return np.zeros((side, side, 3), np.uint8), found
    affine[:, 2] += linear @ low
    return paint_background(part, affine, side, mirrored=False), found
