# Copyright 2026 mixformer2_ros contributors
# SPDX-License-Identifier: Apache-2.0
"""Draws the description of a batch."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from mixformer2_ros.scenes.batched.atlas import PICTURE_LEVELS, Atlas, Pictures
from mixformer2_ros.scenes.batched.cast import Cast, draw_cast
from mixformer2_ros.scenes.batched.description import Crops, Description, Layers, Mixture, Views
from mixformer2_ros.scenes.batched.layers import Painted, sort_layers, used_objects
from mixformer2_ros.scenes.batched.optics import Optics, draw_optics
from mixformer2_ros.scenes.batched.poses import (
    Others,
    Target,
    distance,
    draw_distractors,
    draw_occluders,
    draw_target,
)
from mixformer2_ros.scenes.batched.surroundings import Surroundings, draw_surroundings
from mixformer2_ros.scenes.batched.tape import Tape

Floats = NDArray[np.float64]
Indices = NDArray[np.int64]

TEMPLATES = 2
_SOFT = 2  # mip levels by which a shadow is coarser than what throws it


def describe(
    tape: Tape,
    atlas: Atlas,
    mixture: Mixture,
    template: tuple[int, float],
    search: int,
    sizes: Floats,
    centres: Floats,
) -> Description:
    """Draw a batch of G samples with two templates and K search crops each.

    Args:
        tape: Source of randomness for G samples.
        atlas: The material.
        mixture: How often what happens.
        template: Side of a template crop, pixels, and its side in target sizes.
        search: Side of a search crop, pixels.
        sizes: (G, K) sqrt(width * height) of the target's box in the search crops, pixels.
        centres: (G, K, 2) centre of that box, pixels.
    """
    views = _draw_views(tape, mixture, template, search, sizes, centres)
    cast = draw_cast(tape, atlas, mixture)
    target = draw_target(tape, atlas, cast, views)
    plain = tape.chance(mixture.plain)
    edges = np.where(plain, 0.0, mixture.edges)
    covers = np.where(plain, 0.0, mixture.occluded)
    around = draw_surroundings(tape, atlas, cast, views, target, edges)
    distractors = draw_distractors(tape, atlas, cast, views, target).without(plain)
    occluders = draw_occluders(tape, atlas, cast, views, target, covers)
    optics = draw_optics(tape, views.sizes).perfect(plain)
    focus = tape.uniform()
    near, far = (focus < mixture.defocused / 2), (focus > 1 - mixture.defocused / 2)
    blur = (near & ~plain).astype(np.int64)
    painted = [
        *_others("distractor", distractors, blur),
        _shadow(tape, views, target, mixture.shadows),
        _target(views, target, blur),
        *_others("occluder", occluders, blur),
    ]
    used, rows = used_objects(cast.objects, painted)
    parts = (slice(0, TEMPLATES), slice(TEMPLATES, TEMPLATES + sizes.shape[1]))
    templates, searches = (
        _crops(
            views,
            part,
            target,
            around,
            optics,
            atlas.pictures,
            far & ~plain,
            sort_layers(painted, rows, part, atlas.sprites, cast.objects.sprites),
        )
        for part in parts
    )
    return Description(
        used,
        templates,
        searches,
        tape.chance(mixture.same_templates),
        views.absent[:, TEMPLATES:],
        _ease(views, cast, distractors, optics)[:, TEMPLATES:],
    )


def _draw_views(
    tape: Tape,
    mixture: Mixture,
    template: tuple[int, float],
    search: int,
    sizes: Floats,
    centres: Floats,
) -> Views:
    """Add the templates, the second one cut around a tracked box, which is a little off."""
    searches = sizes.shape[1]
    side, factor = template
    late = np.array([[0.0, 1.0]])
    wrong_size = np.exp(late * tape.normal(TEMPLATES) * 0.05)
    wrong_place = late[..., None] * tape.normal(TEMPLATES, 2) * 0.04
    times = tape.uniform(TEMPLATES + searches)
    times[:, 0] = 0.0
    absent = tape.chance(mixture.absent, TEMPLATES + searches)
    absent[:, :TEMPLATES] = False
    return Views(
        np.array([side] * TEMPLATES + [search] * searches),
        np.concatenate([side / factor * wrong_size, sizes], axis=1),
        np.concatenate([side / 2 + side / factor * wrong_place, centres], axis=1),
        times,
        absent,
    )


def _target(views: Views, target: Target, blur: Indices) -> Painted:
    there = (target.marks < 0) & ~views.absent
    return Painted("target", 0, target.warps, there, np.ones((*there.shape, 4)), blur)


def _others(role: str, others: Others, blur: Indices) -> list[Painted]:
    return [
        Painted(
            role,
            int(number),
            others.warps.at(np.s_[:, :, index]),
            others.there[:, :, index],
            np.ones((*others.there.shape[:2], 4)),
            blur,
        )
        for index, number in enumerate(others.objects)
    ]


def _shadow(tape: Tape, views: Views, target: Target, share: float) -> Painted:
    """The target once more: black, thin, soft and shifted, the same way in all views."""
    angle = tape.uniform(1) * 2 * np.pi
    far = tape.uniform(1, low=0.05, high=0.3) * views.sizes
    shift = far[..., None] * np.stack([np.cos(angle), np.sin(angle)], axis=-1)
    warps = replace(target.warps, shift=target.warps.shift + shift)
    there = (target.marks < 0) & ~views.absent & tape.chance(share)[:, None]
    weights = np.zeros((*there.shape, 4))
    weights[..., 3] = tape.uniform(1, low=0.25, high=0.6)
    return Painted("shadow", 0, warps, there, weights, np.full(len(there), _SOFT))


def _crops(
    views: Views,
    part: slice,
    target: Target,
    around: Surroundings,
    optics: Optics,
    pictures: Pictures,
    defocused: NDArray[np.bool_],
    layers: Layers,
) -> Crops:
    warps = around.warps.at(np.s_[:, part])
    levels = warps.level(pictures.levels[0].shape[-1], PICTURE_LEVELS)
    # A picture that shows the target has the focus that it has.
    levels = levels + (defocused[:, None] & ~around.marked[:, part])
    packed = warps.pack(pictures.half[around.pictures[:, part]])
    return Crops(
        side=int(views.sides[part.start]),
        pictures=around.pictures[:, part].ravel(),
        picture_levels=np.minimum(levels, PICTURE_LEVELS - 1).ravel(),
        picture_warps=packed.reshape(-1, packed.shape[-1]),
        layers=layers,
        marked=around.marked[:, part].ravel(),
        boxes=target.boxes[:, part].reshape(-1, 4),
        areas=target.areas[:, part].ravel(),
        bounds=around.bounds[:, part].reshape(-1, 4),
        optics=optics.views(part),
    )


def _ease(views: Views, cast: Cast, distractors: Others, optics: Optics) -> Floats:
    """Return (G, V) a figure that falls with what makes a target hard to find."""
    away = distance(views.centres, views.sides[:, None] / 2) / views.sizes
    twins = cast.twins[:, None, distractors.objects] & distractors.there
    identical = cast.identical[:, None, distractors.objects] & distractors.there
    burden = (
        0.15 * away
        + 0.3 * twins.any(axis=-1)
        + 0.3 * identical.any(axis=-1)
        + 0.2 * optics.coarse
        + 0.1 * optics.blur[..., 0]
        + 6.0 * optics.noise
    )
    return np.exp(-burden)
