# Copyright 2026 mixformer2_ros contributors
# SPDX-License-Identifier: Apache-2.0
"""The stages of the recipes; each module has `build(config, start, teacher) -> Stage`."""

from __future__ import annotations

from collections.abc import Mapping
from importlib import import_module
from typing import TYPE_CHECKING

from torch import Tensor, nn

from mixformer2_ros.training.stages.stage import Stage

if TYPE_CHECKING:
    from mixformer2_ros.training.config import TrainingConfig

STAGES = {
    "one_stage": "MixFormerV2 from scratch, or from given weights, without a teacher",
    "teacher": "MixViT with its corner head and score",
    "dense_to_sparse": "MixFormerV2's tokens learn the edges of MixViT's corner maps",
    "deep_to_shallow": "blocks fade out, or the shortened network is tuned, after a teacher",
    "score_head": "the score alone",
}
"""Name of a stage, which is that of its module, and what it trains."""

__all__ = ["STAGES", "Stage", "build_stage"]


def build_stage(
    config: TrainingConfig,
    start: Mapping[str, Tensor] | None = None,
    teacher: nn.Module | None = None,
) -> Stage:
    """Build the stage that a configuration names.

    Args:
        config: The run.
        start: Weights to begin with, by name; None for a fresh start.
        teacher: Network to learn from, for the stages that need one.

    Raises:
        ConfigError: The stage lacks something, or was given weights that do not fit.
    """
    module = import_module(f"{__name__}.{config.stage}")
    stage = module.build(config, start, teacher)
    assert isinstance(stage, Stage)
    return stage
