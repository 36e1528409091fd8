# Copyright 2026 mixformer2_ros contributors
# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import numpy as np
import pytest

from mixformer2_ros.model.variants import get_variant


def crops_of(variant_name: str, count: int) -> list[np.ndarray]:
    """Random templates, online templates and search crops of `count` targets."""
    variant = get_variant(variant_name)
    sides = (variant.template_size, variant.template_size, variant.search_size)
    rng = np.random.default_rng(7)
    return [rng.integers(0, 256, (count, side, side, 3), dtype=np.uint8) for side in sides]


@pytest.fixture(scope="session")
def random_crops():
    return crops_of


@pytest.fixture(scope="session")
def rule_state(rule_model):
    """Return a function that gives the parity cases' weights as arrays."""
    return lambda name: {key: value.numpy() for key, value in rule_model(name).state_dict().items()}
