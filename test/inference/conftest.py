# Copyright 2026 mixformer2_ros contributors
# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

from functools import cache

import numpy as np
import pytest

from mixformer2_ros.inference import export
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


@pytest.fixture(scope="session")
def rule_checkpoint(rule_state, tmp_path_factory):
    """Return a function that gives a file of the parity cases' weights, in float32."""
    from safetensors.numpy import save_file

    folder = tmp_path_factory.mktemp("rule")

    @cache
    def path(name: str):
        save_file(rule_state(name), folder / f"{name}.safetensors")
        return folder / f"{name}.safetensors"

    return path


@pytest.fixture(scope="session")
def rule_artefact(rule_checkpoint):
    """Return a function that makes an artefact of those weights, kept in the tests' cache."""

    def make(name: str, backend: str, precision: str = "fp32", batch: int = 0):
        checkpoint = rule_checkpoint(name)
        recipe = export.make_recipe(name, checkpoint, backend, precision, batch)
        return export.obtain(recipe, checkpoint)

    return make
