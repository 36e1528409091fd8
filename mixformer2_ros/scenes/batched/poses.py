# Copyright 2026 mixformer2_ros contributors
# SPDX-License-Identifier: Apache-2.0
"""How target and others are turned, stretched, tilted and bent in each view."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from mixformer2_ros.scenes.batched.atlas import Atlas
from mixformer2_ros.scenes.batched.cast import DISTRACTORS, OBJECTS, Cast
from mixformer2_ros.scenes.batched.description import Views
from mixformer2_ros.scenes.batched.tape import Tape
from mixformer2_ros.scenes.batched.warp import WAVES, Warp, place, still_waves, turned

Floats = NDArray[np.float64]
Indices = NDArray[np.int64]

_CANDIDATES = 4
# Least gap between the target's box and the middle of a distractor, in sizes of the distractor: it
# lies behind a painted target, but before one that a picture shows.
_APART, _WELL_APART = 0.35, 0.9
_MAX_TILT = 0.3


@dataclass(frozen=True)
class Target:
    """The target in each view.

    Attributes:
        warps: (G, V) of the object, or of the picture that shows it.
        marks: (G, V) mark of the track; -1 where the target is painted.
        areas: (G, V) its whole area, pixels.
        boxes: (G, V, 4) its box x1, y1, x2, y2, pixels; only about, where it is painted.
    """

    warps: Warp
    marks: Indices
    areas: Floats
    boxes: Floats


@dataclass(frozen=True)
class Others:
    """Further objects in each view.

    Attributes:
        objects: (n,) which object of the sample.
        warps: (G, V, n).
        there: (G, V, n) bool, it is painted.
    """

    objects: Indices
    warps: Warp
    there: NDArray[np.bool_]

    def without(self, samples: NDArray[np.bool_]) -> Others:
        """Return the same without any object in some samples (first axis)."""
        return replace(self, there=self.there & ~samples[:, None, None])


def draw_target(tape: Tape, atlas: Atlas, cast: Cast, views: Views) -> Target:
    """Draw the target's motion: from one pose to another over time, and some unrest."""
    marks = _draw_marks(tape, atlas, cast, len(views.sides))
    marked = marks >= 0
    agility = tape.choose((0.2, 0.5, 1.0))[:, None]
    # What is known by a box alone is turned little: its true outline is not known.
    loose = np.where(marked, 0.25, 1.0)

    def course(start: float, change: float, unrest: float, *shape: int) -> Floats:
        times = views.times.reshape(*views.times.shape, *(1 for _ in shape))
        moved = change * times * tape.normal(1, *shape)
        shaky = unrest * tape.normal(len(views.sides), *shape)
        moved = agility.reshape(times[:, :1].shape) * (moved + shaky)
        pose = (start * tape.normal(1, *shape) + moved) * loose.reshape(times.shape)
        return np.asarray(pose)

    linear = turned(
        course(0.2, 0.5, 0.12), np.exp(course(0.1, 0.12, 0.05)), course(0.08, 0.1, 0.05)
    )
    linear = linear * np.stack([cast.mirror, np.ones_like(cast.mirror)], axis=-1)[:, None, None, :]
    tilt = np.clip(course(0.05, 0.12, 0.04, 2), -_MAX_TILT, _MAX_TILT)
    waves = _draw_waves(tape, views) * ~marked[..., None, None]
    painted = atlas.sprites.outlines[cast.objects.sprites[::OBJECTS]][:, None]
    outlines = np.where(
        marked[..., None, None], atlas.tracks.outlines[marks] if marked.any() else 0.0, painted
    )
    warps, boxes = place(outlines, linear, tilt, waves, views.sizes, views.centres)
    whole = atlas.sprites.areas[cast.objects.sprites[::OBJECTS]][:, None]
    areas = whole * warps.scale**2 * warps.stretch
    return Target(warps, marks, np.where(marked, views.sizes**2, areas), boxes)


def _draw_marks(tape: Tape, atlas: Atlas, cast: Cast, views: int) -> Indices:
    draw = tape.uniform(views)
    if not (cast.tracks >= 0).any():
        return np.full(draw.shape, -1)
    first = atlas.tracks.starts[cast.tracks][:, None]
    length = atlas.tracks.starts[cast.tracks + 1][:, None] - first
    marks = first + (draw * length).astype(np.int64)
    return np.where(cast.tracks[:, None] >= 0, marks, -1)


