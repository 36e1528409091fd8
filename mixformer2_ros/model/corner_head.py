# Copyright 2026 mixformer2_ros contributors
# SPDX-License-Identifier: Apache-2.0
"""The corner head of MixViT (arXiv 2302.02814): two heat maps, and their expected positions."""

from __future__ import annotations

import math

import torch
import torch.nn.functional as F
from torch import Tensor, nn


def _convolution(inputs: int, outputs: int) -> nn.Sequential:
    return nn.Sequential(
        nn.Conv2d(inputs, outputs, kernel_size=3, padding=1), nn.BatchNorm2d(outputs), nn.ReLU()
    )


class CornerBranch(nn.Module):
    """Heat map of one corner at the resolution of the tokens.

    Args:
        width: Channels of a token.
        channels: Channels of the first convolution; each following one has half of them.
    """

    def __init__(self, width: int, channels: int) -> None:
        super().__init__()
        self.conv1 = _convolution(width, channels)
        self.conv2 = _convolution(channels, channels // 2)
        self.conv3 = _convolution(channels // 2, channels // 4)
        self.conv4 = _convolution(channels // 4, channels // 8)
        self.conv5 = nn.Conv2d(channels // 8, 1, kernel_size=1)

    def forward(self, tokens: Tensor) -> Tensor:
        """Return logits (B, 1, N, N) of tokens (B, C, N, N)."""
        return self.conv5(self.conv4(self.conv3(self.conv2(self.conv1(tokens)))))


class PyramidCornerBranch(CornerBranch):
    """Heat map of one corner at four times the resolution of the tokens.

    Between its convolutions the map is doubled twice; the tokens and the coarser levels are added
    to the finer ones.
    """

    def __init__(self, width: int, channels: int) -> None:
        super().__init__(width, channels)
        half, quarter, eighth = channels // 2, channels // 4, channels // 8
        self.adjust1 = _convolution(width, half)
        self.adjust2 = _convolution(width, quarter)
        self.adjust3 = nn.Sequential(
            _convolution(half, quarter), _convolution(quarter, eighth), _convolution(eighth, 1)
        )
        self.adjust4 = nn.Sequential(_convolution(quarter, eighth), _convolution(eighth, 1))

    def forward(self, tokens: Tensor) -> Tensor:
        """Return logits (B, 1, 4 N, 4 N) of tokens (B, C, N, N)."""
        coarse = self.conv2(self.conv1(tokens))
        middle = self.conv3(_enlarged(self.adjust1(tokens), 2) + _enlarged(coarse, 2))
        fine = self.conv4(_enlarged(self.adjust2(tokens), 4) + _enlarged(middle, 2))
        return (
            self.conv5(fine)
            + _enlarged(self.adjust3(coarse), 4)
            + _enlarged(self.adjust4(middle), 2)
        )


def _enlarged(grid: Tensor, factor: int) -> Tensor:
    return F.interpolate(grid, scale_factor=factor, mode="nearest")


class CornerHead(nn.Module):
    """Heat maps of the top left and the bottom right corner.

    Args:
        width: Channels of a token.
        channels: Channels of the first convolution; a multiple of 8.
        pyramid: Maps of four cells a token and axis rather than one.
    """

    def __init__(self, width: int, channels: int, pyramid: bool) -> None:
        super().__init__()
        branch = PyramidCornerBranch if pyramid else CornerBranch
        self.top_left = branch(width, channels)
        self.bottom_right = branch(width, channels)

    def forward(self, tokens: Tensor) -> Tensor:
        """Return logits of both maps.

        Args:
            tokens: (B, N, C) search tokens in row-major order.

        Returns:
            (B, 2, M, M): top left, bottom right; rows, columns.
        """
        side = math.isqrt(tokens.shape[1])
        grid = tokens.transpose(1, 2).unflatten(2, (side, side))
        return torch.cat([self.top_left(grid), self.bottom_right(grid)], dim=1)


def corner_probabilities(logits: Tensor) -> Tensor:
    """Return the maps (B, 2, M, M) as distributions over their cells."""
    return logits.flatten(2).softmax(dim=-1).view_as(logits)


def edge_marginals(corners: Tensor) -> Tensor:
    """Sum distributions of corners over the other axis (arXiv 2305.15896, section 3.3).

    Args:
        corners: (B, 2, M, M) probabilities of the top left and bottom right corner.

    Returns:
        (B, 4, M) probabilities of the left, top, right and bottom edge.
    """
    columns, rows = corners.sum(dim=2), corners.sum(dim=3)
    return torch.stack([columns[:, 0], rows[:, 0], columns[:, 1], rows[:, 1]], dim=1)
