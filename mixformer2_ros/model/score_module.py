# Copyright 2026 mixformer2_ros contributors
# SPDX-License-Identifier: Apache-2.0
"""The score prediction module of MixFormer (arXiv 2203.11082, section 3.3)."""

from __future__ import annotations

import math

import torch
import torch.nn.functional as F
from torch import Tensor, nn

_POOLED = 4
_SMALLEST_ROI = 1e-2  # cells; a degenerate box would otherwise divide by nothing


def pool_boxes(grid: Tensor, boxes: Tensor, bins: int) -> Tensor:
    """Average features over the bins of boxes: precise RoI pooling (arXiv 1807.11590).

    The features are interpolated linearly between cells, and 0 one cell beyond the border; the mean
    of that surface over each bin is exact, since it separates into rows and columns.

    Args:
        grid: (B, C, H, W) features; cell i stands for the coordinate i, as in the corner maps.
        boxes: (B, 4) x1, y1, x2, y2, cells.
        bins: Bins of a box along each axis.

    Returns:
        (B, C, bins, bins).
    """
    columns = _bin_weights(boxes[:, 0], boxes[:, 2], bins, grid.shape[3]).to(grid.dtype)
    rows = _bin_weights(boxes[:, 1], boxes[:, 3], bins, grid.shape[2]).to(grid.dtype)
    return rows[:, None] @ grid @ columns.mT[:, None]


def _bin_weights(start: Tensor, end: Tensor, bins: int, cells: int) -> Tensor:
    """Return (B, bins, cells): what each cell adds to the mean over each bin of (start, end)."""
    share = torch.arange(bins + 1, device=start.device, dtype=start.dtype) / bins
    length = (end - start).clamp_min(_SMALLEST_ROI)
    limits = start[:, None] + share * length[:, None]
    cell = torch.arange(cells, device=start.device, dtype=start.dtype)
    offset = (limits[..., None] - cell).clamp(-1, 1)
    # Integral of the hat 1 - |t| from -1 to each offset.
    integral = 0.5 + offset - 0.5 * offset * offset.abs()
    return integral.diff(dim=1) * bins / length[:, None, None]


class ScoreModule(nn.Module):
    """A learnt token attends to the predicted box in the search crop, then to the initial template.

    Args:
        width: Channels of a token.
        heads: Attention heads.
    """

    def __init__(self, width: int, heads: int) -> None:
        super().__init__()
        self.heads = heads
        self.score_token = nn.Parameter(0.02 * torch.randn(1, 1, width))
        self.norm1 = nn.LayerNorm(width)
        self.proj_q = nn.ModuleList(nn.Linear(width, width) for _ in range(2))
        self.proj_k = nn.ModuleList(nn.Linear(width, width) for _ in range(2))
        self.proj_v = nn.ModuleList(nn.Linear(width, width) for _ in range(2))
        self.proj = nn.ModuleList(nn.Linear(width, width) for _ in range(2))
        self.norm2 = nn.ModuleList(nn.LayerNorm(width) for _ in range(2))
        self.layers = nn.ModuleList(nn.Linear(width, outputs) for outputs in (width, width, 1))

    def forward(self, search: Tensor, template: Tensor, edges: Tensor) -> Tensor:
        """Judge boxes.

        Args:
            search: (B, N, C) tokens of the search crop.
            template: (B, N_template, C) tokens of the initial template.
            edges: (B, 4) x1, y1, x2, y2 of the boxes, fractions of the search crop.

        Returns:
            (B,) logit that the target is there.
        """
        side = math.isqrt(search.shape[1])
        grid = search.transpose(1, 2).unflatten(2, (side, side))
        pooled = pool_boxes(grid, edges.float() * side, _POOLED).flatten(2).transpose(1, 2)
        token = self.norm1(self.score_token.expand(len(search), -1, -1))
        for index, memory in enumerate((pooled, template)):
            token = self.norm2[index](self._attend(index, token, memory))
        *hidden, last = self.layers
        for layer in hidden:
            token = F.relu(layer(token))
        return last(token).flatten()

    def _attend(self, index: int, token: Tensor, memory: Tensor) -> Tensor:
        query = self._split_heads(self.proj_q[index](token))
        keys = self._split_heads(self.proj_k[index](memory))
        values = self._split_heads(self.proj_v[index](memory))
        # Scaled by the whole width, not a head's, as the published weights expect.
        scale = token.shape[-1] ** -0.5
        mixed = F.scaled_dot_product_attention(query, keys, values, scale=scale)
        return self.proj[index](mixed.transpose(1, 2).flatten(2))

    def _split_heads(self, tokens: Tensor) -> Tensor:
        return tokens.unflatten(2, (self.heads, -1)).transpose(1, 2)
