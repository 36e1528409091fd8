# Copyright 2026 mixformer2_ros contributors
# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import numpy as np
import pytest

pytest.importorskip("onnxruntime", reason="onnxruntime is not installed")
pytest.importorskip("onnx")

from mixformer2_ros.inference import ModelError, onnxruntime_engine
from mixformer2_ros.inference.onnxruntime_engine import OnnxRuntimeEngine, has_cuda
from mixformer2_ros.model.state import expected_shapes
from mixformer2_ros.model.variants import SMALL

without_cuda = pytest.mark.skipif(has_cuda(), reason="this ONNX Runtime was built for CUDA")


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"device": "toaster"}, "device 'toaster' is unknown: use auto, cpu, cuda or cuda:N"),
        ({"device": "cuda:x"}, "device 'cuda:x' is unknown"),
        ({"precision": "bf16"}, "'bf16' is not for ONNX Runtime: use auto or fp32, or backend"),
    ],
)
def test_impossible_options_say_what_to_use(options, message):
    with pytest.raises(ModelError, match=message):
        OnnxRuntimeEngine(SMALL, {}, **options)


@without_cuda
def test_cuda_without_a_cuda_build_names_the_cure():
    with pytest.raises(ModelError, match=r"has no CUDA; install onnxruntime-gpu.*use device cpu"):
        OnnxRuntimeEngine(SMALL, {}, "cuda")


@without_cuda
@pytest.mark.filterwarnings("ignore:Specified provider:UserWarning")
def test_a_silent_fallback_to_the_processor_is_an_error(monkeypatch):
    monkeypatch.setattr(onnxruntime_engine, "has_cuda", lambda: True)
    state = {name: np.zeros(shape, np.float16) for name, shape in expected_shapes(SMALL).items()}
    with pytest.raises(ModelError, match=r"could not start CUDAExecutionProvider.*device cpu"):
        OnnxRuntimeEngine(SMALL, state, "cuda:1")
