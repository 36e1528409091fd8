# Copyright 2026 mixformer2_ros contributors
# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import numpy as np
import pytest

from mixformer2_ros.tracking.template_policy import TemplatePolicy


def named(number: int) -> np.ndarray:
    return np.full((2, 2, 3), number, np.uint8)


@pytest.fixture
def policy() -> TemplatePolicy:
    return TemplatePolicy(named(0))


def run(policy: TemplatePolicy, scores, interval: int = 4) -> list[int]:
    """Return the online template's number after every frame; frame i's crop has number i."""
    online = []
    for number, score in enumerate(scores, start=1):
        policy.update(score, lambda n=number: named(n), threshold=0.5, interval=interval)
        online.append(int(policy.online[0, 0, 0]))
    return online


def test_best_crop_of_the_interval_is_taken_at_its_end(policy: TemplatePolicy) -> None:
    assert run(policy, [0.6, 0.9, 0.7, 0.8, 0.6, 0.6, 0.6, 0.61]) == [0, 0, 0, 2, 2, 2, 2, 8]
    assert policy.initial[0, 0, 0] == 0


def test_interval_without_a_good_crop_returns_to_the_initial_one(policy: TemplatePolicy) -> None:
    assert run(policy, [0.9, 0.1, 0.1, 0.1, 0.5, 0.2, 0.3, 0.4]) == [0, 0, 0, 1, 1, 1, 1, 0]


def test_first_of_equal_scores_wins(policy: TemplatePolicy) -> None:
    assert run(policy, [0.7, 0.7], interval=2) == [0, 1]


def test_crops_are_cut_only_when_they_are_better(policy: TemplatePolicy) -> None:
    cut = []
    for score in [0.5, 0.6, 0.6, 0.55, 0.7]:
        policy.update(score, lambda s=score: cut.append(s) or named(1), threshold=0.5, interval=9)
    assert cut == [0.6, 0.7]
