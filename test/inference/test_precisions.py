# Copyright 2026 mixformer2_ros contributors
# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import json

import pytest

from mixformer2_ros.checksums import file_sha256
from mixformer2_ros.inference import ModelError, precisions
from mixformer2_ros.inference.precisions import (
    Accuracy,
    Measured,
    fastest_precision,
    measured_path,
    read_measured,
)

FLOAT32 = Accuracy(0.56, 0.86)
GOOD, POOR = Accuracy(0.556, 0.852), Accuracy(0.54, 0.86)


@pytest.fixture
def weights(tmp_path):
    path = tmp_path / "own.safetensors"
    path.write_bytes(b"weights")
    return path


@pytest.fixture
def processor(monkeypatch):
    """Return a function that says what the processor multiplies well."""

    def pretend(int8: bool, bf16: bool) -> None:
        monkeypatch.setattr(precisions.processor, "has_int8", lambda: int8)
        monkeypatch.setattr(precisions.processor, "has_bfloat16", lambda: bf16)

    pretend(True, True)
    return pretend


def record(weights, **accuracies: Accuracy) -> Measured:
    rows = {"openvino": {"fp32": FLOAT32, **accuracies}}
    measured = Measured(file_sha256(weights), "14 sequences", FLOAT32, rows)
    measured_path(weights).write_text(measured.to_json())
    return measured


def test_measurements_survive_the_way_through_json(weights):
    measured = record(weights, int8=GOOD, bf16=POOR)
    assert read_measured(measured_path(weights)) == measured


def test_the_fastest_that_keeps_the_accuracy_is_taken_and_says_so(weights, processor):
    record(weights, int8=GOOD, bf16=GOOD)
    precision, reason = fastest_precision(weights, "openvino")
    assert precision == "int8"
    assert "55.6 AUC, float32 56.0" in reason


@pytest.mark.parametrize("loss", [POOR, Accuracy(0.56, 0.84)], ids=["boxes", "score"])
def test_one_that_loses_accuracy_is_passed_over(weights, processor, loss):
    record(weights, int8=loss, bf16=GOOD)
    assert fastest_precision(weights, "openvino")[0] == "bf16"
    record(weights, int8=loss, bf16=loss)
    precision, reason = fastest_precision(weights, "openvino")
    assert precision == "fp32"
    assert "int8 loses accuracy" in reason
    assert "bf16 loses accuracy" in reason


def test_the_processor_must_be_able(weights, processor):
    record(weights, int8=GOOD, bf16=GOOD)
    processor(int8=False, bf16=True)
    assert fastest_precision(weights, "openvino")[0] == "bf16"
    processor(int8=False, bf16=False)
    precision, reason = fastest_precision(weights, "openvino")
    assert precision == "fp32"
    assert "int8 is not for this processor" in reason


def test_what_was_not_measured_is_not_taken(weights, processor):
    assert fastest_precision(weights, "openvino") == ("fp32", "")
    record(weights, int8=GOOD)
    assert fastest_precision(weights, "onnxruntime") == ("fp32", "")


def test_measurements_of_other_weights_do_not_count(weights, processor):
    record(weights, int8=GOOD)
    weights.write_bytes(b"trained on")
    precision, reason = fastest_precision(weights, "openvino")
    assert precision == "fp32"
    assert "other weights" in reason


def test_int8_is_refused_where_the_processor_is_not_made_for_it(processor):
    precisions.check_int8()
    processor(int8=False, bf16=True)
    with pytest.raises(ModelError, match=r"VNNI.*use auto or fp32"):
        precisions.check_int8()


@pytest.mark.parametrize("change", [{"format": 9}, {"accuracies": 3}, {"float32": {}}], ids=str)
def test_damaged_measurements_are_refused_with_the_cure(weights, change):
    path = measured_path(weights)
    content = json.loads(record(weights, int8=GOOD).to_json())
    path.write_text(json.dumps({**content, **change}))
    with pytest.raises(ModelError, match=r"cannot be used.*compare --record"):
        read_measured(path)
