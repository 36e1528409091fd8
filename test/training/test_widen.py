# Copyright 2026 mixformer2_ros contributors
# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import pytest
import torch

from mixformer2_ros.model import MixFormerV2
from mixformer2_ros.model.variants import Variant, narrowed
from mixformer2_ros.training.initialisation import initialise
from mixformer2_ros.training.widen import unwiden, widen

WIDE = Variant(
    "wide", search_size=96, template_size=48, search_factor=4.0, depth=2, mlp_ratio=1,
    width=96, heads=6, bins=24,
)  # fmt: skip


@pytest.mark.parametrize(("width", "mlp_ratio"), [(32, 1), (32, 3), (48, 2), (96, 1)])
def test_the_widened_network_computes_the_same(width: int, mlp_ratio: int):
    narrow = MixFormerV2(narrowed(WIDE, width, mlp_ratio))
    initialise(narrow, 0)
    generator = torch.Generator().manual_seed(1)
    with torch.no_grad():
        for parameter in narrow.parameters():
            parameter.add_(0.1 * torch.randn(parameter.shape, generator=generator))
    wide = widen(narrow, WIDE)
    template, online, search = (
        torch.randn(2, 3, side, side, generator=generator) for side in (48, 48, 96)
    )
    expected, found = narrow(template, online, search), wide(template, online, search)
    torch.testing.assert_close(found.edge_logits, expected.edge_logits, atol=1e-4, rtol=1e-4)
    torch.testing.assert_close(found.score, expected.score, atol=1e-4, rtol=1e-4)


@pytest.mark.parametrize(("width", "mlp_ratio"), [(32, 1), (32, 3), (48, 2), (96, 1)])
def test_widening_is_undone_exactly(width: int, mlp_ratio: int):
    variant = narrowed(WIDE, width, mlp_ratio)
    narrow = MixFormerV2(variant)
    initialise(narrow, 0)
    restored = unwiden(widen(narrow, WIDE), variant).state_dict()
    for name, values in narrow.state_dict().items():
        torch.testing.assert_close(restored[name], values, atol=1e-5, rtol=0)


def test_a_network_that_was_not_widened_is_refused():
    wide = MixFormerV2(WIDE)
    initialise(wide, 0)
    with pytest.raises(ValueError, match="96 channels was not widened from one of 48"):
        unwiden(wide, narrowed(WIDE, 48, 1))
