# Copyright 2026 mixformer2_ros contributors
# SPDX-License-Identifier: Apache-2.0
"""P-MAM: the prediction-token-involved mixed attention of MixFormerV2 (arXiv 2305.15896, 3.2)."""

from __future__ import annotations

from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor, nn


class KeyValue(NamedTuple):
    """Keys and values of some tokens, each (B, heads, N, C / heads)."""

    keys: Tensor
    values: Tensor


class Attention(nn.Module):
    """Multi-head attention whose queries may be fewer tokens than its keys.

    Args:
        width: Channels C of a token.
        heads: Number of heads; divides `width`.
    """

    def __init__(self, width: int, heads: int) -> None:
        super().__init__()
        self.heads = heads
        self.qkv = nn.Linear(width, 3 * width)
        self.proj = nn.Linear(width, width)

    def _split_heads(self, tokens: Tensor) -> Tensor:
        batch, count, _ = tokens.shape
        return tokens.view(batch, count, self.heads, -1).transpose(1, 2)

    def query_key_value(self, tokens: Tensor) -> tuple[Tensor, KeyValue]:
        """Project tokens (B, N, C) to queries (B, heads, N, C / heads), keys and values."""
        query, keys, values = self.qkv(tokens).chunk(3, dim=-1)
        return self._split_heads(query), KeyValue(
            self._split_heads(keys), self._split_heads(values)
        )

    def query(self, tokens: Tensor) -> Tensor:
        """Project tokens (B, N, C) to queries only."""
        width = self.proj.in_features
        return self._split_heads(F.linear(tokens, self.qkv.weight[:width], self.qkv.bias[:width]))

    def key_value(self, tokens: Tensor) -> KeyValue:
        """Project tokens (B, N, C) to keys and values only."""
        width = self.proj.in_features
        projected = F.linear(tokens, self.qkv.weight[width:], self.qkv.bias[width:])
        keys, values = projected.chunk(2, dim=-1)
        return KeyValue(self._split_heads(keys), self._split_heads(values))

    def attend(self, query: Tensor, memory: KeyValue) -> Tensor:
        """Attend from `query` to `memory` and merge the heads: (B, N_query, C)."""
        mixed = F.scaled_dot_product_attention(query, memory.keys, memory.values)
        return self.proj(mixed.transpose(1, 2).flatten(2))

    def forward(self, tokens: Tensor, template_tokens: int) -> Tensor:
        """Mix tokens asymmetrically.

        Args:
            tokens: (B, N, C), the tokens of both templates first.
            template_tokens: How many of them belong to the templates. Their queries see only each
                other; all others see every token. So what a template gives to the search never
                depends on the search, and can be cached.

        Returns:
            (B, N, C).
        """
        query, memory = self.query_key_value(tokens)
        templates = KeyValue(
            memory.keys[:, :, :template_tokens], memory.values[:, :, :template_tokens]
        )
        return torch.cat(
            [
                self.attend(query[:, :, :template_tokens], templates),
                self.attend(query[:, :, template_tokens:], memory),
            ],
            dim=1,
        )
