# Copyright 2026 mixformer2_ros contributors
# SPDX-License-Identifier: Apache-2.0
"""The raw material on the device: sprites, pictures, and targets marked in pictures.

Every texture fills a square cell, stretched where it is not square; `half` keeps its proportions.
Lengths are in units: the longer side of a texture spans -1..1 (see `warp`).
"""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import cv2
import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional

Image = NDArray[np.uint8]
Floats = NDArray[np.float64]

OUTLINE = 24
SPRITE_SIDE = 128
PICTURE_SIDE = 384
PICTURE_LEVELS = 4
_AT_ONCE = 64
_DIRECTIONS = np.stack([f(np.arange(OUTLINE) * 2 * np.pi / OUTLINE) for f in (np.cos, np.sin)])


@dataclass(frozen=True)
class Sprites:
    """Objects without surroundings.

    Attributes:
        textures: (M, 4, side, side) uint8 on the device, RGB premultiplied by alpha.
        half: (M, 2) half width and height, units.
        outlines: (M, 24, 2) outermost points of the opaque part in 24 directions, units.
        areas: (M,) area of the opaque part, units squared.
        weights: (M,) how often each is drawn.
    """

    textures: Tensor
    half: Floats
    outlines: Floats
    areas: Floats
    weights: Floats


@dataclass(frozen=True)
class Pictures:
    """Backgrounds, and the pictures that hold marked targets.

    Attributes:
        levels: (M, 3, side / 2**l, side / 2**l) uint8 on the device, level 0 first.
        half: (M, 2) half width and height, units.
        weights: (M,) how often each is drawn as a background.
    """

    levels: tuple[Tensor, ...]
    half: Floats
    weights: Floats


@dataclass(frozen=True)
class Mark:
    """A target in a picture.

    Attributes:
        picture: Index of the picture.
        box: (4,) its box x1, y1, x2, y2, units of the picture.
        bounds: (4,) x1, y1, x2, y2 where the original picture ends, units; infinite where the
            stored one was only cut out of it.
    """

    picture: int
    box: Floats
    bounds: Floats


@dataclass(frozen=True)
class Tracks:
    """Targets marked in one picture, or in several that show the same target.

    Attributes:
        pictures: (N,) picture of each mark, the marks of a track side by side.
        outlines: (N, 24, 2) the ellipse in the box of each mark: what is known of its shape.
        bounds: (N, 4); see `Mark`.
        starts: (T + 1,) first mark of each track; the last number is N.
        weights: (T,) how often each track is drawn.
    """

    pictures: NDArray[np.int64]
    outlines: Floats
    bounds: Floats
    starts: NDArray[np.int64]
    weights: Floats


@dataclass(frozen=True)
class Atlas:
    """All material of a stream; `device` holds the textures.

    Attributes:
        sprites: Objects that are painted.
        pictures: Backgrounds.
        tracks: Targets that real pictures show already; may hold none.
        noise: (2**20,) float32 standard normal numbers on the device: the grain of sensors.
    """

    sprites: Sprites
    pictures: Pictures
    tracks: Tracks
    noise: Tensor

    @property
    def device(self) -> torch.device:
        """Where it is rendered."""
        return self.noise.device

    @property
    def bytes(self) -> int:
        """Memory of the textures on the device."""
        return sum(
            tensor.numel() * tensor.element_size()
            for tensor in (self.sprites.textures, *self.pictures.levels, self.noise)
        )


def pack_sprites(
    images: Sequence[Image], weights: Floats, device: torch.device, side: int = SPRITE_SIDE
) -> Sprites:
    """Pack objects.

    Args:
        images: (h, w, 4) uint8 RGBA, premultiplied by alpha, with some opaque pixel each.
        weights: (M,) how often each is drawn.
        device: Where the textures are kept.
        side: Side of a cell, pixels.

    Raises:
        ValueError: There is no image, or one has no opaque pixel.
    """
    if not images:
        raise ValueError("an atlas needs at least one sprite")
    cells = _packed(images, side)
    half = np.stack([_half(image) for image in images])
    opaque = cells[:, 3] > 127
    outlines = np.stack([outline(mask) for mask in opaque]) * half[:, None]
    return Sprites(
        torch.from_numpy(cells).to(device),
        half,
        outlines,
        opaque.mean(axis=(1, 2)) * 4.0 * half.prod(axis=1),
        np.asarray(weights, np.float64),
    )


def pack_pictures(
    images: Sequence[Image], weights: Floats, device: torch.device, side: int = PICTURE_SIDE
) -> Pictures:
    """Pack pictures and their smaller levels.

    Args:
        images: (h, w, 3) uint8 RGB.
        weights: (M,) how often each is drawn as a background.
        device: Where they are kept.
        side: Side of a cell, pixels.

    Raises:
        ValueError: There is no image.
    """
    if not images:
        raise ValueError("an atlas needs at least one picture")
    levels = [torch.from_numpy(_packed(images, side)).to(device)]
    while len(levels) < PICTURE_LEVELS:
        levels.append(_halved(levels[-1]))
    half = np.stack([_half(image) for image in images])
    return Pictures(tuple(levels), half, np.asarray(weights, np.float64))


