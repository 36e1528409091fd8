# Copyright 2026 mixformer2_ros contributors
# SPDX-License-Identifier: Apache-2.0
"""MixFormerV2 in PyTorch with nothing done that a frame does not need.

The same three rewrites as in `mixformer2_ros.inference.graph`: templates' keys and values are kept,
only the 4 prediction tokens leave the last block, and its keys and values are absorbed into its
queries and its projection. Keys and values are written where the templates' already lie, so
nothing is joined in a frame.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TypeAlias

import torch
import torch.nn.functional as F
from torch import Tensor

from mixformer2_ros.model.backbone import PREDICTION_TOKENS
from mixformer2_ros.model.mixformerv2 import MixFormerV2
from mixformer2_ros.model.variants import IMAGE_MEAN, IMAGE_STD, Variant

# From the published order of the prediction tokens (left, right, top, bottom) to that of edges.
_EDGE_ORDER = [0, 2, 1, 3]
_BLOCK_EPSILON, _HEAD_EPSILON = 1e-6, 1e-5

Linear: TypeAlias = Callable[[Tensor], Tensor]
"""Applies a weight and a bias to every token: (N, M, in) to (N, M, out)."""
MakeLinear: TypeAlias = Callable[[Tensor, Tensor, bool], Linear]
"""Makes it from a weight (out, in), a bias (out,), and whether a GELU follows."""


def plain_linear(weight: Tensor, bias: Tensor, gelu: bool) -> Linear:
    """The ordinary `Linear`."""
    if gelu:
        return lambda tokens: F.gelu(F.linear(tokens, weight, bias))
    return lambda tokens: F.linear(tokens, weight, bias)


class Memory:
    """Templates' keys and values for N targets, with room for those of the search behind them.

    Attributes:
        blocks: Of each block but the last, keys and values (2, N, heads, tokens, C / heads).
        tokens: Of the last block, normalised tokens (N, tokens, C).
    """

    def __init__(self, blocks: list[Tensor], tokens: Tensor) -> None:
        self.blocks, self.tokens = blocks, tokens


class TorchNetwork:
    """The network, ready to run.

    Args:
        model: Its weights; copied.
        device: Where to run.
        dtype: float32, float16 or bfloat16.
        make_linear: Makes the products with weights.
    """

    def __init__(
        self,
        model: MixFormerV2,
        device: torch.device,
        dtype: torch.dtype,
        make_linear: MakeLinear = plain_linear,
    ) -> None:
        self.variant = model.variant
        self.device, self.dtype = device, dtype
        self._make_linear = make_linear
        self._state = model.state_dict()
        v = self.variant
        self._embed, bias = self._patch_embedding()
        get = self.weight
        self._template_positions = self._put(get("backbone.pos_embed_t") + bias)
        prediction = get("backbone.reg_tokens") + get("backbone.pos_embed_reg")
        self._search_positions = self._put(get("backbone.pos_embed_s") + bias)
        self._prediction = self._put(prediction[:, _EDGE_ORDER])
        *layers, last = (f"backbone.blocks.{index}" for index in range(v.depth))
        self._blocks = [_Block(self, name) for name in layers]
        self._last = _LastBlock(self, last)
        self._heads = _Heads(self)
        del self._state, self._make_linear

    def new_memory(self, targets: int) -> Memory:
        """Room for templates and search of some targets; its contents are arbitrary."""
        v = self.variant
        tokens = 2 * v.template_tokens + v.search_tokens + PREDICTION_TOKENS
        place = {"device": self.device, "dtype": self.dtype}
        shape = (2, targets, v.heads, tokens, v.width // v.heads)
        return Memory(
            [torch.empty(shape, **place) for _ in self._blocks],  # type: ignore[call-overload]
            torch.empty((targets, tokens, v.width), **place),  # type: ignore[call-overload]
        )

    @torch.inference_mode()
    def encode_templates(self, templates: Tensor, online_templates: Tensor) -> list[Tensor]:
        """What to keep of templates.

        Args:
            templates: (N, T, T, 3) uint8 RGB.
            online_templates: (N, T, T, 3) uint8 RGB.

        Returns:
            Keys and values of each block but the last, (2, N, heads, tokens, C / heads), then
            the last block's normalised tokens (N, tokens, C).
        """
        tokens = torch.cat(
            [
                self._embed(self._patches(images)) + self._template_positions
                for images in (templates, online_templates)
            ],
            dim=1,
        )
        kept = []
        for block in self._blocks:
            tokens, key_value = block.encode(tokens)
            kept.append(key_value)
        return [*kept, self._last.norm1(tokens)]

    def store(self, memory: Memory, target: int, kept: Sequence[Tensor]) -> None:
        """Copy what is kept of one target's templates to its place."""
        count = 2 * self.variant.template_tokens
        with torch.inference_mode():
            for block, part in zip(memory.blocks, kept[:-1], strict=True):
                block[:, target, :, :count] = part[:, 0]
            memory.tokens[target, :count] = kept[-1][0]

    @torch.inference_mode()
    def locate(self, memory: Memory, crops: Tensor) -> Tensor:
        """Find each target in its search crop.

        Args:
            memory: Of N targets; the part behind the templates is overwritten.
            crops: (N, S, S, 3) uint8 RGB.

        Returns:
            (N, 4 + 1 + 4 * bins) float32: box cx, cy, w, h as fractions of the crop; the logit
            that the target is there; probabilities of the left, top, right and bottom edge.
        """
        search = self._embed(self._patches(crops)) + self._search_positions
        tokens = torch.cat([search, self._prediction.expand(len(crops), -1, -1)], dim=1)
        for block, key_value in zip(self._blocks, memory.blocks, strict=True):
            tokens = block.locate(tokens, key_value)
        return self._heads(self._last.locate(tokens, memory.tokens))

    # Made of weights.

    def _put(self, values: Tensor) -> Tensor:
        return values.to(self.device, self.dtype).contiguous()

    def weight(self, name: str) -> Tensor:
        """A parameter in float64."""
        return self._state[name].double()

    def linear(self, weight: Tensor, bias: Tensor, gelu: bool = False) -> Linear:
        """A product with weights given in float64."""
        return self._make_linear(self._put(weight), self._put(bias), gelu)

    def named_linear(self, name: str, gelu: bool = False) -> Linear:
        """The published layer of that name."""
        return self.linear(self.weight(f"{name}.weight"), self.weight(f"{name}.bias"), gelu)

    def norm(self, name: str, epsilon: float = _BLOCK_EPSILON) -> Linear:
        """The published layer normalisation of that name."""
        weight, bias = (self._put(self.weight(f"{name}.{kind}")) for kind in ("weight", "bias"))
        return lambda tokens: F.layer_norm(tokens, weight.shape, weight, bias, epsilon)

    def _patch_embedding(self) -> tuple[Linear, Tensor]:
        """The product for patches of pixels in 0..255, and its bias (C,) in float64."""
        weight = self.weight("backbone.patch_embed.proj.weight")
        mean, std = (torch.tensor(v, dtype=torch.float64) for v in (IMAGE_MEAN, IMAGE_STD))
        weight = weight / std.view(1, 3, 1, 1)
        bias = self.weight("backbone.patch_embed.proj.bias") - (weight * mean.view(1, 3, 1, 1)).sum(
            dim=(1, 2, 3)
        )
        # (out, channel, row, column) to the order of values in a patch: row, column, channel.
        product = (weight / 255).permute(0, 2, 3, 1).flatten(1)
        return self.linear(product, torch.zeros_like(bias)), bias

    def _patches(self, images: Tensor) -> Tensor:
        """(N, side, side, 3) uint8 to (N, tokens, values of a patch)."""
        patch = self.variant.patch
        count, side = images.shape[0], images.shape[1] // patch
        rows = images.view(count, side, patch, side, patch * 3).transpose(2, 3)
        return rows.to(self.dtype).reshape(count, side * side, -1)


