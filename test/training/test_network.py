# Copyright 2026 mixformer2_ros contributors
# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import pytest
import torch

from mixformer2_ros.model.attention import KeyValue
from mixformer2_ros.model.variants import IMAGE_MEAN, IMAGE_STD
from mixformer2_ros.training.initialisation import cosine_basis, initialise
from mixformer2_ros.training.network import (
    TrainingNetwork,
    attend_fused,
    attend_written_out,
)


def _normalised(images: torch.Tensor) -> torch.Tensor:
    mean, std = torch.tensor(IMAGE_MEAN).view(3, 1, 1), torch.tensor(IMAGE_STD).view(3, 1, 1)
    return (images.permute(0, 3, 1, 2).float() / 255 - mean) / std


@pytest.fixture
def network(tiny_network) -> TrainingNetwork:
    return TrainingNetwork(tiny_network(depth=3, mlp_ratio=1, heads=2), supervised=2)


@pytest.mark.parametrize("equal", [False, True], ids=["two templates", "one template"])
def test_the_whole_window_equals_the_plain_forward(
    network: TrainingNetwork, equal: bool, random_pixels
):
    templates, searches = random_pixels(2, 2, 48, 48), random_pixels(2, 3, 96, 96)
    if equal:
        templates[:, 1] = templates[:, 0]
    given = templates[:, :1] if equal else templates
    output = network(given, searches, torch.zeros(6, 2, dtype=torch.long), 6)
    plain = network.model(
        _normalised(templates[:, 0].repeat_interleave(3, dim=0)),
        _normalised(templates[:, 1].repeat_interleave(3, dim=0)),
        _normalised(searches.flatten(0, 1)),
    )
    torch.testing.assert_close(output.layers[-1].edge_logits, plain.edge_logits, atol=1e-4, rtol=0)
    torch.testing.assert_close(output.score, plain.score, atol=1e-4, rtol=0)


@pytest.mark.parametrize("twice", [0, 3])
def test_both_forms_of_attention_are_the_same(twice: int):
    generator = torch.Generator().manual_seed(0)
    query, keys, values = (torch.randn(2, 4, count, 8, generator=generator) for count in (5, 7, 7))
    memory = KeyValue(keys, values)
    torch.testing.assert_close(
        attend_fused(query, memory, twice), attend_written_out(query, memory, twice)
    )


def test_a_window_keeps_the_positions_of_its_tokens(network: TrainingNetwork, random_pixels):
    corners = torch.tensor([[1, 2]])
    output = network(random_pixels(1, 1, 48, 48), random_pixels(1, 1, 96, 96), corners, 3)
    assert [layer.inside is None for layer in output.layers] == [False, False, True]
    assert output.layers[0].inside.shape == (1, 9)
    torch.testing.assert_close(output.centres[0, 0], torch.tensor([2.5 / 6, 1.5 / 6]))
    torch.testing.assert_close(output.centres[0, -1], torch.tensor([4.5 / 6, 3.5 / 6]))


def test_tokens_of_the_start_are_alike_where_patches_are(network: TrainingNetwork, random_pixels):
    patch = random_pixels(1, 1, 16, 16).float()
    rough = torch.nn.functional.avg_pool2d(patch[0].permute(0, 3, 1, 2), 4).repeat_interleave(4, 2)
    patch = rough.repeat_interleave(4, 3).permute(0, 2, 3, 1)
    near = (patch + 4).clamp(0, 255)
    far = patch.flip(1)
    tokens = [network._embed(image.byte())[0] for image in (patch, near, far)]
    alike = [torch.cosine_similarity(tokens[0], other, dim=0).item() for other in tokens[1:]]
    assert alike[0] > 0.9
    assert alike[0] > alike[1] + 0.2


def test_cosine_basis_is_orthonormal():
    basis = cosine_basis(16)
    torch.testing.assert_close(basis @ basis.T, torch.eye(16, dtype=torch.float64))


def test_initialisation_follows_its_seed(tiny_network):
    first, second, third = (tiny_network(depth=1, mlp_ratio=1) for _ in range(3))
    for model, seed in ((first, 1), (second, 1), (third, 2)):
        initialise(model, seed)
    key = "backbone.blocks.0.attn.qkv.weight"
    assert torch.equal(first.state_dict()[key], second.state_dict()[key])
    assert not torch.equal(first.state_dict()[key], third.state_dict()[key])
