# Copyright 2026 mixformer2_ros contributors
# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

from argparse import Namespace

import pytest

pytest.importorskip("onnx", reason="counts the work in the graph")

from mixformer2_ros.benchmark import engines
from mixformer2_ros.benchmark.subjects import Spec


def specs(**options: object) -> list[Spec]:
    arguments = {"model": "small", "checkpoint": None, "backends": None, "precisions": None}
    return engines._specs(Namespace(**{**arguments, **options}), threads=1)


def test_a_gpu_is_asked_for_the_precisions_that_it_has():
    found = {(spec.backend, spec.precision) for spec in specs(device="cuda")}
    assert {("tensorrt", "fp16"), ("onnxruntime", "fp16"), ("torch", "bf16")} <= found
    assert not any(backend == "openvino" for backend, _ in found)
    assert {spec.device for spec in specs(device="cuda", precisions=["fp16"])} == {"cuda"}


def test_a_processor_is_not_asked_for_those_of_a_gpu():
    found = {(spec.backend, spec.precision) for spec in specs(device="cpu")}
    assert ("openvino", "fp32") in found
    assert not any(backend == "tensorrt" or precision == "fp16" for backend, precision in found)


def test_a_device_reaches_the_other_process():
    spec = Spec("tracker", 1, device="cuda:1")
    assert Spec.from_json(spec.to_json()) == spec
