# Copyright 2026 mixformer2_ros contributors
# SPDX-License-Identifier: Apache-2.0
"""A start that already compares patches, for training from scratch on a small budget.

The patch embedding is a rotated discrete cosine transform with a flattened spectrum, so that tokens
are alike where patches are; queries and keys share orthogonal projections, so that attention
follows likeness from the first step ("mimetic" initialisation, arXiv 2305.09828). The templates'
position embeddings also say "template", "target" and "surroundings", and the first block prefers
template keys, so that a search token learns at once what the template token most like it belongs
to.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from mixformer2_ros.model import MixFormerV2
from mixformer2_ros.model.attention import Attention
from mixformer2_ros.model.backbone import TokenMixer
from mixformer2_ros.model.teacher import MixViT
from mixformer2_ros.training.parts import box_layers, score_layers

_RESIDUAL = 0.8
_MARK_RMS = 1.0
_TEMPLATE_BIAS = 3.0


@dataclass(frozen=True)
class InitialisationConfig:
    """How a network begins from scratch.

    Attributes:
        likeness: How much attention follows the likeness of patches, 0 or more. Little of it leaves
            tokens free to look anywhere.
        patch_rms: Root mean square of what patches give to tokens, where position embeddings give
            0.7. Little of it lets tokens know better where they are.
    """

    likeness: float = 1.0
    patch_rms: float = 2.2


def initialise(
    model: MixFormerV2, seed: int, config: InitialisationConfig = InitialisationConfig()
) -> None:
    """Set all weights of a network, in place.

    Args:
        model: Any variant.
        seed: The same seed gives the same weights.
        config: How the network begins.
    """
    generator = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        _initialise_mixer(model.backbone, generator, config)
        for tokens in (model.backbone.reg_tokens, model.backbone.pos_embed_reg):
            tokens.copy_(0.5 * torch.randn(tokens.shape, generator=generator))
        for head in (model.box_head, model.score_head):
            for part in head.modules():
                if isinstance(part, nn.Linear):
                    part.weight.copy_(_orthogonal(part.out_features, part.in_features, generator))
                    part.bias.zero_()
        score_layers(model).logit.weight.mul_(0.1)
        box_layers(model).bins_norm.weight.fill_(2.0)


@torch.no_grad()
def initialise_teacher(
    model: MixViT, seed: int, config: InitialisationConfig = InitialisationConfig()
) -> None:
    """Set the weights of a teacher's backbone, in place; its heads stay as they are.

    Args:
        model: Any variant.
        seed: The same seed gives the same weights.
        config: How the network begins.
    """
    _initialise_mixer(model.backbone, torch.Generator().manual_seed(seed), config)


def _initialise_mixer(
    backbone: TokenMixer, generator: torch.Generator, config: InitialisationConfig
) -> None:
    """Set the patch embedding, the templates' position embeddings and the blocks, in place."""
    _initialise_patches(backbone.patch_embed.proj, generator, config.patch_rms)
    template_mark = _mark_templates(backbone.pos_embed_t, generator)
    for block in backbone.layers():
        attention = block.attn
        width = attention.proj.in_features
        shared = config.likeness * _orthogonal(width, width, generator)
        noise = 0.005 * torch.randn(2, width, width, generator=generator)
        value = _RESIDUAL * _orthogonal(width, width, generator)
        attention.qkv.weight.copy_(torch.cat([shared + noise[0], shared + noise[1], value]))
        attention.proj.weight.copy_(_RESIDUAL * _orthogonal(width, width, generator))
        hidden, out = block.mlp.fc1, block.mlp.fc2
        hidden.weight.copy_(_orthogonal(hidden.out_features, hidden.in_features, generator))
        out.weight.copy_(_RESIDUAL * _orthogonal(out.out_features, out.in_features, generator))
        for layer in (attention.qkv, attention.proj, block.mlp.fc1, block.mlp.fc2):
            layer.bias.zero_()
    _prefer(backbone.layers()[0].attn, template_mark, config.patch_rms)


def _mark_templates(embedding: nn.Parameter, generator: torch.Generator) -> Tensor:
    """Add marks to the templates' position embeddings (1, N, C); return that of all templates."""
    grid = math.isqrt(embedding.shape[1])
    width = embedding.shape[-1]
    common, target, around = math.sqrt(width) * _MARK_RMS * _orthogonal(3, width, generator)
    # The target fills the middle half of a template crop.
    distance = (torch.arange(grid) + 0.5 - grid / 2).abs() / (grid / 4)
    distance = torch.maximum(distance[:, None], distance).flatten()
    inside = (1.5 - distance).clamp(0, 1)[:, None]
    embedding.add_(common + inside * target + (1 - inside) * around)
    return common


def _prefer(attention: Attention, mark: Tensor, patch_rms: float) -> None:
    """Bias all queries towards keys of tokens that carry a mark (C,)."""
    width = attention.proj.in_features
    keys = (attention.qkv.weight[width : 2 * width] @ mark).view(attention.heads, -1)
    # LayerNorm scales the mark down together with the token's content.
    scale = math.sqrt(patch_rms**2 + 2 * _MARK_RMS**2 + 0.5)
    wanted = _TEMPLATE_BIAS * math.sqrt(keys.shape[1]) * scale
    attention.qkv.bias[:width] = (keys * wanted / keys.square().sum(dim=1, keepdim=True)).flatten()


def _orthogonal(rows: int, columns: int, generator: torch.Generator) -> Tensor:
    matrix = torch.empty(rows, columns)
    return nn.init.orthogonal_(matrix, generator=generator)


def cosine_basis(size: int) -> Tensor:
    """Return the orthonormal discrete cosine transform (size, size): one frequency per row."""
    position = (torch.arange(size, dtype=torch.float64) + 0.5) * math.pi / size
    basis = torch.cos(torch.arange(size, dtype=torch.float64)[:, None] * position)
    basis[0] /= math.sqrt(2.0)
    return basis * math.sqrt(2.0 / size)


def _initialise_patches(
    projection: nn.Conv2d, generator: torch.Generator, patch_rms: float
) -> None:
    width, channels, size, _ = projection.weight.shape
    basis = cosine_basis(size)
    opponent = torch.tensor([[1, 1, 1], [1, 0, -1], [1, -2, 1]], dtype=torch.float64)
    opponent /= opponent.norm(dim=1, keepdim=True)
    frequency = torch.arange(size, dtype=torch.float64)
    frequency = (frequency[:, None].square() + frequency.square()).sqrt()
    # Natural pictures hold about 1 / frequency, and less in colour differences than in brightness.
    natural = size / (1.0 + 2.0 * frequency) * torch.tensor([1.5, 0.5, 0.3])[:, None, None].double()
    wanted = (1.0 + frequency) ** -1.0 * torch.tensor([1.0, 1.2, 1.2])[:, None, None].double()
    kept = wanted.flatten().argsort(descending=True, stable=True)[:width]
    gain = wanted / natural
    gain *= patch_rms * math.sqrt(width / wanted.flatten()[kept].square().sum())
    transform = torch.einsum("cuv,uy,vx,ck->cuvkyx", gain, basis, basis, opponent)
    transform = transform.reshape(channels * size * size, -1)[kept]
    rotation = _orthogonal(width, len(kept), generator).double()
    projection.weight.copy_((rotation @ transform).view(projection.weight.shape))
    assert projection.bias is not None
    projection.bias.zero_()