class _Block:
    """Every block but the last."""

    def __init__(self, network: TorchNetwork, name: str) -> None:
        self._variant: Variant = network.variant
        self.norm1 = network.norm(f"{name}.norm1")
        self._query_key_value = network.named_linear(f"{name}.attn.qkv")
        self._projection = network.named_linear(f"{name}.attn.proj")
        self._mlp = _Mlp(network, name)

    def _split(self, normed: Tensor) -> Tensor:
        """Queries, keys and values of tokens (N, M, C): (3, N, heads, M, C / heads)."""
        count, tokens, _ = normed.shape
        product = self._query_key_value(normed)
        return product.view(count, tokens, 3, self._variant.heads, -1).permute(2, 0, 3, 1, 4)

    def _attend(self, tokens: Tensor, query: Tensor, key_value: Tensor) -> Tensor:
        mixed = F.scaled_dot_product_attention(query, key_value[0], key_value[1])
        tokens = tokens + self._projection(mixed.transpose(1, 2).flatten(2))
        return self._mlp(tokens)

    def encode(self, tokens: Tensor) -> tuple[Tensor, Tensor]:
        parts = self._split(self.norm1(tokens))
        return self._attend(tokens, parts[0], parts[1:]), parts[1:].contiguous()

    def locate(self, tokens: Tensor, key_value: Tensor) -> Tensor:
        parts = self._split(self.norm1(tokens))
        key_value[:, :, :, -tokens.shape[1] :] = parts[1:]
        return self._attend(tokens, parts[0], key_value)


