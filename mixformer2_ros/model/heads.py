# Copyright 2026 mixformer2_ros contributors
# SPDX-License-Identifier: Apache-2.0
"""Heads that read a box and a score out of the four prediction tokens."""

from __future__ import annotations

import torch
from torch import Tensor, nn

# Order of the prediction tokens in the published networks, and of the edges everywhere else.
TOKEN_ORDER = ("left", "right", "top", "bottom")
EDGE_ORDER = ("left", "top", "right", "bottom")
_EDGES_FROM_TOKENS = [TOKEN_ORDER.index(edge) for edge in EDGE_ORDER]


class BoxHead(nn.Module):
    """One perceptron, shared by the four tokens, that gives each edge's distribution.

    Args:
        width: Channels of a token.
        bins: Bins over the side of the search crop.
    """

    def __init__(self, width: int, bins: int) -> None:
        super().__init__()
        self.layers = nn.Sequential(
            nn.Sequential(nn.Linear(width, width), nn.LayerNorm(width), nn.ReLU()),
            nn.Sequential(nn.Linear(width, bins), nn.LayerNorm(bins)),
        )

    def forward(self, tokens: Tensor) -> Tensor:
        """Return edge logits (B, 4, bins), left, top, right, bottom, of tokens (B, 4, C)."""
        return self.layers(tokens[:, _EDGES_FROM_TOKENS])


class ScoreHead(nn.Module):
    """Perceptron on each token; the mean of the four is the logit of "the target is here".

    Args:
        width: Channels of a token.
    """

    def __init__(self, width: int) -> None:
        super().__init__()
        self.layers = nn.Sequential(
            nn.Sequential(nn.Linear(width, width), nn.ReLU()), nn.Linear(width, 1)
        )

    def forward(self, tokens: Tensor) -> Tensor:
        """Return logits (B,) of tokens (B, 4, C)."""
        return self.layers(tokens).mean(dim=(1, 2))


def expected_edges(probabilities: Tensor) -> Tensor:
    """Return expected edge positions (..., 4) as fractions of the crop.

    Args:
        probabilities: (..., 4, bins); bin i stands for i / bins, without a half-bin offset.
    """
    bins = probabilities.shape[-1]
    positions = torch.arange(bins, device=probabilities.device, dtype=probabilities.dtype) / bins
    return probabilities @ positions


def edges_to_box(edges: Tensor) -> Tensor:
    """Convert edges (..., 4) left, top, right, bottom to boxes cx, cy, w, h.

    Corners may cross: a negative width or height is passed on, as in the published networks.
    """
    near, far = edges[..., :2], edges[..., 2:]
    return torch.cat([(near + far) / 2, far - near], dim=-1)
