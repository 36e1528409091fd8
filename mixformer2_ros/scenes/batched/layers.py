# Copyright 2026 mixformer2_ros contributors
# SPDX-License-Identifier: Apache-2.0
"""Sorts what is painted into few large runs."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from mixformer2_ros.scenes.batched.atlas import Sprites
from mixformer2_ros.scenes.batched.cast import OBJECTS
from mixformer2_ros.scenes.batched.description import Layers, Objects, Run
from mixformer2_ros.scenes.batched.warp import Warp

Floats = NDArray[np.float64]
Indices = NDArray[np.int64]

OBJECT_LEVELS = 4


@dataclass(frozen=True)
class Painted:
    """One object of each sample in each view.

    Attributes:
        role: See `description.Run`.
        number: Which object of the sample.
        warps: (G, V) from the object's units to the crop.
        there: (G, V) bool, it is painted.
        weights: (G, V, 4) see `description.Layers`.
        blur: (G,) mip levels by which it is coarser than it could be.
    """

    role: str
    number: int
    warps: Warp
    there: NDArray[np.bool_]
    weights: Floats
    blur: Indices


def used_objects(objects: Objects, layers: Sequence[Painted]) -> tuple[Objects, Indices]:
    """Return the objects that some layer paints, and the row (n,) of each of all n in them."""
    used = np.zeros((len(layers[0].there), OBJECTS), np.bool_)
    for layer in layers:
        used[:, layer.number] |= layer.there.any(axis=1)
    kept = used.ravel()
    chosen = Objects(
        objects.sprites[kept],
        objects.colours[kept],
        objects.pictures[kept],
        objects.windows[kept],
        objects.shares[kept],
    )
    return chosen, np.cumsum(kept) - 1


def sort_layers(
    layers: Sequence[Painted], rows: Indices, part: slice, sprites: Sprites, drawn: Indices
) -> Layers:
    """Sort the part of some layers that lies in some views.

    Args:
        layers: In the order of painting.
        rows: Row of each object, see `used_objects`.
        part: Views; their crops are numbered from 0, those of a sample side by side.
        sprites: The material.
        drawn: (n,) sprite of each object.
    """
    views = part.stop - part.start
    found: list[tuple[Indices, Indices, NDArray[np.float32], Floats]] = []
    runs: list[Run] = []
    start = 0
    for layer in layers:
        sample, view = np.nonzero(layer.there[:, part])
        warps = layer.warps.at((sample, view + part.start))
        number = sample * OBJECTS + layer.number
        levels = warps.level(sprites.textures.shape[-1], OBJECT_LEVELS) + layer.blur[sample]
        levels = np.minimum(levels, OBJECT_LEVELS - 1)
        order = np.argsort(levels, kind="stable")
        packed = warps.pack(sprites.half[drawn[number]])
        weights = layer.weights[sample, view + part.start]
        crops = sample * views + view
        found.append((crops[order], rows[number][order], packed[order], weights[order]))
        for level, count in enumerate(np.bincount(levels, minlength=OBJECT_LEVELS).tolist()):
            if count:
                runs.append(Run(layer.role, level, slice(start, start + count)))
            start += count
    crops, objects, packed, weights = (
        np.concatenate(arrays) for arrays in zip(*found, strict=True)
    )
    return Layers(crops, objects, packed, weights, tuple(runs))
