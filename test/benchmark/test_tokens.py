# Copyright 2026 mixformer2_ros contributors
# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import numpy as np
import pytest

pytest.importorskip("torch")
pytest.importorskip("onnx", reason="counts the work in the graph")

from mixformer2_ros.benchmark import tokens
from mixformer2_ros.inference.torch_engine import TorchEngine


@pytest.fixture(scope="module")
def model(rule_model):
    return rule_model("small")


@pytest.fixture(scope="module")
def images():
    rng = np.random.default_rng(0)
    return [rng.integers(0, 256, (1, side, side, 3), dtype=np.uint8) for side in (112, 112, 224)]


@pytest.fixture(scope="module")
def full(model, images):
    return located(TorchEngine(model, "cpu", "fp32"), images)


def located(engine, images):
    template, online, search = images
    return engine.locate(engine.encode_templates(template, online), search)


def test_a_window_of_all_patches_changes_nothing(model, images, full):
    found = located(tokens._WindowEngine(model, 14), images)
    np.testing.assert_allclose(found.edges, full.edges, atol=1e-5)


def test_a_window_reads_its_own_pixels_only(model, images):
    engine = tokens._WindowEngine(model, 10)
    outside = images[2].copy()
    outside[:, :32] = outside[:, -32:] = outside[:, :, :32] = outside[:, :, -32:] = 0
    inside = [*images[:2], outside]
    np.testing.assert_array_equal(located(engine, images).edges, located(engine, inside).edges)


def test_pruning_nothing_changes_nothing(model, images, full):
    engine = tokens._PrunedEngine(model, 1.0)
    assert engine.share == 1.0
    np.testing.assert_allclose(located(engine, images).edges, full.edges, atol=1e-5)


def test_pruned_patches_save_work(model, images, full):
    engine = tokens._PrunedEngine(model, 0.5)
    assert 0.5 < engine.share < 0.8
    assert np.abs(located(engine, images).edges - full.edges).max() > 1e-4


def test_the_small_window_is_for_targets_that_are_sure_to_be_in_it():
    answers = [
        ((0.5, 0.5, 0.2, 0.2), 0.9),  # sure and in the middle: small next
        ((0.5, 0.5, 0.2, 0.2), 0.3),  # not sure
        ((0.8, 0.5, 0.2, 0.2), 0.9),  # moved far
        ((0.5, 0.5, 0.2, 0.2), 0.9),
    ]
    script, asked, shares = iter(answers), [], []

    class Scripted:
        variant, encode_templates = None, None

        def __init__(self, name):
            self.name = name

        def locate(self, memories, crops):
            asked.append(self.name)
            box, score = next(script)
            edges = np.zeros((1, 4, 96), np.float32)
            return tokens.Locations(np.array([box]), np.array([score]), edges)

    engine = tokens._AdaptiveEngine(Scripted("full"), Scripted("small"), 0.5, 10 / 14, shares)
    for _ in answers:
        engine.locate([None], np.zeros((1, 2, 2, 3), np.uint8))
    assert asked == ["full", "small", "full", "full"]
    assert shares == [1.0, 0.5, 1.0, 1.0]
