# Copyright 2026 mixformer2_ros contributors
# SPDX-License-Identifier: Apache-2.0
"""The network as it is trained: cheaper than the full forward, and supervised at every depth.

Three exact savings: the templates of a sample are encoded once for all its search crops; two equal
templates are encoded once, and their keys count twice; and only the prediction tokens go through
the last block. One approximation: the search crop may be reduced to a window of its tokens, at
their own positions, which trains the same function on fewer tokens.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from mixformer2_ros.model import MixFormerV2
from mixformer2_ros.model.attention import Attention, KeyValue
from mixformer2_ros.model.backbone import PREDICTION_TOKENS, Block
from mixformer2_ros.model.variants import IMAGE_MEAN, IMAGE_STD
from mixformer2_ros.training.parts import blocks_of


@dataclass
class LayerOutput:
    """What one block's output is supervised by; B = samples x search crops.

    Attributes:
        edge_logits: (B, 4, bins), edges left, top, right, bottom.
        inside: (B, N) logits of "this search token's centre lies in the target"; None for the
            last block, whose search tokens are never computed.
        offsets: (B, N, 4) distances of the token's centre to the four edges, fractions of the
            crop; None for the last block.
    """

    edge_logits: Tensor
    inside: Tensor | None
    offsets: Tensor | None


@dataclass
class TrainingOutput:
    """Everything the losses need.

    Attributes:
        layers: The supervised blocks; the last one is the network's own answer.
        score: (B,) logit that the target is in the crop.
        centres: (B, N, 2) x, y of the search tokens' centres, fractions of the crop.
    """

    layers: list[LayerOutput]
    score: Tensor
    centres: Tensor


class TokenHead(nn.Module):
    """Training-only reading of search tokens: inside the target, and distances to its edges."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.norm = nn.LayerNorm(width, eps=1e-6)
        self.proj = nn.Linear(width, 5)
        nn.init.zeros_(self.proj.weight)
        with torch.no_grad():
            self.proj.bias.copy_(torch.tensor([-2.0, 0.1, 0.1, 0.1, 0.1]))

    def forward(self, tokens: Tensor) -> tuple[Tensor, Tensor]:
        """Return logits (B, N) and distances (B, N, 4) of tokens (B, N, C)."""
        values = self.proj(self.norm(tokens)).float()
        return values[..., 0], values[..., 1:]


class TrainingNetwork(nn.Module):
    """MixFormerV2 with auxiliary heads.

    Args:
        model: The network to train.
        supervised: How many blocks before the last one are supervised too.
    """

    mean: Tensor
    std: Tensor

    def __init__(self, model: MixFormerV2, supervised: int) -> None:
        super().__init__()
        self.model = model
        depth = len(model.backbone.blocks)
        self.first_supervised = max(0, depth - 1 - supervised)
        width = model.backbone.reg_tokens.shape[-1]
        self.token_heads = nn.ModuleList(
            TokenHead(width) for _ in range(depth - 1 - self.first_supervised)
        )
        self.register_buffer("mean", torch.tensor(IMAGE_MEAN) * 255, persistent=False)
        self.register_buffer("std", torch.tensor(IMAGE_STD) * 255, persistent=False)

    def forward(
        self, templates: Tensor, searches: Tensor, corners: Tensor, window: int
    ) -> TrainingOutput:
        """Locate each search crop's target.

        Args:
            templates: (G, n, T, T, 3) uint8 RGB; n = 2, or 1 where both templates are the same.
            searches: (G, K, S, S, 3) uint8 RGB.
            corners: (G * K, 2) int64 row and column of the first token of the window.
            window: Side of the window in tokens; the side of the token grid for all.
        """
        backbone = self.model.backbone
        grid = math.isqrt(backbone.pos_embed_s.shape[1])
        repeats = searches.shape[1]
        tokens, centres = self._search_tokens(searches.flatten(0, 1), corners, window, grid)
        memory = self._template_tokens(templates)
        twice = templates.shape[1] == 1
        layers = []
        depth = len(backbone.blocks)
        for index, block in enumerate(blocks_of(self.model)):
            last = index == depth - 1
            memory, seen = _encode(block, memory, last)
            seen = KeyValue(*(value.repeat_interleave(repeats, dim=0) for value in seen))
            tokens = _locate(block, tokens, seen, twice, PREDICTION_TOKENS if last else None)
            if index >= self.first_supervised:
                layers.append(self._read(tokens, index, last))
        score = self.model.score_head(tokens[:, -PREDICTION_TOKENS:]).float()
        return TrainingOutput(layers, score, centres)

    def _read(self, tokens: Tensor, index: int, last: bool) -> LayerOutput:
        edge_logits = self.model.box_head(tokens[:, -PREDICTION_TOKENS:]).float()
        if last:
            return LayerOutput(edge_logits, None, None)
        head = self.token_heads[index - self.first_supervised]
        inside, offsets = head(tokens[:, :-PREDICTION_TOKENS])
        return LayerOutput(edge_logits, inside, offsets)

    def _embed(self, patches: Tensor) -> Tensor:
        """Project patches (..., 16, 16, 3) uint8 to tokens."""
        projection = self.model.backbone.patch_embed.proj
        values = (patches.float() - self.mean) / self.std
        weight = projection.weight.permute(0, 2, 3, 1).flatten(1)
        return F.linear(values.flatten(-3), weight, projection.bias)

    def _template_tokens(self, templates: Tensor) -> Tensor:
        backbone = self.model.backbone
        patches = patchify(templates.flatten(0, 1), backbone.patch_embed.proj.kernel_size[0])
        tokens = self._embed(patches.flatten(1, 2)) + backbone.pos_embed_t
        return tokens.reshape(len(templates), -1, tokens.shape[-1])

    def _search_tokens(
        self, searches: Tensor, corners: Tensor, window: int, grid: int
    ) -> tuple[Tensor, Tensor]:
        backbone = self.model.backbone
        steps = torch.arange(window, device=searches.device)
        rows = (corners[:, :1] + steps)[:, :, None].expand(-1, -1, window)
        columns = (corners[:, 1:] + steps)[:, None].expand(-1, window, -1)
        patches = patchify(searches, backbone.patch_embed.proj.kernel_size[0])
        batch = torch.arange(len(searches), device=searches.device)[:, None, None]
        chosen = patches[batch, rows, columns].flatten(1, 2)
        index = (rows * grid + columns).flatten(1)
        tokens = self._embed(chosen) + backbone.pos_embed_s[0][index]
        prediction = (backbone.reg_tokens + backbone.pos_embed_reg).expand(len(tokens), -1, -1)
        centres = (torch.stack([columns, rows], dim=-1).flatten(1, 2).float() + 0.5) / grid
        return torch.cat([tokens, prediction], dim=1), centres


