# Copyright 2026 mixformer2_ros contributors
# SPDX-License-Identifier: Apache-2.0
"""What JPEG leaves of a picture: 8x8 cosine transform, quantisation and halved colour planes.

The coding itself loses nothing and is left out. Tables and their scaling by quality: ITU-T T.81,
annex K, and libjpeg.
"""

from __future__ import annotations

import math
from functools import lru_cache

import torch
from torch import Tensor
from torch.nn import functional

_LUMA = (
    (16, 11, 10, 16, 24, 40, 51, 61),
    (12, 12, 14, 19, 26, 58, 60, 55),
    (14, 13, 16, 24, 40, 57, 69, 56),
    (14, 17, 22, 29, 51, 87, 80, 62),
    (18, 22, 37, 56, 68, 109, 103, 77),
    (24, 35, 55, 64, 81, 104, 113, 92),
    (49, 64, 78, 87, 103, 121, 120, 101),
    (72, 92, 95, 98, 112, 100, 103, 99),
)
_CHROMA = (
    (17, 18, 24, 47, 99, 99, 99, 99),
    (18, 21, 26, 66, 99, 99, 99, 99),
    (24, 26, 56, 99, 99, 99, 99, 99),
    (47, 66, 99, 99, 99, 99, 99, 99),
    *((99,) * 8,) * 4,
)
_TO_YCC = (
    (0.299, 0.587, 0.114),
    (-0.168736, -0.331264, 0.5),
    (0.5, -0.418688, -0.081312),
)
_FROM_YCC = ((1.0, 0.0, 1.402), (1.0, -0.344136, -0.714136), (1.0, 1.772, 0.0))
_COSINES = tuple(
    tuple(
        math.sqrt((1 if k == 0 else 2) / 8) * math.cos(math.pi * k * (2 * n + 1) / 16)
        for n in range(8)
    )
    for k in range(8)
)


def compress(images: Tensor, quality: Tensor) -> Tensor:
    """Return images as a JPEG file of some quality gives them back (4:2:0).

    Args:
        images: (N, 3, H, W) RGB in [0, 1]; H and W are multiples of 16.
        quality: (N,) 1 to 100.

    Returns:
        (N, 3, H, W), not clipped.
    """
    device = images.device
    planes = torch.einsum("ij,njhw->nihw", _constant(_TO_YCC, device), images * 255.0)
    scale = torch.where(quality < 50, 5000.0 / quality, 200.0 - 2.0 * quality) / 100.0
    luma = _quantised(planes[:, :1] - 128.0, _table(_LUMA, scale)) + 128.0
    colour = functional.avg_pool2d(planes[:, 1:], 2)
    colour = _quantised(colour, _table(_CHROMA, scale))
    colour = functional.interpolate(colour, scale_factor=2.0, mode="bilinear")
    ycc = torch.cat([luma, colour], dim=1) / 255.0
    return torch.einsum("ij,njhw->nihw", _constant(_FROM_YCC, device), ycc)


@lru_cache(maxsize=16)
def _constant(values: tuple[tuple[float, ...], ...], device: torch.device) -> Tensor:
    # Kept, because a copy to the device would wait for all that it still has to do.
    return torch.tensor(values, dtype=torch.float32, device=device)


def _table(table: tuple[tuple[int, ...], ...], scale: Tensor) -> Tensor:
    steps = _constant(table, scale.device) * scale[:, None, None]
    return steps.round().clamp(1.0, 255.0)[:, None, None, :, None, :]


def _quantised(planes: Tensor, steps: Tensor) -> Tensor:
    """Transform, round to multiples of steps (N, 1, 1, 8, 1, 8) and transform back."""
    cosines = _constant(_COSINES, planes.device)
    count, channels, height, width = planes.shape
    blocks = planes.reshape(count, channels, height // 8, 8, width // 8, 8)
    waves = torch.einsum("ui,nchiwj,vj->nchuwv", cosines, blocks, cosines)
    waves = (waves / steps).round() * steps
    blocks = torch.einsum("ui,nchuwv,vj->nchiwj", cosines, waves, cosines)
    return blocks.reshape(count, channels, height, width)
