# Copyright 2026 mixformer2_ros contributors
# SPDX-License-Identifier: Apache-2.0
"""Makes networks smaller: blocks that have faded out, and hidden units that matter least."""

from __future__ import annotations

import copy
import math
from collections.abc import Collection
from dataclasses import replace
from typing import TypeVar

import torch
from torch import Tensor, nn

from mixformer2_ros.model import MixFormerV2
from mixformer2_ros.model.backbone import Block
from mixformer2_ros.model.teacher import MixViT
from mixformer2_ros.training.grow import resampled_positions

AnyNetwork = TypeVar("AnyNetwork", MixFormerV2, MixViT)

# Points of the Gauss-Hermite quadrature; exact far beyond the precision of the weights.
_QUADRATURE = 32


def with_crops(model: AnyNetwork, search_size: int, template_size: int) -> AnyNetwork:
    """Return a copy of a network for crops of other sizes; its position embeddings are resampled.

    Args:
        model: Stays as it is.
        search_size: Side of the search crop, pixels.
        template_size: Side of the template crops, pixels.
    """
    model = copy.deepcopy(model)
    backbone, patch = model.backbone, model.backbone.patch_embed.proj.kernel_size[0]
    sizes = {"pos_embed_s": search_size, "pos_embed_t": template_size}
    for name, size in sizes.items():
        embedding = resampled_positions(getattr(backbone, name).detach(), (size // patch) ** 2)
        setattr(backbone, name, nn.Parameter(embedding, requires_grad=False))
    backbone.template_tokens = 2 * backbone.pos_embed_t.shape[1]
    model.variant = replace(model.variant, search_size=search_size, template_size=template_size)
    return model


def without_blocks(model: MixFormerV2, removed: Collection[int]) -> MixFormerV2:
    """Return a copy of a network without some of its blocks; the others move up.

    Args:
        model: Stays as it is.
        removed: Indices of blocks.

    Raises:
        ValueError: There is no such block, or none would be left.
    """
    depth = len(model.backbone.blocks)
    kept = [index for index in range(depth) if index not in removed]
    if not kept or not set(removed) <= set(range(depth)):
        raise ValueError(f"cannot remove blocks {sorted(removed)} of a network that has {depth}")
    model = copy.deepcopy(model)
    model.backbone.blocks = nn.ModuleList(model.backbone.blocks[index] for index in kept)
    model.variant = replace(model.variant, depth=len(kept))
    return model


@torch.no_grad()
def with_fewer_units(model: MixFormerV2, mlp_ratio: int) -> MixFormerV2:
    """Return a copy of a network whose MLPs keep only their most important hidden units.

    What a removed unit adds on average is added to the bias of the layer that read it.

    Args:
        model: Stays as it is.
        mlp_ratio: Hidden units to keep over channels.

    Raises:
        ValueError: The network has fewer.
    """
    model = copy.deepcopy(model)
    for block in model.backbone.layers():
        count = mlp_ratio * block.attn.proj.in_features
        hidden = block.mlp.fc1.out_features
        if count > hidden:
            raise ValueError(f"cannot keep {count} hidden units of {hidden}: choose a lower ratio")
        _keep_units(block, count)
    model.variant = replace(model.variant, mlp_ratio=mlp_ratio)
    return model


def unit_statistics(block: Block) -> tuple[Tensor, Tensor]:
    """Return mean and standard deviation (H,) of a block's hidden units, from its weights alone.

    After LayerNorm every channel has about mean 0 and variance 1, before its gain and bias; with
    independent channels a unit's input is then normal, which its activation is integrated over.
    """
    norm, fc1 = block.norm2, block.mlp.fc1
    mean = fc1.weight @ norm.bias + fc1.bias
    deviation = (fc1.weight * norm.weight).norm(dim=1)
    places, shares = _normal_quadrature()
    values = block.mlp.act(mean.double()[:, None] + deviation.double()[:, None] * places)
    average = values @ shares
    spread = ((values - average[:, None]).square() @ shares).sqrt()
    return average.to(mean.dtype), spread.to(mean.dtype)


def _normal_quadrature() -> tuple[Tensor, Tensor]:
    """Places and weights of the standard normal distribution (Golub and Welsch, 1969)."""
    steps = torch.arange(1, _QUADRATURE, dtype=torch.float64).sqrt()
    places, vectors = torch.linalg.eigh(torch.diag(steps, 1) + torch.diag(steps, -1))
    return places, vectors[0].square()


def _keep_units(block: Block, count: int) -> None:
    """Keep the `count` units whose share of the block's output varies most, in place."""
    fc1, fc2 = block.mlp.fc1, block.mlp.fc2
    average, spread = unit_statistics(block)
    importance = spread * fc2.weight.norm(dim=0)
    kept = importance.topk(count).indices.sort().values
    removed = torch.ones_like(importance, dtype=torch.bool)
    removed[kept] = False
    bias = fc2.bias + fc2.weight[:, removed] @ average[removed]
    block.mlp.fc1 = _linear(fc1.weight[kept], fc1.bias[kept])
    block.mlp.fc2 = _linear(fc2.weight[:, kept], bias)


def _linear(weight: Tensor, bias: Tensor) -> nn.Linear:
    layer = nn.Linear(weight.shape[1], weight.shape[0])
    layer.weight.copy_(weight)
    layer.bias.copy_(bias)
    return layer


def fade_factor(epoch: int, epochs: int) -> float:
    """Return the factor of a fading block's residual branches, 1 -> 0 (arXiv 2305.15896, 3.4).

    Args:
        epoch: Epochs that are over.
        epochs: Epochs after which the block is gone.
    """
    return 0.5 * (1.0 + math.cos(math.pi * min(epoch + 1, epochs) / epochs))
