# Copyright 2026 mixformer2_ros contributors
# SPDX-License-Identifier: Apache-2.0
"""Growing a trained network."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch

from mixformer2_ros.model import MixFormerV2
from mixformer2_ros.model.variants import Variant
from mixformer2_ros.training.grow import grow, kept_places
from mixformer2_ros.training.initialisation import initialise

_SHALLOW = Variant(
    "small", search_size=64, template_size=32, search_factor=4.0, depth=2, mlp_ratio=1, width=64,
    heads=2, bins=16,
)  # fmt: skip


def _network() -> MixFormerV2:
    model = MixFormerV2(_SHALLOW)
    initialise(model, seed=3)
    return model.eval()


def _images(variant: Variant) -> list[torch.Tensor]:
    generator = torch.Generator().manual_seed(0)
    sides = (variant.template_size, variant.template_size, variant.search_size)
    return [torch.randn(2, 3, side, side, generator=generator) for side in sides]


@torch.no_grad()
def test_a_deeper_network_with_more_hidden_units_computes_the_same() -> None:
    model = _network()
    grown = grow(model, replace(_SHALLOW, depth=5, mlp_ratio=4)).eval()
    before, after = model(*_images(_SHALLOW)), grown(*_images(_SHALLOW))
    torch.testing.assert_close(after.box, before.box, atol=1e-5, rtol=0)
    torch.testing.assert_close(after.score, before.score, atol=1e-5, rtol=0)


@torch.no_grad()
def test_position_embeddings_keep_their_meaning_on_a_finer_grid() -> None:
    model = _network()
    finer = replace(_SHALLOW, search_size=128, template_size=48)
    embedding = grow(model, finer).backbone.pos_embed_s
    assert embedding.shape == (1, 64, 64)
    # Four fine tokens lie where one coarse one did; their mean is close to it.
    fine = embedding.view(8, 8, 64)[2:4, 4:6].mean(dim=(0, 1))
    coarse = model.backbone.pos_embed_s.view(4, 4, 64)
    distance = (coarse - fine).norm(dim=-1)
    assert divmod(int(distance.argmin()), 4) == (1, 2)


def test_new_blocks_learn() -> None:
    grown = grow(_network(), replace(_SHALLOW, depth=4))
    prediction = grown(*_images(_SHALLOW))
    (prediction.box.sum() + prediction.score.sum()).backward()
    weight = grown.backbone.get_parameter("blocks.0.attn.proj.weight")
    assert weight.grad is not None
    assert weight.grad.abs().max() > 0


def test_old_blocks_stand_evenly_and_the_last_stays_last() -> None:
    assert kept_places(4, 8) == [1, 3, 5, 7]
    assert kept_places(2, 5) == [1, 4]
    assert kept_places(3, 3) == [0, 1, 2]


@pytest.mark.parametrize(
    ("change", "name"), [({"depth": 1}, "depth 2"), ({"width": 128, "heads": 4}, "width 64")]
)
def test_what_does_not_fit_is_refused(change: dict[str, int], name: str) -> None:
    with pytest.raises(ValueError, match=name):
        grow(_network(), replace(_SHALLOW, **change))
