# Copyright 2026 mixformer2_ros contributors
# SPDX-License-Identifier: Apache-2.0
"""What light and camera do to a picture: resolution, blur, light, colour, noise, compression."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, fields

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional

from mixformer2_ros.scenes.batched.compression import compress
from mixformer2_ros.scenes.batched.tape import Tape
from mixformer2_ros.scenes.batched.upload import upload

Floats = NDArray[np.float64]

_KERNEL = 11
_MAX_COARSE = 2.5
_LUMA = np.array([0.299, 0.587, 0.114])


@dataclass(frozen=True)
class Optics:
    """How each view is taken; all arrays have the same leading axes, written ... below.

    Attributes:
        coarse: (...) octaves of resolution lost, 0 to 2.5.
        blur: (..., 3) deviations along and across, pixels, and direction, rad; along 0 = none.
        light: (..., 4, 4) logarithm of the light, a coarse map over the crop.
        shadow: (..., 5, 5) where positive, a shadow falls.
        shadow_depth: (...) logarithm of the light that a shadow takes away; 0 = none.
        shadow_edge: (...) how sharp its edge is.
        colour: (..., 3, 3) colour response.
        offset: (..., 3) brightness added, fractions.
        gamma: (...) exponent of the response.
        noise: (...) deviation of the grain, fractions.
        grain: (...) int64, where in the atlas' noise it is read from.
        quality: (...) of the JPEG compression; 0 = none.
    """

    coarse: Floats
    blur: Floats
    light: Floats
    shadow: Floats
    shadow_depth: Floats
    shadow_edge: Floats
    colour: Floats
    offset: Floats
    gamma: Floats
    noise: Floats
    grain: NDArray[np.int64]
    quality: Floats

    def perfect(self, samples: NDArray[np.bool_]) -> Optics:
        """Return the same with a camera that changes nothing for some samples (first axis)."""
        arrays = {field.name: getattr(self, field.name).copy() for field in fields(self)}
        for array in arrays.values():
            array[samples] = 0
        arrays["colour"][samples] = np.eye(3)
        arrays["gamma"][samples] = 1.0
        return Optics(**arrays)

    def views(self, part: slice) -> Optics:
        """Return a part of the views (second axis), with sample and view merged into one axis."""
        arrays = {field.name: getattr(self, field.name)[:, part] for field in fields(self)}
        return Optics(
            **{name: array.reshape(-1, *array.shape[2:]) for name, array in arrays.items()}
        )


def draw_optics(tape: Tape, sizes: Floats) -> Optics:
    """Draw a camera for each sample and what it does in each view.

    Args:
        tape: Source of randomness.
        sizes: (G, V) size of the target in each view, pixels.
    """
    samples, views = sizes.shape
    every = (samples, views)
    sensor = np.where(tape.chance(0.5), tape.log_uniform(14, 64), np.inf)
    coarse = np.log2(np.maximum(sizes / sensor[:, None], 1.0))
    relit = tape.chance(0.7, views)[..., None]
    uneven = tape.chance(0.4)
    light = tape.uniform(views, 4, 4, low=-0.5, high=0.5)
    light = light * (uneven[:, None] * tape.uniform(views))[..., None, None]
    dark = tape.chance(0.15)[:, None] & tape.chance(0.6, views)
    noisy = tape.chance(0.3) * tape.uniform(low=1 / 255, high=9 / 255)
    quality = np.where(tape.chance(0.25), tape.uniform(low=25, high=92), 0.0)
    return Optics(
        coarse=np.minimum(coarse, _MAX_COARSE),
        blur=_draw_blur(tape, views),
        light=light,
        shadow=tape.uniform(views, 5, 5, low=-1.7, high=1.7),
        shadow_depth=dark * tape.uniform(views, low=0.2, high=0.9),
        shadow_edge=tape.log_uniform(3, 25, views),
        colour=_draw_colour(tape, relit),
        offset=relit * tape.normal(views, 1) * (6 / 255) * np.ones((*every, 3)),
        gamma=np.exp(relit[..., 0] * tape.normal(views) * 0.15),
        noise=np.broadcast_to(noisy[:, None], every),
        grain=tape.integers(2**20, views),
        quality=np.broadcast_to(quality[:, None], every),
    )


def _draw_blur(tape: Tape, views: int) -> Floats:
    kind, strength = tape.uniform(views), tape.uniform(views)
    moving = kind < 0.08
    sharp = kind > 0.16
    along = np.where(moving, 0.9 + 2.6 * strength, 0.6 + 1.4 * strength)
    across = np.where(moving, 0.35, along)
    return np.stack([np.where(sharp, 0.0, along), across, tape.uniform(views) * np.pi], axis=-1)


def _draw_colour(tape: Tape, relit: NDArray[np.bool_]) -> Floats:
    views = relit.shape[1]
    gain = np.exp(relit * (tape.normal(views, 1) * 0.15 + tape.normal(views, 3) * 0.04))
    saturation = 1.0 + relit[..., None] * tape.normal(views, 1, 1) * 0.15
    saturation = np.where(tape.chance(0.06)[:, None, None, None], 0.0, saturation)
    mixed = saturation * np.eye(3) + (1.0 - saturation) * _LUMA
    return np.asarray(mixed * gain[..., None, :])


def expose(images: Tensor, optics: Optics, grain: Tensor) -> Tensor:
    """Take pictures.

    Args:
        images: (N, 3, S, S) ideal pictures in [0, 1]; used up. S is a multiple of 16.
        optics: How, with leading axis (N,).
        grain: The atlas' noise.

    Returns:
        (N, 3, S, S) in [0, 1].
    """
    device = images.device
    _apply(images, optics.coarse > 0.1, optics.coarse, _lose_detail)
    _apply(images, optics.blur[:, 0] > 0, optics.blur, _blurred)
    images *= _light(optics, images.shape[-1], device)
    colour, offset = upload(optics.colour, device), upload(optics.offset, device)
    response = torch.baddbmm(offset[:, :, None], colour, images.flatten(2)).clamp_(1e-4, 1.0)
    images = response.pow_(upload(optics.gamma, device)[:, None, None]).view_as(images)
    rows = np.flatnonzero(optics.noise > 0)
    if len(rows):
        texture = _grain(grain, upload(optics.grain[rows], device), images[0].numel())
        texture = texture * upload(optics.noise[rows], device)[:, None]
        images.index_add_(0, upload(rows, device), texture.view(-1, *images.shape[1:]))
    _apply(images, optics.quality > 0, optics.quality, compress)
    return images.clamp_(0.0, 1.0)


def _apply(
    images: Tensor,
    where: NDArray[np.bool_],
    values: Floats,
    change: Callable[[Tensor, Tensor], Tensor],
) -> None:
    """Change some of the images, in place; which ones the host knows already."""
    rows = np.flatnonzero(where)
    if len(rows):
        index = upload(rows, images.device)
        part = change(images.index_select(0, index), upload(values[rows], images.device))
        images.index_copy_(0, index, part)


def _lose_detail(images: Tensor, octaves: Tensor) -> Tensor:
    """Mix an image from its halved copies so that about 2**octaves pixels become one."""
    side = images.shape[-1]
    weights = (1.0 - (octaves[:, None] - torch.arange(4, device=octaves.device)).abs()).clamp_min(0)
    weights = weights[:, :, None, None, None]
    mixed, small = images * weights[:, 0], images
    for level in range(1, 4):
        small = functional.avg_pool2d(small, 2)
        large = functional.interpolate(small, (side, side), mode="bilinear")
        mixed = torch.addcmul(mixed, large, weights[:, level])
    return mixed


def _blurred(images: Tensor, blur: Tensor) -> Tensor:
    """Convolve each image with its own Gaussian: round (defocus) or long (motion)."""
    count, channels, height, width = images.shape
    line = torch.arange(_KERNEL, device=images.device) - _KERNEL // 2
    y, x = line[:, None], line[None, :]
    along, across, angle = (value[:, None, None] for value in blur.unbind(1))
    forward = x * angle.cos() + y * angle.sin()
    sideways = y * angle.cos() - x * angle.sin()
    kernel = torch.exp(-0.5 * ((forward / along) ** 2 + (sideways / across) ** 2))
    kernel = kernel / kernel.sum(dim=(1, 2), keepdim=True)
    kernel = kernel.repeat_interleave(channels, 0, output_size=count * channels)[:, None]
    padded = functional.pad(images, (_KERNEL // 2,) * 4, mode="replicate")
    stacked = padded.view(1, count * channels, *padded.shape[2:])
    blurred = functional.conv2d(stacked, kernel, groups=count * channels)
    return blurred.view(count, channels, height, width)


def _light(optics: Optics, side: int, device: torch.device) -> Tensor:
    """Return the light on every pixel, (N, 1, side, side)."""
    field = functional.interpolate(
        upload(optics.light, device)[:, None], (side, side), mode="bicubic", align_corners=True
    )
    rows = np.flatnonzero(optics.shadow_depth)
    if len(rows):
        shape = upload(optics.shadow[rows], device)[:, None]
        shape = functional.interpolate(shape, (side, side), mode="bicubic", align_corners=True)
        edge, depth = (
            upload(values[rows], device)[:, None, None, None]
            for values in (optics.shadow_edge, optics.shadow_depth)
        )
        field.index_add_(0, upload(rows, device), -depth * torch.sigmoid(edge * shape))
    return field.exp_()


def _grain(noise: Tensor, starts: Tensor, count: int) -> Tensor:
    places = starts[:, None] + torch.arange(count, device=noise.device)
    return noise[places & (noise.numel() - 1)]
