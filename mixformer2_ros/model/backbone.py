# Copyright 2026 mixformer2_ros contributors
# SPDX-License-Identifier: Apache-2.0
"""The MixFormerV2 backbone: one transformer over template, search and prediction tokens."""

from __future__ import annotations

from typing import cast

import torch
from torch import Tensor, nn

from mixformer2_ros.model.attention import Attention, KeyValue
from mixformer2_ros.model.variants import Variant

PREDICTION_TOKENS = 4


class Mlp(nn.Module):
    """Two-layer perceptron with exact GELU; (B, N, C) in and out."""

    def __init__(self, width: int, hidden: int) -> None:
        super().__init__()
        self.fc1 = nn.Linear(width, hidden)
        self.act = nn.GELU()
        self.fc2 = nn.Linear(hidden, width)

    def forward(self, tokens: Tensor) -> Tensor:
        """Apply the perceptron to every token."""
        return self.fc2(self.act(self.fc1(tokens)))


class Block(nn.Module):
    """Pre-norm transformer block with asymmetric mixed attention.

    Args:
        width: Channels of a token.
        heads: Attention heads.
        mlp_ratio: Hidden width of the MLP over `width`.
    """

    def __init__(self, width: int, heads: int, mlp_ratio: int) -> None:
        super().__init__()
        self.norm1 = nn.LayerNorm(width, eps=1e-6)
        self.attn = Attention(width, heads)
        self.norm2 = nn.LayerNorm(width, eps=1e-6)
        self.mlp = Mlp(width, mlp_ratio * width)

    def forward(self, tokens: Tensor, template_tokens: int) -> Tensor:
        """Full forward of all tokens (B, N, C), the templates' first."""
        tokens = tokens + self.attn(self.norm1(tokens), template_tokens)
        return tokens + self.mlp(self.norm2(tokens))

    def encode(self, templates: Tensor) -> tuple[Tensor, KeyValue]:
        """Forward the templates' tokens alone; also return what other tokens see of them."""
        query, memory = self.attn.query_key_value(self.norm1(templates))
        templates = templates + self.attn.attend(query, memory)
        return templates + self.mlp(self.norm2(templates)), memory

    def key_value(self, tokens: Tensor) -> KeyValue:
        """Keys and values of tokens (B, N, C) that enter this block."""
        return self.attn.key_value(self.norm1(tokens))

    def locate(self, tokens: Tensor, templates: KeyValue, leaving: int | None = None) -> Tensor:
        """Forward search and prediction tokens against cached templates.

        Args:
            tokens: (B, N, C) search tokens, then prediction tokens.
            templates: Keys and values of the templates in this block.
            leaving: Only the last `leaving` tokens are needed afterwards; None means all.

        Returns:
            (B, N or `leaving`, C), equal to the same rows of the full forward.
        """
        normed = self.norm1(tokens)
        if leaving is None:
            query, own = self.attn.query_key_value(normed)
        else:
            query, own = self.attn.query(normed[:, -leaving:]), self.attn.key_value(normed)
            tokens = tokens[:, -leaving:]
        memory = KeyValue(
            torch.cat([templates.keys, own.keys], dim=2),
            torch.cat([templates.values, own.values], dim=2),
        )
        tokens = tokens + self.attn.attend(query, memory)
        return tokens + self.mlp(self.norm2(tokens))


class PatchEmbedding(nn.Module):
    """Cut an image (B, 3, H, W) into patches and project each to a token: (B, N, C)."""

    def __init__(self, width: int, patch: int) -> None:
        super().__init__()
        self.proj = nn.Conv2d(3, width, kernel_size=patch, stride=patch)

    def forward(self, image: Tensor) -> Tensor:
        """Return the patches' tokens in row-major order."""
        return self.proj(image).flatten(2).transpose(1, 2)


