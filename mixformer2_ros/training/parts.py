# Copyright 2026 mixformer2_ros contributors
# SPDX-License-Identifier: Apache-2.0
"""Typed access to the layers of a network."""

from __future__ import annotations

from typing import NamedTuple, cast

from torch import nn

from mixformer2_ros.model import MixFormerV2
from mixformer2_ros.model.backbone import Block


class BoxLayers(NamedTuple):
    """Layers of the box head with weights, in order."""

    hidden: nn.Linear
    hidden_norm: nn.LayerNorm
    bins: nn.Linear
    bins_norm: nn.LayerNorm


class ScoreLayers(NamedTuple):
    """Layers of the score head with weights, in order."""

    hidden: nn.Linear
    logit: nn.Linear


def blocks_of(model: MixFormerV2) -> list[Block]:
    """Return the transformer blocks of a network."""
    return cast("list[Block]", list(model.backbone.blocks))


def box_layers(model: MixFormerV2) -> BoxLayers:
    """Return the layers of a network's box head."""
    return BoxLayers(*_with_weights(model.box_head))


def score_layers(model: MixFormerV2) -> ScoreLayers:
    """Return the layers of a network's score head."""
    return ScoreLayers(*_with_weights(model.score_head))


def _with_weights(head: nn.Module) -> list:
    return [layer for layer in head.modules() if isinstance(layer, (nn.Linear, nn.LayerNorm))]
