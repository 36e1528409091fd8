# Copyright 2026 mixformer2_ros contributors
# SPDX-License-Identifier: Apache-2.0
"""Starts a deeper network, with larger crops, from one that has learnt to track.

New blocks take the weights of the block after them, but their two branches end in zeros, so that
they begin as the identity; new hidden units begin silent, too. Position embeddings are resampled to
the new token grid. At equal grids the grown network therefore computes what the old one does (as in
Net2DeeperNet, arXiv 1511.05641); at another grid it sees the same scene in more tokens.
"""

from __future__ import annotations

import math

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from mixformer2_ros.model import MixFormerV2
from mixformer2_ros.model.backbone import Block
from mixformer2_ros.model.variants import Variant
from mixformer2_ros.training.parts import blocks_of


@torch.no_grad()
def grow(model: MixFormerV2, variant: Variant) -> MixFormerV2:
    """Return a network of `variant` that starts from what `model` has learnt.

    Args:
        model: The trained network; its width, heads, patch and bins must be those of `variant`,
            its depth and its hidden units at most those.
        variant: Sizes of the new network.

    Raises:
        ValueError: The sizes do not fit.
    """
    grown = MixFormerV2(variant)
    _check(model, grown)
    own = grown.backbone
    for name, values in model.backbone.named_parameters(recurse=False):
        target = getattr(own, name)
        target.copy_(resampled_positions(values, target.shape[1]) if name in _GRIDS else values)
    own.patch_embed.load_state_dict(model.backbone.patch_embed.state_dict())
    grown.box_head.load_state_dict(model.box_head.state_dict())
    grown.score_head.load_state_dict(model.score_head.state_dict())
    old, new = blocks_of(model), blocks_of(grown)
    places = kept_places(len(old), len(new))
    for index, block in enumerate(new):
        source = next(position for position, place in enumerate(places) if place >= index)
        _copy_block(old[source], block)
        if index not in places:
            _silence(block)
    return grown


_GRIDS = ("pos_embed_t", "pos_embed_s")


def kept_places(old: int, new: int) -> list[int]:
    """Return where `old` blocks stand among `new` ones: evenly, the last block last."""
    return [round((index + 1) * new / old) - 1 for index in range(old)]


def _check(model: MixFormerV2, grown: MixFormerV2) -> None:
    old, new = blocks_of(model), blocks_of(grown)
    sizes = {
        "width": (old[0].attn.proj.in_features, new[0].attn.proj.in_features),
        "heads": (old[0].attn.heads, new[0].attn.heads),
    }
    for name, (has, wanted) in sizes.items():
        if has != wanted:
            raise ValueError(
                f"cannot grow a network of {name} {has} to {name} {wanted}: they must be equal "
                "(widen it first)"
            )
    growing = {
        "depth": (len(old), len(new)),
        "hidden units": (old[0].mlp.fc1.out_features, new[0].mlp.fc1.out_features),
    }
    for name, (has, wanted) in growing.items():
        if has > wanted:
            raise ValueError(
                f"cannot grow a network of {name} {has} to {name} {wanted}: it shrinks"
            )


def resampled_positions(embedding: Tensor, tokens: int) -> Tensor:
    """Resample position embeddings (1, N, C) of a square token grid to `tokens` tokens."""
    if embedding.shape[1] == tokens:
        return embedding
    side, wanted = math.isqrt(embedding.shape[1]), math.isqrt(tokens)
    grid = embedding.transpose(1, 2).unflatten(2, (side, side))
    resized = F.interpolate(grid, size=(wanted, wanted), mode="bicubic", align_corners=False)
    return resized.flatten(2).transpose(1, 2)


def _copy_block(source: Block, target: Block) -> None:
    for name in ("norm1", "norm2", "attn"):
        getattr(target, name).load_state_dict(getattr(source, name).state_dict())
    hidden = source.mlp.fc1.out_features
    # Units beyond these keep their random input weights and are not heard yet.
    target.mlp.fc1.weight[:hidden] = source.mlp.fc1.weight
    target.mlp.fc1.bias[:hidden] = source.mlp.fc1.bias
    target.mlp.fc2.weight.zero_()
    target.mlp.fc2.weight[:, :hidden] = source.mlp.fc2.weight
    target.mlp.fc2.bias.copy_(source.mlp.fc2.bias)


def _silence(block: Block) -> None:
    for layer in (block.attn.proj, block.mlp.fc2):
        nn.init.zeros_(layer.weight)
        nn.init.zeros_(layer.bias)
