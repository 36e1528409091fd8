# Copyright 2026 mixformer2_ros contributors
# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import pytest
import torch

from mixformer2_ros.model import MixFormerV2
from mixformer2_ros.model.variants import Variant
from mixformer2_ros.training.config import OptimiserConfig, TrainingConfig
from mixformer2_ros.training.optimiser import Muon, build_optimisers, orthogonalise
from mixformer2_ros.training.schedule import current, rate_factor
from mixformer2_ros.training.stages.one_stage import OneStage

TINY = Variant(
    "tiny", search_size=48, template_size=32, search_factor=3.0, depth=2, mlp_ratio=1,
    width=64, heads=2, bins=24,
)  # fmt: skip


def test_orthogonalised_rows_are_about_orthonormal():
    matrices = torch.randn(3, 8, 32, generator=torch.Generator().manual_seed(0))
    values = torch.linalg.svdvals(orthogonalise(matrices))
    assert values.min() > 0.6
    assert values.max() < 1.3


@pytest.mark.parametrize("transposed", [False, True])
def test_muon_moves_by_about_a_fifth_of_the_rate(transposed: bool):
    shape = (16, 32) if not transposed else (32, 16)
    weight = torch.nn.Parameter(torch.zeros(shape))
    muon = Muon([{"params": [weight], "rows": 8, "transposed": transposed}], lr=0.1)
    weight.grad = torch.randn(shape, generator=torch.Generator().manual_seed(0))
    muon.step()
    assert weight.detach().square().mean().sqrt().item() == pytest.approx(0.02, rel=0.2)
    assert (weight.detach() * weight.grad).sum() < 0


def _stage(config: TrainingConfig) -> OneStage:
    return OneStage(config, MixFormerV2(TINY), TINY)


@pytest.mark.parametrize("kind", ["adamw", "muon"])
@pytest.mark.parametrize("patch_lr", [None, 0.0, 1e-4])
def test_every_trained_parameter_has_one_rate(kind: str, patch_lr: float | None):
    config = TrainingConfig(optimiser=OptimiserConfig(kind=kind, patch_lr=patch_lr))
    stage = _stage(config)
    groups = [
        group
        for optimiser in build_optimisers(stage, config.optimiser)
        for group in optimiser.param_groups
    ]
    given = sorted(id(parameter) for group in groups for parameter in group["params"])
    trained = sorted(id(value) for value in stage.parameters() if value.requires_grad)
    assert given == trained
    patches = stage.student.backbone.patch_embed.proj.weight
    assert patches.requires_grad == (patch_lr != 0.0)
    for group in groups:
        if any(parameter is patches for parameter in group["params"]):
            assert group["peak"] == (patch_lr or {"adamw": 4e-5, "muon": 4e-4}[kind])


def test_the_published_rates_are_the_default():
    config = TrainingConfig().optimiser
    stage = _stage(TrainingConfig())
    names = {id(parameter): name for name, parameter in stage.named_parameters()}
    (adamw,) = build_optimisers(stage, config)
    rates = {
        names[id(parameter)]: group["peak"]
        for group in adamw.param_groups
        for parameter in group["params"]
    }
    assert rates["student.backbone.blocks.1.attn.qkv.weight"] == pytest.approx(4e-5)
    assert rates["student.box_head.layers.0.0.weight"] == pytest.approx(4e-4)
    assert {group["weight_decay"] for group in adamw.param_groups} == {1e-4}
    assert config.clip == 0.1
    assert [rate_factor(config, progress) for progress in (0.0, 0.79, 0.8, 1.0)] == [1, 1, 0.1, 0.1]


def test_muon_works_on_heads_and_on_rows():
    stage = _stage(TrainingConfig())
    muon, _ = build_optimisers(stage, OptimiserConfig(kind="muon"))
    rows = {
        id(parameter): (group["rows"], group["transposed"])
        for group in muon.param_groups
        for parameter in group["params"]
    }
    block = stage.student.backbone.blocks[0]
    assert rows[id(block.attn.qkv.weight)] == (32, False)
    assert rows[id(block.attn.proj.weight)] == (32, True)
    assert rows[id(block.mlp.fc1.weight)] == (64, False)
    assert id(stage.student.box_head.layers[1][0].weight) not in rows


def test_rate_rises_stays_and_falls():
    config = OptimiserConfig(warmup=0.1, decay="linear", decay_from=0.5, final=0.1)
    factors = [rate_factor(config, progress) for progress in (0.05, 0.1, 0.5, 0.75, 1.0, 1.2)]
    assert factors == pytest.approx([0.5, 1.0, 1.0, 0.55, 0.1, 0.1])


def test_the_last_step_that_has_begun_counts():
    steps = ((0.0, 7), (0.5, 10), (0.8, 14))
    assert [current(steps, progress, 0) for progress in (0.0, 0.49, 0.5, 0.9)] == [7, 7, 10, 14]