class _Mlp:
    def __init__(self, network: TorchNetwork, name: str) -> None:
        self._norm = network.norm(f"{name}.norm2")
        self._first = network.named_linear(f"{name}.mlp.fc1", gelu=True)
        self._second = network.named_linear(f"{name}.mlp.fc2")

    def __call__(self, tokens: Tensor) -> Tensor:
        return tokens + self._second(self._first(self._norm(tokens)))


class _LastBlock:
    """The last block for the prediction tokens, its keys and values absorbed."""

    def __init__(self, network: TorchNetwork, name: str) -> None:
        v = network.variant
        self._heads = v.heads
        self.norm1 = network.norm(f"{name}.norm1")
        weights = network.weight(f"{name}.attn.qkv.weight").view(3, v.width, v.width)
        biases = network.weight(f"{name}.attn.qkv.bias").view(3, v.width)
        scale = (v.width // v.heads) ** -0.5
        self._query = network.linear(weights[0] * scale, biases[0] * scale)
        self._keys = network._put(weights[1].view(v.heads, -1, v.width))
        self._values = network._put(weights[2].view(v.heads, -1, v.width).transpose(1, 2))
        projection = network.weight(f"{name}.attn.proj.weight")
        bias = network.weight(f"{name}.attn.proj.bias") + projection @ biases[2]
        self._projection = network.linear(projection, bias)
        self._mlp = _Mlp(network, name)

    def locate(self, tokens: Tensor, memory: Tensor) -> Tensor:
        """Tokens (N, M, C), and normalised ones of templates (N, .., C) with room for M more."""
        count, own, width = tokens.shape
        memory[:, -own:] = self.norm1(tokens)
        query = self._query(memory[:, -PREDICTION_TOKENS:])
        query = query.view(count, PREDICTION_TOKENS, self._heads, -1).transpose(1, 2)
        query = (query @ self._keys).flatten(1, 2)
        mixed = torch.softmax(query @ memory.transpose(1, 2), dim=-1) @ memory
        mixed = mixed.view(count, self._heads, PREDICTION_TOKENS, width) @ self._values
        left = tokens[:, -PREDICTION_TOKENS:]
        return self._mlp(left + self._projection(mixed.transpose(1, 2).flatten(2)))


class _Heads:
    def __init__(self, network: TorchNetwork) -> None:
        self._box1 = network.named_linear("box_head.layers.0.0")
        self._norm1 = network.norm("box_head.layers.0.1", _HEAD_EPSILON)
        self._box2 = network.named_linear("box_head.layers.1.0")
        self._norm2 = network.norm("box_head.layers.1.1", _HEAD_EPSILON)
        self._score1 = network.named_linear("score_head.layers.0.0")
        self._score2 = network.named_linear("score_head.layers.1")
        bins = network.variant.bins
        self._positions = torch.arange(bins, device=network.device) / bins

    def __call__(self, tokens: Tensor) -> Tensor:
        hidden = torch.relu(self._norm1(self._box1(tokens)))
        edges = torch.softmax(self._norm2(self._box2(hidden)).float(), dim=-1)
        expected = edges @ self._positions
        near, far = expected[:, :2], expected[:, 2:]
        score = self._score2(torch.relu(self._score1(tokens))).float().mean(dim=1)
        return torch.cat([(near + far) / 2, far - near, score, edges.flatten(1)], dim=1)
