# Copyright 2026 mixformer2_ros contributors
# SPDX-License-Identifier: Apache-2.0
"""What lies behind the target: a picture, the camera's motion over it, and the image's edge."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from mixformer2_ros.scenes.batched.atlas import Atlas
from mixformer2_ros.scenes.batched.cast import Cast
from mixformer2_ros.scenes.batched.description import Views
from mixformer2_ros.scenes.batched.poses import Target
from mixformer2_ros.scenes.batched.tape import Tape
from mixformer2_ros.scenes.batched.warp import Warp, projected, still_waves, turned

Floats = NDArray[np.float64]
Indices = NDArray[np.int64]

_BOUNDED = 0.15


@dataclass(frozen=True)
class Surroundings:
    """The picture behind each view.

    Attributes:
        pictures: (G, V) picture.
        warps: (G, V) from the picture's units to the crop.
        marked: (G, V) bool, it shows the target.
        bounds: (G, V, 4) x1, y1, x2, y2 where the image ends, pixels, infinite where it does not.
    """

    pictures: Indices
    warps: Warp
    marked: NDArray[np.bool_]
    bounds: Floats


def draw_surroundings(
    tape: Tape, atlas: Atlas, cast: Cast, views: Views, target: Target, edges: Floats
) -> Surroundings:
    """Choose the pictures and where in them the target is.

    Args:
        tape: Source of randomness.
        atlas: The material.
        cast: Who plays.
        views: The crops.
        target: The target; where a picture shows it, that picture moves with it.
        edges: (G,) share of the search crops in which the image ends near the target.
    """
    count = len(views.sides)
    decoys = tape.pick(atlas.pictures.weights, count)
    scenery = np.where(cast.tracks[:, None] >= 0, decoys, tape.pick(atlas.pictures.weights, 1))
    scenery_warps, anchors = _draw_scenery(tape, cast, views, atlas.pictures.half[scenery])
    marked = (target.marks >= 0) & ~views.absent
    half = atlas.pictures.half[scenery]
    ends = np.concatenate([-half, half], axis=-1)
    ends[~tape.chance(_BOUNDED)] *= np.inf
    pictures = scenery
    if marked.any():
        pictures = np.where(marked, atlas.tracks.pictures[target.marks], scenery)
        ends = np.where(marked[..., None], atlas.tracks.bounds[target.marks], ends)
        outlines = atlas.tracks.outlines[target.marks]
        anchors = np.where(marked[..., None], outlines.mean(axis=-2), anchors)
    warps = _where(marked, target.warps, scenery_warps)
    bounds = _bounds(warps, anchors, ends)
    return Surroundings(pictures, warps, marked, _cut(tape, views, target, bounds, edges))


def _draw_scenery(tape: Tape, cast: Cast, views: Views, half: Floats) -> tuple[Warp, Floats]:
    """Draw how the camera sees a picture, and the point of it (G, V, 2) behind the target."""
    count = len(views.sides)
    unit = tape.log_uniform(0.12, 0.45)[:, None]  # the target's size in units of the picture
    travel = tape.choose((0.0, 0.4, 1.5, 6.0))[:, None, None]
    moves = travel > 0
    room = np.maximum(half - 0.6 * unit[..., None], 0.1)
    start = (tape.uniform(1, 2) * 2 - 1) * room[:, :1]
    route = tape.normal(1, 2) * views.times[..., None] + 0.3 * tape.normal(count, 2)
    route = np.where(np.arange(count)[:, None] > 0, route, 0.0)
    anchors = np.clip(start + travel * unit[..., None] * route, -half, half)
    angle = tape.normal(1) * 0.08 + moves[..., 0] * tape.normal(count) * 0.03
    linear = turned(angle, np.ones_like(angle), np.zeros_like(angle))
    linear = linear * np.stack([cast.mirror, np.ones_like(cast.mirror)], axis=-1)[:, None, None, :]
    tilt = tape.normal(1, 2) * 0.06 + moves * tape.normal(count, 2) * 0.03
    tilt = np.clip(tilt, -0.2, 0.2)
    scale = views.sizes / unit * np.exp(moves[..., 0] * tape.normal(count) * 0.04)
    waves = still_waves(scale.shape)
    seen = projected(anchors[..., None, :], linear, tilt, waves)[..., 0, :]
    return Warp(linear, tilt, waves, scale, views.centres - scale[..., None] * seen), anchors


def _where(condition: NDArray[np.bool_], one: Warp, other: Warp) -> Warp:
    def chosen(first: Floats, second: Floats) -> Floats:
        wide = condition.reshape(*condition.shape, *(1,) * (first.ndim - condition.ndim))
        return np.where(wide, first, second)

    return Warp(
        chosen(one.linear, other.linear),
        chosen(one.tilt, other.tilt),
        chosen(one.waves, other.waves),
        chosen(one.scale, other.scale),
        chosen(one.shift, other.shift),
    )


def _bounds(warps: Warp, anchors: Floats, ends: Floats) -> Floats:
    """Map where pictures end, (G, V, 4) units, to upright edges in the crop.

    An edge is mapped where it is next to the anchor; with a turned picture it is upright all the
    same, as the edge of an image always is.
    """
    finite = np.isfinite(ends)
    reach = np.where(finite, ends, 0.0)
    x, y = anchors[..., 0], anchors[..., 1]
    points = np.stack(
        [
            np.stack([reach[..., 0], y], axis=-1),
            np.stack([x, reach[..., 1]], axis=-1),
            np.stack([reach[..., 2], y], axis=-1),
            np.stack([x, reach[..., 3]], axis=-1),
        ],
        axis=-2,
    )
    seen = warps.forward(points)
    edges = np.stack([seen[..., 0, 0], seen[..., 1, 1], seen[..., 2, 0], seen[..., 3, 1]], axis=-1)
    flipped = (warps.linear[..., 0, 0] < 0)[..., None]
    order = np.where(flipped, [2, 1, 0, 3], [0, 1, 2, 3])
    edges = np.take_along_axis(edges, order, axis=-1)
    finite = np.take_along_axis(finite, order, axis=-1)
    return np.where(finite, edges, [-np.inf, -np.inf, np.inf, np.inf])


def _cut(tape: Tape, views: Views, target: Target, bounds: Floats, shares: Floats) -> Floats:
    """Let the image end near the target, on one side, in a share (G,) of the search crops."""
    count = len(views.sides)
    half = (target.boxes[..., 2:] - target.boxes[..., :2]) / 2
    reach = half * tape.uniform(count, 2, low=-0.5, high=3.0)
    cut = np.concatenate([views.centres - reach, views.centres + reach], axis=-1)
    side = tape.integers(4, count)
    here = (tape.uniform(count) < shares[:, None]) & (np.arange(count) >= 2)
    chosen = here[..., None] & (np.arange(4) == side[..., None])
    low = np.where(chosen[..., :2], np.maximum(bounds[..., :2], cut[..., :2]), bounds[..., :2])
    high = np.where(chosen[..., 2:], np.minimum(bounds[..., 2:], cut[..., 2:]), bounds[..., 2:])
    return np.round(np.concatenate([low, high], axis=-1))
