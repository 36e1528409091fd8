# Copyright 2026 mixformer2_ros contributors
# SPDX-License-Identifier: Apache-2.0
"""The networks of the paper's stages: of a configuration's sizes, or of weights alone."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import asdict, replace

from torch import Tensor, nn

from mixformer2_ros.model import MixFormerV2, load_weights
from mixformer2_ros.model.state import CheckpointError
from mixformer2_ros.model.teacher import MixViT, TeacherVariant, load_teacher
from mixformer2_ros.model.variants import SMALL, Variant
from mixformer2_ros.training.config import ConfigError, TrainingConfig, written_variant
from mixformer2_ros.training.shrink import with_crops, with_fewer_units

HEAD_WIDTH = SMALL.width // SMALL.heads
"""Channels of an attention head, in every network that is trained here."""


def student_variant(config: TrainingConfig) -> Variant:
    """Return the sizes of the network that a stage of the paper trains."""
    variant = written_variant(config)
    width = config.width or variant.width
    return replace(
        variant,
        width=width,
        heads=width // HEAD_WIDTH,
        mlp_ratio=config.mlp_ratio or variant.mlp_ratio,
    )


def teacher_variant(config: TrainingConfig) -> TeacherVariant:
    """Return the sizes of the MixViT that stage "teacher" trains."""
    sizes = asdict(student_variant(config))
    return TeacherVariant(
        **sizes, head_channels=config.corner.channels, pyramid=config.corner.pyramid
    )


def network_from_weights(state: Mapping[str, Tensor], source: str) -> MixFormerV2 | MixViT:
    """Build the network that weights are of; all sizes are read off their shapes.

    Args:
        state: Names and tensors, as this package writes them or as published.
        source: What to call the weights in a message.

    Raises:
        CheckpointError: They are not weights of a MixFormerV2 or MixViT.
    """
    try:
        width, _, patch, _ = state["backbone.patch_embed.proj.weight"].shape
        depth = len({name.split(".")[2] for name in state if name.startswith("backbone.blocks.")})
        sizes = Variant(
            name=source,
            search_size=patch * math.isqrt(state["backbone.pos_embed_s"].shape[1]),
            template_size=patch * math.isqrt(state["backbone.pos_embed_t"].shape[1]),
            search_factor=math.nan,  # not a matter of the weights
            depth=depth,
            mlp_ratio=len(state["backbone.blocks.0.mlp.fc1.weight"]) // width,
            width=width,
            heads=width // HEAD_WIDTH,
            patch=patch,
        )
    except KeyError as error:
        raise CheckpointError(
            f"{source} is neither a MixFormerV2 nor a MixViT: it has no {error}"
        ) from error
    bins = state.get("box_head.layers.1.0.bias")
    if bins is not None:
        student = MixFormerV2(replace(sizes, bins=len(bins)))
        load_weights(student, state, source)
        return student
    channels = next(len(value) for name, value in state.items() if name in _FIRST_CONVOLUTION)
    pyramid = any(name.startswith("box_head.") and "adjust1" in name for name in state)
    teacher = MixViT(TeacherVariant(**asdict(sizes), head_channels=channels, pyramid=pyramid))
    load_teacher(teacher, state, source)
    return teacher


_FIXED = ("backbone.pos_embed_s", "backbone.pos_embed_t")
_FIRST_CONVOLUTION = ("box_head.top_left.conv1.0.bias", "box_head.conv1_tl.0.bias")


def frozen(network: nn.Module) -> nn.Module:
    """Return a network, now in evaluation mode and not to be trained."""
    return network.requires_grad_(False).eval()


def student_of(config: TrainingConfig, start: MixFormerV2) -> MixFormerV2:
    """Return a student of a configuration's sizes that begins as another network.

    Crops of another size get resampled position embeddings; a lower MLP ratio keeps the most
    important hidden units.

    Args:
        config: The run.
        start: The network to begin as; stays as it is.

    Raises:
        ConfigError: Depth or width differ, or the MLP ratio is higher.
    """
    wanted, given = student_variant(config), start.variant
    for name in ("depth", "width"):
        if getattr(wanted, name) != getattr(given, name):
            raise ConfigError(
                f"stage {config.stage} is to train a network of {name} {getattr(wanted, name)}, "
                f"but the weights it starts from have {getattr(given, name)}: correct {name}, "
                "or give other weights"
            )
    if wanted.mlp_ratio > given.mlp_ratio:
        raise ConfigError(
            f"stage {config.stage} is to train an MLP ratio of {wanted.mlp_ratio}, but the weights "
            f"it starts from have {given.mlp_ratio}: correct mlp_ratio, or give other weights"
        )
    student = with_crops(start, wanted.search_size, wanted.template_size)
    if wanted.mlp_ratio < given.mlp_ratio:
        student = with_fewer_units(student, wanted.mlp_ratio)
    for name, parameter in student.named_parameters():
        parameter.requires_grad_(name not in _FIXED)
    return student