def pack_tracks(tracks: Sequence[Sequence[Mark]], weights: Floats) -> Tracks:
    """Pack tracks, each a sequence of marks of one target.

    Args:
        tracks: The tracks; there may be none.
        weights: (T,) how often each is drawn.
    """
    marks = [mark for track in tracks for mark in track]
    boxes = np.array([mark.box for mark in marks]).reshape(-1, 4)
    return Tracks(
        np.array([mark.picture for mark in marks], np.int64),
        boxes[:, None, :2] + (boxes[:, 2:] - boxes[:, :2])[:, None] * (0.5 + 0.5 * _DIRECTIONS.T),
        np.array([mark.bounds for mark in marks]).reshape(-1, 4),
        np.cumsum([0, *(len(track) for track in tracks)]),
        np.asarray(weights, np.float64),
    )


def make_noise(device: torch.device, count: int = 2**20) -> Tensor:
    """Return standard normal numbers (count,), the same on every device."""
    generator = torch.Generator().manual_seed(0)
    return torch.randn(count, generator=generator).to(device)


def noise_picture(seed: int, side: int = PICTURE_SIDE) -> Image:
    """Make a picture of nothing: coloured noise of several octaves, (side, side, 3) uint8."""
    generator = torch.Generator().manual_seed(seed)
    persistence = 0.45 + 0.4 * torch.rand((), generator=generator)
    picture = torch.zeros(1, 3, side, side)
    for octave in range(2, 9):
        grid = torch.randn(1, 3, 2**octave, 2**octave, generator=generator)
        grid[:, 1:] = 0.7 * grid[:, :1] + 0.3 * grid[:, 1:]  # colours differ less than light
        fine = functional.interpolate(grid, (side, side), mode="bicubic")
        picture += persistence**octave * fine
    picture = picture / picture.std()
    contrast, level = torch.rand(2, generator=generator)
    tint = torch.randn(1, 3, 1, 1, generator=generator) * 0.5
    light = torch.sigmoid(picture * (0.3 + contrast) + tint + level * 2 - 1) * 255
    return np.asarray(light[0].permute(1, 2, 0).byte().numpy(), np.uint8)


def outline(opaque: NDArray[np.bool_]) -> Floats:
    """Return (24, 2) the outermost corners of a mask (h, w) in 24 directions, as fractions -1..1.

    Raises:
        ValueError: The mask is empty.
    """
    rows = np.flatnonzero(opaque.any(axis=1))
    if len(rows) == 0:
        raise ValueError("an object has no opaque pixel")
    height, width = opaque.shape
    first = opaque[rows].argmax(axis=1)
    last = width - opaque[rows, ::-1].argmax(axis=1)
    corners = np.concatenate(
        [np.stack([x, rows + y], axis=1) for x in (first, last) for y in (0, 1)]
    )
    outermost = corners[(corners @ _DIRECTIONS).argmax(axis=0)]
    return np.asarray(outermost * (2.0 / width, 2.0 / height) - 1.0)


def _half(image: Image) -> Floats:
    sides = np.array(image.shape[1::-1], np.float64)
    return np.asarray(sides / sides.max())


def _resized(image: Image, side: int) -> Image:
    shrinks = min(image.shape[:2]) > side
    way = cv2.INTER_AREA if shrinks else cv2.INTER_LINEAR
    scale = side / max(image.shape[:2])
    if not shrinks and scale < 1.0:  # Only the longer side shrinks: that one by area, first.
        wide = (min(image.shape[1], side), min(image.shape[0], side))
        image = np.asarray(cv2.resize(image, wide, interpolation=cv2.INTER_AREA), np.uint8)
    return np.asarray(cv2.resize(image, (side, side), interpolation=way), np.uint8)


def _packed(images: Sequence[Image], side: int) -> Image:
    """Return images (h, w, C) of any size as cells (M, C, side, side)."""
    cells = np.empty((len(images), images[0].shape[2], side, side), np.uint8)

    def fill(index: int) -> None:
        cells[index] = _resized(images[index], side).transpose(2, 0, 1)

    with ThreadPoolExecutor() as pool:  # OpenCV lets other threads run while it works.
        for _ in pool.map(fill, range(len(images))):
            pass
    return cells


def _halved(level: Tensor) -> Tensor:
    parts = level.split(_AT_ONCE)
    return torch.cat([functional.avg_pool2d(part.float(), 2).round_().byte() for part in parts])