def patchify(images: Tensor, patch: int) -> Tensor:
    """Cut images (B, H, W, 3) into patches (B, H / patch, W / patch, patch, patch, 3)."""
    batch, height, width, channels = images.shape
    cut = images.view(batch, height // patch, patch, width // patch, patch, channels)
    return cut.transpose(2, 3)


def attend_written_out(query: Tensor, memory: KeyValue, twice: int) -> Tensor:
    """Attend with keys of which the first `twice` count twice: (B, heads, N_query, C / heads).

    For so few tokens this is faster on a CPU, backward above all, than the fused form.
    """
    scores = query @ memory.keys.transpose(-1, -2) * query.shape[-1] ** -0.5
    if twice:
        bias = scores.new_zeros(scores.shape[-1])
        bias[:twice] = math.log(2.0)
        scores = scores + bias
    return scores.softmax(dim=-1).to(memory.values.dtype) @ memory.values


def attend_fused(query: Tensor, memory: KeyValue, twice: int) -> Tensor:
    """Do the same by the fused kernels of GPUs, the fastest of which take no bias."""
    if twice:
        memory = KeyValue(*(torch.cat([seen[:, :, :twice], seen], dim=2) for seen in memory))
    return F.scaled_dot_product_attention(query, memory.keys, memory.values)


def _attend(attention: Attention, query: Tensor, memory: KeyValue, twice: int = 0) -> Tensor:
    form = attend_fused if query.is_cuda else attend_written_out
    return attention.proj(form(query, memory, twice).transpose(1, 2).flatten(2))


def _encode(block: Block, tokens: Tensor, last: bool) -> tuple[Tensor, KeyValue]:
    """Forward template tokens; return them and what search tokens see of them in this block."""
    if last:
        return tokens, block.key_value(tokens)
    query, memory = block.attn.query_key_value(block.norm1(tokens))
    tokens = tokens + _attend(block.attn, query, memory)
    return tokens + block.mlp(block.norm2(tokens)), memory


def _locate(
    block: Block, tokens: Tensor, templates: KeyValue, twice: bool, leaving: int | None
) -> Tensor:
    """`Block.locate`, with templates that may count twice."""
    normed = block.norm1(tokens)
    if leaving is None:
        query, own = block.attn.query_key_value(normed)
    else:
        query, own = block.attn.query(normed[:, -leaving:]), block.attn.key_value(normed)
        tokens = tokens[:, -leaving:]
    memory = KeyValue(
        torch.cat([templates.keys, own.keys], dim=2),
        torch.cat([templates.values, own.values], dim=2),
    )
    counted = templates.keys.shape[2] if twice else 0
    tokens = tokens + _attend(block.attn, query, memory, counted)
    return tokens + block.mlp(block.norm2(tokens))
