# Copyright 2026 mixformer2_ros contributors
# SPDX-License-Identifier: Apache-2.0
"""Turns a narrow network into a wide one that computes the same function.

A network a third as wide learns several times faster on a small machine. Afterwards every channel
is repeated (Net2WiderNet, arXiv 1511.05641): what writes channels writes the copies, what reads
channels reads their mean, and LayerNorm sees the same mean and variance. Position embeddings are
repeated like all else, so they are those of the narrow width, not the wide one's. The way back is
exact, too, so that training goes on in the narrow network.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from mixformer2_ros.model import MixFormerV2
from mixformer2_ros.model.attention import Attention
from mixformer2_ros.model.folding import fold_to
from mixformer2_ros.model.variants import Variant
from mixformer2_ros.training.parts import blocks_of, box_layers, score_layers


@torch.no_grad()
def widen(narrow: MixFormerV2, variant: Variant) -> MixFormerV2:
    """Return a network of `variant` that computes what `narrow` does."""
    wide = MixFormerV2(variant)
    old, new = narrow.backbone, wide.backbone
    copies = new.pos_embed_s.shape[-1] // old.pos_embed_s.shape[-1]
    for name in ("pos_embed_t", "pos_embed_s", "reg_tokens", "pos_embed_reg"):
        getattr(new, name).copy_(getattr(old, name).repeat(1, 1, copies))
    new.patch_embed.proj.weight.copy_(old.patch_embed.proj.weight.repeat(copies, 1, 1, 1))
    _copy(new.patch_embed.proj.bias, old.patch_embed.proj.bias, copies)
    for source, target in zip(blocks_of(narrow), blocks_of(wide), strict=True):
        _widen_norm(source.norm1, target.norm1, copies)
        _widen_norm(source.norm2, target.norm2, copies)
        _widen_attention(source.attn, target.attn, copies)
        _widen_hidden(source.mlp.fc1, source.mlp.fc2, target.mlp.fc1, target.mlp.fc2, copies)
    box, wide_box = box_layers(narrow), box_layers(wide)
    _widen_linear(box.hidden, wide_box.hidden, copies)
    _widen_norm(box.hidden_norm, wide_box.hidden_norm, copies)
    _widen_reader(box.bins, wide_box.bins, copies)
    _widen_norm(box.bins_norm, wide_box.bins_norm, 1)
    score, wide_score = score_layers(narrow), score_layers(wide)
    _widen_linear(score.hidden, wide_score.hidden, copies)
    _widen_reader(score.logit, wide_score.logit, copies)
    return wide


def unwiden(wide: MixFormerV2, variant: Variant) -> MixFormerV2:
    """Return the network of the narrow `variant` of which `widen` made `wide`.

    Raises:
        ValueError: `wide` does not compute what any network of that width does.
    """
    state = {name: values.numpy() for name, values in wide.state_dict().items()}
    folded = fold_to(variant, wide.variant, state)
    if folded is None:
        raise ValueError(
            f"the network of {wide.variant.width} channels was not widened from one of "
            f"{variant.width}: train at its own width"
        )
    narrow = MixFormerV2(variant)
    narrow.load_state_dict({name: torch.from_numpy(array) for name, array in folded.items()})
    return narrow


def _reading(weight: Tensor, copies: int) -> Tensor:
    """Weights (rows, columns) that read the mean of the copies of each input channel."""
    return weight.repeat(1, copies) / copies


def _copy(target: Tensor | None, source: Tensor | None, copies: int) -> None:
    assert target is not None
    assert source is not None
    target.copy_(source.repeat(copies))


def _widen_linear(source: nn.Linear, target: nn.Linear, copies: int) -> None:
    target.weight.copy_(_reading(source.weight, copies).repeat(copies, 1))
    _copy(target.bias, source.bias, copies)


def _widen_reader(source: nn.Linear, target: nn.Linear, copies: int) -> None:
    target.weight.copy_(_reading(source.weight, copies))
    _copy(target.bias, source.bias, 1)


def _widen_norm(source: nn.LayerNorm, target: nn.LayerNorm, copies: int) -> None:
    target.weight.copy_(source.weight.repeat(copies))
    target.bias.copy_(source.bias.repeat(copies))


def _widen_attention(source: Attention, target: Attention, copies: int) -> None:
    parts = zip(source.qkv.weight.chunk(3), source.qkv.bias.chunk(3), strict=True)
    weights, biases = [], []
    for weight, bias in parts:
        weights.append(_reading(weight, copies).repeat(copies, 1))
        biases.append(bias.repeat(copies))
    target.qkv.weight.copy_(torch.cat(weights))
    target.qkv.bias.copy_(torch.cat(biases))
    _widen_linear(source.proj, target.proj, copies)


def _widen_hidden(
    fc1: nn.Linear, fc2: nn.Linear, wide_fc1: nn.Linear, wide_fc2: nn.Linear, copies: int
) -> None:
    """The hidden units stay as they are; those that are left over do nothing."""
    hidden = fc1.out_features
    for layer in (wide_fc1, wide_fc2):
        layer.weight.zero_()
        layer.bias.zero_()
    wide_fc1.weight[:hidden] = _reading(fc1.weight, copies)
    wide_fc1.bias[:hidden] = fc1.bias
    wide_fc2.weight[:, :hidden] = fc2.weight.repeat(copies, 1)
    _copy(wide_fc2.bias, fc2.bias, copies)