def _draw_waves(tape: Tape, views: Views) -> Floats:
    """Slow bending of the whole object; it wanders over the object with time."""
    strength = tape.choose((0.0, 0.0, 0.03, 0.07))[:, None, None, None]
    amplitude = strength * tape.normal(1, WAVES, 2) * np.ones((1, len(views.sides), 1, 1))
    direction = tape.uniform(1, WAVES) * 2 * np.pi
    number = tape.uniform(1, WAVES, low=1.5, high=4.0)
    vector = number[..., None] * np.stack([np.cos(direction), np.sin(direction)], axis=-1)
    vector = np.broadcast_to(vector, amplitude.shape)
    phase = tape.uniform(1, WAVES) * 2 * np.pi
    phase = phase + views.times[..., None] * tape.normal(1, WAVES) * 2
    phase = phase + 0.3 * tape.normal(len(views.sides), WAVES)
    return np.concatenate([amplitude, vector, phase[..., None]], axis=-1)


def draw_distractors(tape: Tape, atlas: Atlas, cast: Cast, views: Views, target: Target) -> Others:
    """Draw objects beside the target; they may touch its box but do not hide in it.

    An identical twin is further from the middle of the crop than the target, where a tracker
    expects it, and stays away where the target is absent: nothing else tells them apart.
    """
    objects = np.arange(1, 1 + DISTRACTORS)
    shape = (len(views.sides), DISTRACTORS)
    sizes = views.sizes[..., None] * np.exp(tape.normal(*shape) * 0.3)
    side = views.sides[:, None, None, None]
    centres = tape.uniform(*shape, _CANDIDATES, 2) * side
    middle = (target.boxes[..., :2] + target.boxes[..., 2:])[..., None, None, :] / 2
    half = (target.boxes[..., 2:] - target.boxes[..., :2])[..., None, None, :] / 2
    gap = np.abs(centres - middle) - half
    least = np.where(target.marks >= 0, _WELL_APART, _APART)[..., None] * sizes
    apart = np.maximum(gap[..., 0], gap[..., 1]) > least[..., None]
    away = distance(centres, side / 2)
    expected = distance(middle, side / 2) + views.sizes[..., None, None] / 2
    identical = cast.identical[:, None, objects]
    apart &= (away > expected) | ~identical[..., None]
    best = apart.argmax(axis=-1)[..., None]
    centre = np.take_along_axis(centres, best[..., None], axis=-2)[..., 0, :]
    busy = np.where(np.arange(len(views.sides)) < 2, 0.25, 0.65)[:, None]
    crowd = tape.uniform(1, 1) * 1.4
    there = (tape.uniform(*shape) < busy * crowd) | cast.twins[:, None, objects]
    there &= np.take_along_axis(apart, best, axis=-1)[..., 0]
    there &= ~(identical & views.absent[..., None])
    return Others(objects, _loose(tape, atlas, cast, objects, sizes, centre), there)


def draw_occluders(
    tape: Tape, atlas: Atlas, cast: Cast, views: Views, target: Target, shares: Floats
) -> Others:
    """Draw objects before the target in a share (G,) of the search crops."""
    shape = (len(views.sides), 1)
    objects = np.array([OBJECTS - 1])
    sizes = views.sizes[..., None] * tape.uniform(*shape, low=0.4, high=1.5)
    low, high = target.boxes[..., None, :2], target.boxes[..., None, 2:]
    centres = low + (high - low) * tape.uniform(*shape, 2)
    there = tape.uniform(*shape) < shares[:, None, None]
    there &= (np.arange(len(views.sides)) >= 2)[:, None]
    return Others(objects, _loose(tape, atlas, cast, objects, sizes, centres), there)


def _loose(
    tape: Tape, atlas: Atlas, cast: Cast, objects: Indices, sizes: Floats, centres: Floats
) -> Warp:
    """Pose objects freely; `sizes` (G, V, n) is the square root of their cell's area, about."""
    shape = sizes.shape[1:]
    linear = turned(
        tape.normal(*shape) * 0.35,
        np.exp(tape.normal(*shape) * 0.12),
        tape.normal(*shape) * 0.1,
    )
    flips = tape.choose((1.0, -1.0), 1, len(objects))
    linear = linear * np.stack([flips, np.ones_like(flips)], axis=-1)[..., None, :]
    sprites = cast.objects.sprites.reshape(-1, OBJECTS)[:, objects]
    half = atlas.sprites.half[sprites][:, None]
    scale = sizes / (2.0 * np.sqrt(half[..., 0] * half[..., 1]))
    tilt = np.clip(tape.normal(*shape, 2) * 0.06, -_MAX_TILT, _MAX_TILT)
    return Warp(linear, tilt, still_waves(sizes.shape), scale, centres)


def distance(points: Floats, origin: Floats) -> Floats:
    """Return the distances (...) of points (..., 2) from an origin."""
    away = points - origin
    return np.hypot(away[..., 0], away[..., 1])
