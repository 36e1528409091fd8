# Copyright 2026 mixformer2_ros contributors
# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import json
from pathlib import Path

import pytest

from mixformer2_ros.evaluation.trackers import MixformerFactory, recipe_of, tracker_factory
from mixformer2_ros.inference import ModelError, loading
from mixformer2_ros.inference.artefact import Recipe, write_metadata
from mixformer2_ros.model.variants import SMALL


@pytest.fixture
def machine(monkeypatch):
    """Say what "auto" stands for."""

    def pretend(backend: str, precision: str) -> None:
        monkeypatch.setattr(loading, "choose_backend", lambda *_: (backend, "cpu", ""))
        monkeypatch.setattr(
            loading,
            "exact_precision",
            lambda _, asked, *__: (precision if asked == "auto" else asked, ""),
        )

    return pretend


@pytest.fixture
def weights(tmp_path) -> Path:
    path = tmp_path / "own.safetensors"
    path.write_bytes(b"weights")
    return path


def recipe(**engine: object) -> dict:
    return recipe_of(tracker_factory("mixformer", engine))


def test_results_of_another_precision_are_other_results(machine, weights):
    machine("openvino", "bf16")
    here = recipe(checkpoint=str(weights))
    machine("onnxruntime", "fp32")
    there = recipe(checkpoint=str(weights))
    assert (here["backend"], here["precision"]) == ("openvino", "bf16")
    assert (there["backend"], there["precision"]) == ("onnxruntime", "fp32")
    assert here["weights"] == there["weights"]
    assert here == recipe(checkpoint=str(weights), backend="openvino", precision="bf16")


def test_threads_do_not_decide_results(machine, weights):
    machine("openvino", "fp32")
    assert recipe(checkpoint=str(weights)) == recipe(checkpoint=str(weights), threads=3)


def test_an_artefact_is_known_by_its_description(tmp_path):
    made = Recipe("small", "0" * 64, "onnxruntime", "int8", 0, "1.2")
    write_metadata(tmp_path, made, SMALL, {})
    found = recipe(checkpoint=str(tmp_path))
    assert (found["backend"], found["precision"]) == ("onnxruntime", "int8")
    assert found["weights"].startswith(f"{tmp_path.name} sha256 ")


def test_weights_that_are_not_there_are_named(machine, tmp_path):
    machine("openvino", "fp32")
    with pytest.raises(ModelError, match=r"missing\.safetensors: cannot be read"):
        recipe(checkpoint=str(tmp_path / "missing.safetensors"))


def test_settings_are_part_of_the_recipe_and_json(machine, weights):
    machine("openvino", "fp32")
    factory = tracker_factory("mixformer", {"checkpoint": str(weights)})
    assert isinstance(factory, MixformerFactory)
    assert json.loads(json.dumps(recipe_of(factory)))["tracker.robust"] is True


def test_a_tracker_that_is_none_is_refused():
    with pytest.raises(ValueError, match="'nothing' is unknown: give mixformer"):
        tracker_factory("nothing", {})
