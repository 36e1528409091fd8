# Copyright 2026 mixformer2_ros contributors
# SPDX-License-Identifier: Apache-2.0
"""What the host tells the device about a batch: plain arrays, nothing random any more."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from mixformer2_ros.scenes.batched.optics import Optics

Floats = NDArray[np.float64]
Indices = NDArray[np.int64]


@dataclass(frozen=True)
class Mixture:
    """How often what happens.

    Attributes:
        tracks: Share of the samples whose target a real picture or video shows (where the atlas
            has tracks); the others have a painted target.
        absent: Share of the search crops without the target.
        twins: Share of the samples with a distractor that is another instance of the target, half
            of them in other colours.
        occluded: Share of the search crops in which something covers a part of the target.
        edges: Share of the search crops in which the image ends near the target.
        shadows: Share of the samples whose target throws a shadow.
        retextured: Share of the objects that take their surface from a picture.
        same_templates: Share of the samples whose online template is still the initial one.
        defocused: Share of the samples in which either the objects or what is behind them are out
            of focus.
        plain: Share of the easy samples: one object on a background, seen by a perfect camera.
    """

    tracks: float = 0.25
    absent: float = 0.15
    twins: float = 0.35
    occluded: float = 0.2
    edges: float = 0.1
    shadows: float = 0.25
    retextured: float = 0.3
    same_templates: float = 0.35
    defocused: float = 0.3
    plain: float = 0.0


@dataclass(frozen=True)
class Views:
    """Where the target appears in the V crops of each of G samples.

    Attributes:
        sides: (V,) side of each crop, pixels.
        sizes: (G, V) sqrt(width * height) of the target's box, pixels.
        centres: (G, V, 2) centre of that box, pixels.
        times: (G, V) when it is seen; 0 is the initial template, 1 the latest moment.
        absent: (G, V) bool, the target is not there.
    """

    sides: Indices
    sizes: Floats
    centres: Floats
    times: Floats
    absent: NDArray[np.bool_]


@dataclass(frozen=True)
class Objects:
    """The n objects that a batch paints, as they look before any pose.

    Attributes:
        sprites: (n,) sprite of the atlas.
        colours: (n, 3, 4) RGB as a linear function of RGB and one.
        pictures: (n,) picture from which the surface is taken; -1 = its own.
        windows: (n, 3) centre x, y and half side of that part of the picture, fractions -1..1.
        shares: (n,) share of that surface in the colour.
    """

    sprites: Indices
    colours: Floats
    pictures: Indices
    windows: Floats
    shares: Floats


@dataclass(frozen=True)
class Run:
    """Consecutive rows of `Layers` that are painted at once: at most one a crop, of one level.

    Attributes:
        role: "distractor", "shadow", "target" or "occluder".
        level: Mip level of the objects.
        rows: Which ones.
    """

    role: str
    level: int
    rows: slice


@dataclass(frozen=True)
class Layers:
    """The n times that an object is painted over a crop.

    Attributes:
        crops: (n,) crop.
        objects: (n,) row of `Objects`.
        warps: (n, 21) float32; see `warp.Warp.pack`.
        weights: (n, 4) factors on red, green, blue and alpha of the object.
        runs: All rows, in the order of painting.
    """

    crops: Indices
    objects: Indices
    warps: NDArray[np.float32]
    weights: Floats
    runs: tuple[Run, ...]


@dataclass(frozen=True)
class Crops:
    """N crops of one side, to be rendered together.

    Attributes:
        side: Side, pixels.
        pictures: (N,) picture behind everything.
        picture_levels: (N,) its mip level.
        picture_warps: (N, 21) float32; see `warp.Warp.pack`.
        layers: What is painted over it.
        marked: (N,) bool, the picture itself shows the target.
        boxes: (N, 4) box of such a target before clipping, pixels.
        areas: (N,) whole area of the target, pixels, also where it is hidden or outside.
        bounds: (N, 4) x1, y1, x2, y2 where the image ends, pixels; black beyond.
        optics: How the crops are taken.
    """

    side: int
    pictures: Indices
    picture_levels: Indices
    picture_warps: NDArray[np.float32]
    layers: Layers
    marked: NDArray[np.bool_]
    boxes: Floats
    areas: Floats
    bounds: Floats
    optics: Optics


@dataclass(frozen=True)
class Description:
    """A batch of G samples.

    Attributes:
        objects: What is painted.
        templates: The 2 * G template crops, those of a sample side by side.
        searches: The K * G search crops, those of a sample side by side.
        same_templates: (G,) bool, the online template repeats the initial one.
        absent: (G, K) bool, the target is not there.
        ease: (G, K) in (0, 1], how easy the target would be to find if it were wholly visible.
    """

    objects: Objects
    templates: Crops
    searches: Crops
    same_templates: NDArray[np.bool_]
    absent: NDArray[np.bool_]
    ease: Floats
