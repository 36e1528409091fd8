# Copyright 2026 mixformer2_ros contributors
# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import pytest

pytest.importorskip("onnxruntime", reason="onnxruntime is not installed")
pytest.importorskip("onnx")

from mixformer2_ros.inference import ModelError, onnxruntime_engine
from mixformer2_ros.inference.onnxruntime_engine import OnnxRuntimeEngine, check_device, has_cuda

without_cuda = pytest.mark.skipif(has_cuda(), reason="this ONNX Runtime was built for CUDA")


@pytest.mark.parametrize(
    ("device", "message"),
    [
        ("toaster", "device 'toaster' is unknown: use auto, cpu, cuda or cuda:N"),
        ("cuda:x", "device 'cuda:x' is unknown"),
    ],
)
def test_an_unknown_device_names_the_known_ones(device, message):
    with pytest.raises(ModelError, match=message):
        check_device(device)


@without_cuda
def test_cuda_without_a_cuda_build_names_the_cure():
    with pytest.raises(ModelError, match=r"has no CUDA; install onnxruntime-gpu.*use device cpu"):
        check_device("cuda")


@without_cuda
@pytest.mark.filterwarnings("ignore:Specified provider:UserWarning")
def test_a_silent_fallback_to_the_processor_is_an_error(monkeypatch, rule_artefact):
    monkeypatch.setattr(onnxruntime_engine, "has_cuda", lambda: True)
    with pytest.raises(ModelError, match=r"could not start CUDAExecutionProvider.*device cpu"):
        OnnxRuntimeEngine(rule_artefact("small", "onnxruntime"), "cuda:1")
