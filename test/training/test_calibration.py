# Copyright 2026 mixformer2_ros contributors
# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import numpy as np
import pytest
import torch

from mixformer2_ros.model import MixFormerV2
from mixformer2_ros.model.variants import Variant
from mixformer2_ros.training.calibration import fit_logistic, rescale_score

TINY = Variant(
    "tiny", search_size=48, template_size=32, search_factor=3.0, depth=1, mlp_ratio=1,
    width=32, heads=1, bins=24,
)  # fmt: skip


def test_the_threshold_lies_between_hits_and_misses_whatever_their_numbers():
    rng = np.random.default_rng(0)
    logits = np.concatenate([rng.normal(5.0, 1.0, 900), rng.normal(3.0, 1.0, 100)])
    hit = np.arange(1000) < 900
    scale, offset = fit_logistic(logits, hit)
    # Two Gaussians of deviation 1 at distance 2: the log odds have slope 2 and are 0 half-way.
    assert scale == pytest.approx(2.0, rel=0.25)
    assert -offset / scale == pytest.approx(4.0, abs=0.25)


def test_scores_that_tell_nothing_are_left_alone():
    assert fit_logistic(np.arange(4.0), np.ones(4, bool)) == (1.0, 0.0)
    assert fit_logistic(np.array([1.0, -1.0]), np.array([False, True])) == (1.0, 0.0)


def test_rescaling_changes_the_score_alone():
    model = MixFormerV2(TINY).eval()
    images = [torch.randn(2, 3, side, side) for side in (32, 32, 48)]
    with torch.inference_mode():
        before = model(*images)
        rescale_score(model, 3.0, -1.0)
        after = model(*images)
    torch.testing.assert_close(after.score, 3.0 * before.score - 1.0, atol=1e-4, rtol=1e-4)
    assert torch.equal(after.edge_logits, before.edge_logits)
