# Copyright 2026 mixformer2_ros contributors
# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import pytest
import torch

from mixformer2_ros.training.config import OptimiserConfig
from mixformer2_ros.training.optimiser import Muon, orthogonalise
from mixformer2_ros.training.schedule import current, rate_factor


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


def test_rate_rises_stays_and_falls():
    config = OptimiserConfig(warmup=0.1, decay="linear", decay_from=0.5, final=0.1)
    factors = [rate_factor(config, progress) for progress in (0.05, 0.1, 0.5, 0.75, 1.0, 1.2)]
    assert factors == pytest.approx([0.5, 1.0, 1.0, 0.55, 0.1, 0.1])


def test_the_last_step_that_has_begun_counts():
    steps = ((0.0, 7), (0.5, 10), (0.8, 14))
    assert [current(steps, progress, 0) for progress in (0.0, 0.49, 0.5, 0.9)] == [7, 7, 10, 14]
