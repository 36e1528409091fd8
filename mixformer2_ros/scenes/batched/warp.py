# Copyright 2026 mixformer2_ros contributors
# SPDX-License-Identifier: Apache-2.0
"""The map between a texture and a crop: turn, shear, perspective, bending, size and place.

Frames: crop pixels p (x right, y down, pixel i covers [i, i + 1)); object units u, in which the
longer side of the texture spans -1..1 and the shorter -half..half; texture coordinates u / half as
`torch.nn.functional.grid_sample` takes them (-1 and 1 are the outer edges). An object point is
bent to v with v + bend(v) = u, goes to x = linear @ v, is foreshortened to q = x / (1 + tilt . x)
and lands on p = scale * q + shift. All of it inverts in closed form, which is what rendering needs.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional

Floats = NDArray[np.float64]

WAVES = 2
# Texels a pixel above which the next smaller level is sampled: 2 ** -0.3 of a whole octave.
_LEVEL_BIAS = 0.3
# Pixels between two nodes at which the map is evaluated; it is smooth, so in between it is
# interpolated.
_NODE_STEP = 8
_NEAREST = 0.1


@dataclass(frozen=True)
class Warp:
    """Maps, with any leading axes (written ... below).

    Attributes:
        linear: (..., 2, 2) turn, shear, aspect, mirroring.
        tilt: (..., 2) foreshortening, 1 / units.
        waves: (..., 2 waves, 5): amplitude x, y in units, wave vector x, y in rad / unit, phase.
        scale: (...) crop pixels a unit.
        shift: (..., 2) crop pixels.
    """

    linear: Floats
    tilt: Floats
    waves: Floats
    scale: Floats
    shift: Floats

    def pack(self, half: Floats) -> NDArray[np.float32]:
        """Return (..., 21) float32, what `coordinates` takes.

        Args:
            half: (..., 2) half sides of the textures in units.
        """
        shape = self.scale.shape
        parts = (
            1.0 / self.scale[..., None],
            self.shift,
            self.tilt,
            _inverse(self.linear).reshape(*shape, 4),
            1.0 / half,
            self.waves.reshape(*shape, 5 * WAVES),
        )
        return np.concatenate(parts, axis=-1).astype(np.float32)

    def at(self, index: Any) -> Warp:
        """Return some of the maps: `index` is applied to the leading axes of all arrays."""
        return Warp(
            self.linear[index],
            self.tilt[index],
            self.waves[index],
            self.scale[index],
            self.shift[index],
        )

    @property
    def stretch(self) -> Floats:
        """(...) what `linear` makes of an area of one."""
        return np.abs(_determinant(self.linear))

    def level(self, side: int, levels: int) -> NDArray[np.int64]:
        """Return (...) the mip level at which a texture of `side` pixels does not alias.

        Args:
            side: Pixels of a side of the texture's level 0.
            levels: Number of levels, each half of the one before.
        """
        density = side / (2.0 * self.scale * np.sqrt(self.stretch))
        octave = np.floor(np.log2(np.maximum(density, 1e-6)) + _LEVEL_BIAS)
        return np.asarray(np.clip(octave, 0, levels - 1).astype(np.int64))

    def forward(self, points: Floats) -> Floats:
        """Map object points (..., P, 2) to crop pixels (..., P, 2)."""
        seen = projected(points, self.linear, self.tilt, self.waves)
        return np.asarray(seen * self.scale[..., None, None] + self.shift[..., None, :])


def turned(angle: Floats, aspect: Floats, shear: Floats) -> Floats:
    """Return (..., 2, 2) = rotation by `angle` (rad, clockwise as y points down) of a sheared box.

    Args:
        angle: (...) rad.
        aspect: (...) factor of the width; the height is divided by it.
        shear: (...) shift of x with y.
    """
    cosine, sine = np.cos(angle), np.sin(angle)
    entries = (
        cosine * aspect,
        cosine * shear - sine / aspect,
        sine * aspect,
        sine * shear + cosine / aspect,
    )
    return np.stack(entries, axis=-1).reshape(*angle.shape, 2, 2)


def projected(points: Floats, linear: Floats, tilt: Floats, waves: Floats) -> Floats:
    """Return where object points (..., P, 2) are seen, (..., P, 2), before scale and shift."""
    x, y = points[..., 0], points[..., 1]
    bend_x, bend_y = _bend(x, y, waves)
    x, y = x - bend_x, y - bend_y  # v = u - bend(v), about
    a, b, c, d = (linear[..., i, j, None] for i in (0, 1) for j in (0, 1))
    x, y = a * x + b * y, c * x + d * y
    depth = np.maximum(1.0 + tilt[..., :1] * x + tilt[..., 1:] * y, _NEAREST)
    return np.stack([x / depth, y / depth], axis=-1)


def place(
    points: Floats, linear: Floats, tilt: Floats, waves: Floats, size: Floats, centre: Floats
) -> tuple[Warp, Floats]:
    """Return the warp that gives the box of some points a size and a place in the crop.

    Args:
        points: (..., P, 2) outline in units.
        linear: (..., 2, 2); see `Warp`.
        tilt: (..., 2); see `Warp`.
        waves: (..., 2, 5); see `Warp`.
        size: (...) wanted sqrt(width * height) of the box, pixels.
        centre: (..., 2) wanted centre of the box, pixels.

    Returns:
        The warp, and the box (..., 4) x1, y1, x2, y2 that results, pixels.
    """
    seen = np.moveaxis(projected(points, linear, tilt, waves), -1, -2)
    low, high = seen.min(axis=-1), seen.max(axis=-1)
    extent = high - low
    scale = size / np.sqrt(extent[..., 0] * extent[..., 1])
    half = extent * scale[..., None] / 2
    shift = centre - scale[..., None] * (low + high) / 2
    box = np.concatenate([centre - half, centre + half], axis=-1)
    return Warp(linear, tilt, waves, scale, shift), box


def still_waves(shape: tuple[int, ...]) -> Floats:
    """Return the waves of something stiff, (*shape, 2, 5)."""
    return np.zeros((*shape, WAVES, 5))


def nodes(packed: Tensor, side: int) -> Tensor:
    """Return where a grid of pixels of a crop lies in the texture.

    Args:
        packed: (N, 21) float32, see `Warp.pack`.
        side: Side of the crop, pixels.

    Returns:
        (N, 2, n, n) float32 texture coordinates x, y of n x n pixels, about every eighth.
    """
    line = torch.linspace(0.5, side - 0.5, side // _NODE_STEP + 1, device=packed.device)
    x, y = line[None, :], line[:, None]
    table = packed[:, :, None, None].unbind(1)
    seen_x, seen_y = (x - table[1]) * table[0], (y - table[2]) * table[0]
    depth = (1.0 - table[3] * seen_x - table[4] * seen_y).clamp_min(_NEAREST)
    seen_x, seen_y = seen_x / depth, seen_y / depth
    bent_x = table[5] * seen_x + table[6] * seen_y
    bent_y = table[7] * seen_x + table[8] * seen_y
    u_x, u_y = bent_x, bent_y
    for first in range(11, 11 + 5 * WAVES, 5):
        swing = torch.sin(table[first + 2] * bent_x + table[first + 3] * bent_y + table[first + 4])
        u_x, u_y = u_x + table[first] * swing, u_y + table[first + 1] * swing
    return torch.stack([u_x * table[9], u_y * table[10]], dim=1)


def seen_through(textures: Tensor, coarse: Tensor, side: int, padding: str = "zeros") -> Tensor:
    """Return textures (N, C, h, w) as crops (N, C, side, side).

    Args:
        textures: One a crop.
        coarse: (N, 2, n, n) see `nodes`; between them the map is interpolated.
        side: Side of the crops, pixels.
        padding: What lies outside of a texture, see `torch.nn.functional.grid_sample`.
    """
    fine = functional.interpolate(coarse, (side, side), mode="bilinear", align_corners=True)
    grid = fine.permute(0, 2, 3, 1)
    return functional.grid_sample(textures, grid, padding_mode=padding, align_corners=False)


def _bend(x: Floats, y: Floats, waves: Floats) -> tuple[Floats, Floats]:
    moved_x, moved_y = np.zeros_like(x), np.zeros_like(y)
    for wave in range(WAVES):
        across, down, number_x, number_y, phase = (waves[..., wave, i, None] for i in range(5))
        swing = np.sin(number_x * x + number_y * y + phase)
        moved_x, moved_y = moved_x + across * swing, moved_y + down * swing
    return moved_x, moved_y


def _determinant(linear: Floats) -> Floats:
    return np.asarray(linear[..., 0, 0] * linear[..., 1, 1] - linear[..., 0, 1] * linear[..., 1, 0])


def _inverse(linear: Floats) -> Floats:
    a, b, c, d = (linear[..., i, j] for i in (0, 1) for j in (0, 1))
    adjugate = np.stack([d, -b, -c, a], axis=-1).reshape(linear.shape)
    return np.asarray(adjugate / _determinant(linear)[..., None, None])
