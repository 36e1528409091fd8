# Copyright 2026 mixformer2_ros contributors
# SPDX-License-Identifier: Apache-2.0
"""Who plays in a sample: the target, its twins and others, and how they look."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from mixformer2_ros.scenes.batched.atlas import Atlas
from mixformer2_ros.scenes.batched.description import Mixture, Objects
from mixformer2_ros.scenes.batched.tape import Tape

Floats = NDArray[np.float64]
Indices = NDArray[np.int64]

# Object 0 is the target, the last one may cover it, those between are distractors.
DISTRACTORS = 3
OBJECTS = 1 + DISTRACTORS + 1
_ORDERS = np.eye(3)[[[1, 2, 0], [2, 0, 1], [2, 1, 0], [1, 0, 2], [0, 2, 1]]]


@dataclass(frozen=True)
class Cast:
    """The objects of G samples.

    Attributes:
        tracks: (G,) track that shows the target; -1 where object 0 is the target.
        twins: (G, 5) bool, another instance of the target.
        identical: (G, 5) bool, a twin in the target's own colours.
        mirror: (G,) 1 or -1, whether the world is mirrored.
        objects: Rows g * 5 + i for object i of sample g.
    """

    tracks: Indices
    twins: NDArray[np.bool_]
    identical: NDArray[np.bool_]
    mirror: Floats
    objects: Objects


def draw_cast(tape: Tape, atlas: Atlas, mixture: Mixture) -> Cast:
    """Choose the objects of each sample and how they look."""
    count = tape.samples
    tracks = np.full(count, -1)
    if mixture.tracks > 0 and atlas.tracks.weights.any():
        tracks = np.where(tape.chance(mixture.tracks), tape.pick(atlas.tracks.weights), -1)
    twins = np.zeros((count, OBJECTS), np.bool_)
    twins[:, 1] = tape.chance(mixture.twins) & (tracks < 0)
    twins[:, 2] = twins[:, 1] & tape.chance(0.4)
    identical = twins & tape.chance(0.5, OBJECTS)
    sprites = tape.pick(atlas.sprites.weights, OBJECTS)
    sprites = np.where(twins, sprites[:, :1], sprites)
    textured = tape.chance(mixture.retextured, OBJECTS)
    surfaces = np.where(textured, tape.pick(atlas.pictures.weights, OBJECTS), -1)
    reach = tape.log_uniform(0.15, 0.8, OBJECTS, 1)
    middle = (tape.uniform(OBJECTS, 2) * 2 - 1) * (1 - reach)
    shares = tape.uniform(OBJECTS, low=0.5, high=1.0)
    surfaces = np.where(twins, surfaces[:, :1], surfaces)
    windows = np.concatenate([middle, reach], axis=-1)
    windows = np.where(twins[..., None], windows[:, :1], windows)
    shares = np.where(twins, shares[:, :1], shares)
    colours = _draw_colours(tape)
    recoloured = _recoloured(tape, colours[:, :1])
    colours = np.where((twins & ~identical)[..., None, None], recoloured, colours)
    colours = np.where(identical[..., None, None], colours[:, :1], colours)
    objects = Objects(
        sprites.ravel(),
        colours.reshape(-1, 3, 4),
        surfaces.ravel(),
        windows.reshape(-1, 3),
        shares.ravel(),
    )
    return Cast(tracks, twins, identical, tape.choose((1.0, -1.0)), objects)


def _draw_colours(tape: Tape) -> Floats:
    """Mostly as they are; some lighter, darker, paler or with their channels exchanged."""
    gain = np.exp(tape.normal(OBJECTS, 1, 1) * 0.15 + tape.normal(OBJECTS, 3, 1) * 0.06)
    paler = tape.chance(0.2, OBJECTS, 1, 1) * tape.uniform(OBJECTS, 1, 1)
    matrix = (1 - paler) * np.eye(3) + paler / 3
    order = np.eye(3) + np.zeros_like(matrix)
    swapped = tape.chance(0.2, OBJECTS, 1, 1)
    order = np.where(swapped, _ORDERS[tape.integers(len(_ORDERS), OBJECTS)], order)
    offset = tape.normal(OBJECTS, 3, 1) * 0.03
    return np.concatenate([gain * (order @ matrix), offset], axis=-1)


def _recoloured(tape: Tape, colours: Floats) -> Floats:
    """Exchange the channels of colours (G, 1, 3, 4), and tint them, for each object anew."""
    order = _ORDERS[tape.integers(len(_ORDERS), OBJECTS)]
    gain = np.exp(tape.normal(OBJECTS, 3, 1) * 0.35)
    return np.asarray(gain * (order @ colours))