def sincos_position_embedding(width: int, grid: int) -> Tensor:
    """Return fixed 2-D sine-cosine position embeddings, (1, grid * grid, width) float32.

    The first half of the channels encodes the column, the second half the row; each half holds
    all sines, then all cosines (as in MAE, arXiv 2111.06377).
    """
    frequency = 10000.0 ** (-torch.arange(width // 4, dtype=torch.float64) / (width // 4))
    angles = torch.arange(grid, dtype=torch.float64)[:, None] * frequency
    axis = torch.cat([angles.sin(), angles.cos()], dim=1)
    columns = axis[None].expand(grid, -1, -1)
    rows = axis[:, None].expand(-1, grid, -1)
    return torch.cat([columns, rows], dim=2).flatten(0, 1)[None].float()


class TokenMixer(nn.Module):
    """What MixFormerV2 and its teacher share: embeddings of the crops, and the blocks.

    Args:
        variant: Sizes of the network.
    """

    def __init__(self, variant: Variant) -> None:
        super().__init__()
        width = variant.width
        self.template_tokens = 2 * variant.template_tokens
        self.patch_embed = PatchEmbedding(width, variant.patch)
        self.blocks = nn.ModuleList(
            Block(width, variant.heads, variant.mlp_ratio) for _ in range(variant.depth)
        )
        # Parameters rather than buffers only because the published checkpoints hold them.
        self.pos_embed_t = nn.Parameter(
            sincos_position_embedding(width, variant.template_size // variant.patch),
            requires_grad=False,
        )
        self.pos_embed_s = nn.Parameter(
            sincos_position_embedding(width, variant.search_size // variant.patch),
            requires_grad=False,
        )

    def layers(self) -> list[Block]:
        """Return the blocks, the first one first."""
        return cast("list[Block]", list(self.blocks))

    def embed_templates(self, template: Tensor, online_template: Tensor) -> Tensor:
        """Tokens (B, 2 * N_template, C) of two template images (B, 3, T, T)."""
        tokens = [
            self.patch_embed(image) + self.pos_embed_t for image in (template, online_template)
        ]
        return torch.cat(tokens, dim=1)

    def embed_search(self, search: Tensor) -> Tensor:
        """Tokens (B, N_search, C) of search images (B, 3, S, S)."""
        return self.patch_embed(search) + self.pos_embed_s

    def forward(self, template: Tensor, online_template: Tensor, search: Tensor) -> list[Tensor]:
        """Full forward.

        Args:
            template: (B, 3, T, T) normalised RGB.
            online_template: (B, 3, T, T) normalised RGB.
            search: (B, 3, S, S) normalised RGB.

        Returns:
            The output (B, N, C) of every block; token order: template, online template, search,
            and whatever `embed_search` adds to it.
        """
        tokens = torch.cat(
            [self.embed_templates(template, online_template), self.embed_search(search)], dim=1
        )
        outputs = []
        for block in self.blocks:
            tokens = block(tokens, self.template_tokens)
            outputs.append(tokens)
        return outputs


class Backbone(TokenMixer):
    """Tokens in, tokens out: the full forward, and its two cached halves.

    The full forward's search tokens are followed by 4 prediction tokens (left, right, top, bottom).

    Args:
        variant: Sizes of the network.
    """

    def __init__(self, variant: Variant) -> None:
        super().__init__(variant)
        width = variant.width
        self.reg_tokens = nn.Parameter(torch.randn(1, PREDICTION_TOKENS, width) * 0.02)
        self.pos_embed_reg = nn.Parameter(torch.randn(1, PREDICTION_TOKENS, width) * 0.02)

    def embed_search(self, search: Tensor) -> Tensor:
        """Tokens (B, N_search + 4, C) of search images (B, 3, S, S), prediction tokens last."""
        tokens = super().embed_search(search)
        prediction = (self.reg_tokens + self.pos_embed_reg).expand(len(tokens), -1, -1)
        return torch.cat([tokens, prediction], dim=1)

    def encode_templates(self, template: Tensor, online_template: Tensor) -> list[KeyValue]:
        """Return every block's keys and values of both templates, encoded jointly.

        Args:
            template: (B, 3, T, T) normalised RGB.
            online_template: (B, 3, T, T) normalised RGB.
        """
        tokens = self.embed_templates(template, online_template)
        memory = []
        *layers, last = self.layers()
        for block in layers:
            tokens, seen = block.encode(tokens)
            memory.append(seen)
        memory.append(last.key_value(tokens))
        return memory

    def locate(self, memory: list[KeyValue], search: Tensor) -> Tensor:
        """Return the final prediction tokens (B, 4, C) for search images (B, 3, S, S).

        The templates come from `encode_templates`; the last block is evaluated for the prediction
        tokens only. Both are exact.
        """
        tokens = self.embed_search(search)
        *layers, last = self.layers()
        for block, seen in zip(layers, memory[:-1], strict=True):
            tokens = block.locate(tokens, seen)
        return last.locate(tokens, memory[-1], leaving=PREDICTION_TOKENS)
