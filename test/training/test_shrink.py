# Copyright 2026 mixformer2_ros contributors
# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import copy

import pytest
import torch

from mixformer2_ros.model import MixFormerV2
from mixformer2_ros.training.shrink import (
    fade_factor,
    unit_statistics,
    with_crops,
    with_fewer_units,
    without_blocks,
)


@pytest.fixture
def model(tiny_network) -> MixFormerV2:
    return tiny_network(depth=4, mlp_ratio=4)


@pytest.fixture
def images(random_views) -> list[torch.Tensor]:
    return random_views(48, 48, 96)


def test_fading_goes_from_one_to_zero():
    factors = [fade_factor(epoch, 40) for epoch in range(45)]
    assert fade_factor(-1, 40) == 1.0
    assert factors[0] == pytest.approx(0.99846, abs=1e-5)  # 0.5 (1 + cos(pi / 40))
    assert factors[19] == pytest.approx(0.5)
    assert factors[39:] == [0.0] * 6
    assert factors == sorted(factors, reverse=True)


def test_the_shortened_network_keeps_the_other_blocks(model: MixFormerV2):
    short = without_blocks(model, [0, 2])
    assert short.variant.depth == 2
    state, own = model.state_dict(), short.state_dict()
    assert len(own) < len(state)
    for kept, old in enumerate((1, 3)):
        name = "mlp.fc1.weight"
        assert torch.equal(
            own[f"backbone.blocks.{kept}.{name}"], state[f"backbone.blocks.{old}.{name}"]
        )
    with pytest.raises(ValueError, match=r"cannot remove blocks \[4\] of a network that has 4"):
        without_blocks(model, [4])
    with pytest.raises(ValueError, match="cannot remove"):
        without_blocks(model, range(4))


def test_unit_statistics_are_those_of_normal_channels(model: MixFormerV2):
    block = model.backbone.layers()[0]
    with torch.no_grad():
        for parameter in (block.norm2.weight, block.norm2.bias, block.mlp.fc1.bias):
            parameter.add_(0.3 * torch.randn_like(parameter))
    average, spread = unit_statistics(block)
    normal = torch.randn(200_000, 64, generator=torch.Generator().manual_seed(0))
    with torch.no_grad():
        inputs = normal * block.norm2.weight + block.norm2.bias
        units = block.mlp.act(block.mlp.fc1(inputs))
    torch.testing.assert_close(average, units.mean(dim=0), atol=0.02, rtol=0.02)
    torch.testing.assert_close(spread, units.std(dim=0), atol=0.02, rtol=0.02)


def test_units_that_say_nothing_go_first(model: MixFormerV2, images):
    loud = copy.deepcopy(model)
    generator = torch.Generator().manual_seed(3)
    with torch.no_grad():
        for block in loud.backbone.layers():
            silent = torch.randperm(256, generator=generator)[64:]
            block.mlp.fc1.weight[silent] = 0.0  # Constant, but not nothing: the bias goes on.
            block.mlp.fc1.bias[silent] = 1.0
    small = with_fewer_units(loud, 1)
    assert small.variant.mlp_ratio == 1
    assert small.backbone.layers()[0].mlp.fc1.out_features == 64
    expected, found = loud(*images), small(*images)
    torch.testing.assert_close(found.edge_logits, expected.edge_logits, atol=1e-3, rtol=1e-3)
    with pytest.raises(ValueError, match="cannot keep 128 hidden units of 64"):
        with_fewer_units(small, 2)


def test_important_units_say_more_than_others(model: MixFormerV2, images):
    with torch.no_grad():
        for block in model.backbone.layers():
            block.mlp.fc2.weight.mul_(torch.rand(256, generator=torch.Generator().manual_seed(5)))
    half = with_fewer_units(model, 2)
    blind = copy.deepcopy(half)
    with torch.no_grad():
        for block, whole in zip(blind.backbone.layers(), model.backbone.layers(), strict=True):
            block.mlp.fc1.weight.copy_(whole.mlp.fc1.weight[:128])
            block.mlp.fc1.bias.copy_(whole.mlp.fc1.bias[:128])
            block.mlp.fc2.weight.copy_(whole.mlp.fc2.weight[:, :128])
            block.mlp.fc2.bias.copy_(whole.mlp.fc2.bias)
    expected = model.backbone(*images)[-1]
    errors = [
        (network.backbone(*images)[-1] - expected).square().mean().item()
        for network in (half, blind)
    ]
    assert errors[0] < 0.8 * errors[1]


def test_other_crops_resample_the_positions_alone(model: MixFormerV2, images):
    larger = with_crops(model, 128, 64)
    assert larger.backbone.pos_embed_s.shape == (1, 64, 64)
    assert not larger.backbone.pos_embed_s.requires_grad
    sides = (64, 64, 128)
    assert larger(*(torch.randn(1, 3, side, side) for side in sides)).box.shape == (1, 4)
    same = with_crops(model, 96, 48)
    assert torch.equal(same(*images).box, model(*images).box)
