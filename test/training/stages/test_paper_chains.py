# Copyright 2026 mixformer2_ros contributors
# SPDX-License-Identifier: Apache-2.0
"""The recipes of the paper fit together, and their values are the published ones."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch

from mixformer2_ros.model import MixFormerV2
from mixformer2_ros.model.teacher import TEACHER_BASE
from mixformer2_ros.model.variants import BASE, SMALL
from mixformer2_ros.training.chain import read_chain
from mixformer2_ros.training.command import RECIPES
from mixformer2_ros.training.config import CornerConfig, TrainingConfig
from mixformer2_ros.training.distillation_losses import DistillationConfig
from mixformer2_ros.training.stages import build_stage
from mixformer2_ros.training.stages.networks import (
    network_from_weights,
    student_variant,
    teacher_variant,
)


def _narrow(config: TrainingConfig) -> TrainingConfig:
    """The same stage with one attention head and small crops."""
    small = config.variant == "small"
    return replace(
        config,
        width=64,
        search_size=64 if small else 96,
        template_size=32 if small else 48,
        corner=CornerConfig(channels=16),
    )


@pytest.mark.parametrize(("recipe", "sizes"), [("chain_base", (8, 4)), ("chain_small", (4, 1))])
def test_each_stage_takes_what_the_earlier_ones_give(recipe: str, sizes: tuple[int, int]):
    made: dict[str, dict[str, torch.Tensor]] = {}
    links = read_chain(RECIPES / f"{recipe}.yaml")
    for link in links:
        config = _narrow(link.config)
        start = None if config.start is None else made[config.start]
        teacher = None
        if config.teacher is not None:
            teacher = network_from_weights(made[config.teacher], config.teacher)
        stage = build_stage(config, start, teacher)
        made[link.name] = stage.finished(stage.student).state_dict()
    last = network_from_weights(made[links[-1].name], "last")
    assert isinstance(last, MixFormerV2)
    assert (last.variant.depth, last.variant.mlp_ratio) == sizes


def _recipe(name: str) -> TrainingConfig:
    return read_chain(RECIPES / f"{name}.yaml")[0].config


def test_the_networks_are_the_published_ones():
    assert replace(teacher_variant(_recipe("teacher")), name="teacher_base") == TEACHER_BASE
    assert student_variant(_recipe("deep_to_shallow_finetune")) == BASE
    assert student_variant(_recipe("small_finetune")) == SMALL


@pytest.mark.parametrize(
    "name",
    ["teacher", "dense_to_sparse", "deep_to_shallow_removing", "deep_to_shallow_finetune"],
)
def test_what_the_files_say_is_what_the_code_takes_without_them(name: str):
    config, default = _recipe(name), TrainingConfig()
    assert config.distillation == DistillationConfig()
    assert config.shortening.fade_epochs == 40
    tuned, published = config.optimiser, default.optimiser
    assert replace(tuned, decay_from=published.decay_from) == published
    assert config.groups * config.searches == 256
    assert config.epoch_samples == 60_000
