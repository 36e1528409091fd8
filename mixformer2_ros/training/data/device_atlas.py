# Copyright 2026 mixformer2_ros contributors
# SPDX-License-Identifier: Apache-2.0
"""Puts the raw material of training on the device: objects, pictures and marked targets."""

from __future__ import annotations

import logging
from collections.abc import Sequence

import numpy as np
import torch
from numpy.typing import NDArray

from mixformer2_ros.scenes.batched.atlas import (
    PICTURE_SIDE,
    Atlas,
    Mark,
    make_noise,
    noise_picture,
    pack_pictures,
    pack_sprites,
    pack_tracks,
)
from mixformer2_ros.training.data.config import DataConfig
from mixformer2_ros.training.data.corpus import Clip
from mixformer2_ros.training.data.dataset import clip_weight
from mixformer2_ros.training.data.pairs import any_rectangle, usable_boxes
from mixformer2_ros.training.data.pools import Pools

_LOG = logging.getLogger(__name__)

Image = NDArray[np.uint8]
Floats = NDArray[np.float64]

# Side of the part of a frame that is kept around a target, in target sizes.
_WINDOW = 9.0
_NOISE_PICTURES = 0.1
# A target larger than this, in units of its photograph, is shown more seldom: around it there is
# little to see but the black beyond the edge.
_FILLING, _SELDOM = 0.8, 0.3
_RECTANGLES = 0.3
# How often each kind of picture is a background.
_SHARES = {"photos": 0.55, "painted": 0.35, "noise": 0.05, "frames": 0.05}
_BEYOND = np.array([-np.inf, -np.inf, np.inf, np.inf])


class _Collector:
    """Gathers pictures, and the targets that they show."""

    def __init__(self) -> None:
        self.images: list[Image] = []
        self.kinds: list[str] = []
        self.tracks: list[list[Mark]] = []
        self.weights: list[float] = []

    def picture(self, image: Image, kind: str) -> int:
        self.images.append(image)
        self.kinds.append(kind)
        return len(self.images) - 1

    def track(self, marks: list[Mark], weight: float) -> None:
        self.tracks.append(marks)
        self.weights.append(weight)

    def picture_weights(self) -> Floats:
        counts = {kind: self.kinds.count(kind) for kind in set(self.kinds)}
        return np.array([_SHARES[kind] / counts[kind] for kind in self.kinds])


def build_atlas(
    pools: Pools,
    config: DataConfig,
    seed: int,
    device: torch.device,
    picture_side: int = PICTURE_SIDE,
) -> Atlas:
    """Put the pools on a device.

    Args:
        pools: The material in memory; there must be some object and some picture.
        config: Weights of the sources; the published sets stay on the host.
        seed: Decides the pictures of noise and the rectangles of photographs.
        device: Where to.
        picture_side: Side of a picture there, pixels.

    Raises:
        ValueError: There are no objects.
    """
    rng = np.random.default_rng((seed, 3))
    cells = [(pools.sprites, config.procedural), (pools.cutouts, config.cutouts)]
    objects = [cutout.levels[0] for cutouts, _ in cells for cutout in cutouts]
    # Without a weight they are no targets, but they are distractors still.
    shares = [max(weight, 1e-6) / len(cutouts) for cutouts, weight in cells for _ in cutouts]
    found = _Collector()
    for image in pools.backgrounds:
        found.picture(image, "painted")
    for number in range(max(1, round(_NOISE_PICTURES * len(pools.backgrounds)))):
        found.picture(noise_picture(seed * 10_007 + number, picture_side), "noise")
    _add_photos(found, rng, pools, config.photos)
    names = [clip_weight(clip.name, config.video_weights) for clip in pools.clips]
    _add_clips(found, pools.clips, np.array(names), config.videos)
    _add_clips(found, pools.scenes, np.ones(len(pools.scenes)), config.scenes)
    atlas = Atlas(
        pack_sprites(objects, np.array(shares), device),
        pack_pictures(found.images, found.picture_weights(), device, picture_side),
        pack_tracks(found.tracks, np.array(found.weights)),
        make_noise(device),
    )
    _LOG.info(
        "%d objects, %d pictures and %d targets that they show: %.0f MB on %s",
        len(objects),
        len(found.images),
        len(found.tracks),
        atlas.bytes / 1e6,
        device,
    )
    return atlas


def _add_photos(found: _Collector, rng: np.random.Generator, pools: Pools, share: float) -> None:
    """Add photographs, with a track for each labelled object and for one rectangle of each."""
    labelled = sum(len(photo.boxes) for photo in pools.photos)
    for photo in pools.photos:
        picture = found.picture(photo.image, "photos")
        half = _half(photo.image)
        bounds = np.concatenate([-half, half])
        box = _units(any_rectangle(rng, photo.image), photo.image)
        rectangles = _RECTANGLES if labelled else 1.0
        found.track([Mark(picture, box, bounds)], share * rectangles / len(pools.photos))
        for box in photo.boxes:
            marked = Mark(picture, _units(box, photo.image), bounds)
            seldom = _SELDOM if np.sqrt(np.prod(marked.box[2:] - marked.box[:2])) > _FILLING else 1
            found.track([marked], share * (1 - _RECTANGLES) * seldom / labelled)


def _add_clips(found: _Collector, clips: Sequence[Clip], weights: Floats, share: float) -> None:
    """Add the surroundings of each target in each frame, one track for each target."""
    for clip, weight in zip(clips, weights / max(weights.sum(), 1e-9), strict=True):
        usable = usable_boxes(clip)
        objects = np.flatnonzero(usable.sum(axis=1) >= 2)
        for number in objects:
            frames = np.flatnonzero(usable[number])
            marks = [_mark(found, clip.frames[at], clip.tracks[number, at]) for at in frames]
            found.track(marks, share * weight / len(objects))


def _mark(found: _Collector, frame: Image, box: Floats) -> Mark:
    """Cut the surroundings of a box x, y, w, h out of a frame, and mark it there."""
    limit = np.array(frame.shape[1::-1])
    centre, reach = box[:2] + box[2:] / 2, _WINDOW / 2 * np.sqrt(box[2] * box[3])
    low = np.clip(np.floor(centre - reach), 0, limit - 1).astype(int)
    high = np.clip(np.ceil(centre + reach), low + 1, limit).astype(int)
    part = frame[low[1] : high[1], low[0] : high[0]]
    half = _half(part)
    ends = np.concatenate([low == 0, high == limit])
    bounds = np.where(ends, np.concatenate([-half, half]), _BEYOND)
    moved = np.concatenate([box[:2] - low, box[2:]])
    return Mark(found.picture(part, "frames"), _units(moved, part), bounds)


def _half(image: Image) -> Floats:
    sides = np.array(image.shape[1::-1], np.float64)
    return np.asarray(sides / sides.max())


def _units(box: Floats, image: Image) -> Floats:
    """Return a box x, y, w, h in pixels of an image as x1, y1, x2, y2 in its units."""
    corners = np.concatenate([box[:2], box[:2] + box[2:]])
    sides = np.array(image.shape[1::-1] * 2)
    return np.asarray((2.0 * corners - sides) / sides.max())
