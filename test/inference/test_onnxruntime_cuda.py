# Copyright 2026 mixformer2_ros contributors
# SPDX-License-Identifier: Apache-2.0
"""ONNX Runtime on a GPU: its own processor provider computes on a stand-in of the CUDA driver.

Bindings, addresses and copies are the real ones; the CUDA and TensorRT providers have not run.
"""

from __future__ import annotations

import sys
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

pytest.importorskip("onnx")
onnxruntime = pytest.importorskip("onnxruntime", reason="onnxruntime is not installed")
sys.path.insert(0, str(Path(__file__).parent))

import gpu_fakes  # noqa: E402

from mixformer2_ros.inference import Locations, ModelError, cuda_driver, onnxruntime_cuda  # noqa: E402
from mixformer2_ros.inference.onnxruntime_cuda import OnnxRuntimeCudaEngine, check_device  # noqa: E402


@pytest.fixture
def gpu(monkeypatch):
    """A GPU, on which the processor's provider stands in for others; what they were asked for."""

    def pretend(available=("CUDAExecutionProvider",), no_graphs: bool = False, **gpu: object):
        driver = gpu_fakes.Driver(**gpu)
        asked: list[tuple[str, dict]] = []

        class Session(onnxruntime.InferenceSession):
            def __init__(self, path, options, providers):
                asked.append(providers[0])
                self.captures = providers[0][1].get("enable_cuda_graph")
                options.intra_op_num_threads = 1
                super().__init__(path, options, providers=["CPUExecutionProvider"])

            def get_providers(self):
                return [asked[-1][0]]

            def run_with_iobinding(self, binding, options):
                if no_graphs and self.captures:
                    raise RuntimeError("CUDA failure 901")
                assert not driver._queue, "the crop is not there yet"
                super().run_with_iobinding(binding, options)

        monkeypatch.setattr(cuda_driver, "load_driver", lambda: driver)
        monkeypatch.setattr(onnxruntime, "InferenceSession", Session)
        monkeypatch.setattr(onnxruntime, "get_available_providers", lambda: list(available))
        monkeypatch.setattr(onnxruntime_cuda, "_PLACE", "cpu")
        return SimpleNamespace(driver=driver, asked=asked)

    return pretend


def located(engine, crops, order=slice(None)) -> Locations:
    memories = engine.encode_templates(*crops[:2])
    picked = np.arange(len(crops[2]))[order]
    return engine.locate([memories[i] for i in picked], crops[2][picked])


@pytest.mark.parametrize("integrated", [False, True], ids=["card", "jetson"])
def test_boxes_are_those_of_the_processor(gpu, rule_artefact, random_crops, integrated):
    from mixformer2_ros.inference.onnxruntime_engine import OnnxRuntimeEngine

    artefact = rule_artefact("small", "onnxruntime")
    crops = random_crops("small", 2)
    expected = located(OnnxRuntimeEngine(artefact, threads=1), crops)
    machine = gpu(integrated=integrated)
    engine = OnnxRuntimeCudaEngine(artefact, "cuda")
    for order in ([0, 1], [1], [1, 0], [0]):
        found = located(engine, crops, order)
        np.testing.assert_allclose(found.edges, expected.edges[order], atol=1e-5)
        np.testing.assert_allclose(found.boxes, expected.boxes[order], atol=1e-5)
    assert [options["enable_cuda_graph"] for _, options in machine.asked] == [0, 1]
    assert all(options["use_tf32"] == 0 for _, options in machine.asked)
    assert " with CUDA on Orin, float32" in engine.description


def test_half_precision_stays_near_float32(gpu, rule_artefact, random_crops):
    crops = random_crops("small", 1)
    gpu()
    exact = located(OnnxRuntimeCudaEngine(rule_artefact("small", "onnxruntime"), "cuda"), crops)
    half = OnnxRuntimeCudaEngine(rule_artefact("small", "onnxruntime", "fp16"), "cuda")
    found = located(half, crops)
    assert half.description.endswith("float16")
    assert half.encode_templates(*crops[:2])[0].arrays[0].dtype == np.float16
    np.testing.assert_allclose(found.boxes, exact.boxes, atol=1e-2)
    np.testing.assert_allclose(found.edges, exact.edges, atol=1e-2)


def test_memories_stay_on_the_gpu_from_frame_to_frame(gpu, rule_artefact, random_crops):
    machine = gpu()
    engine = OnnxRuntimeCudaEngine(rule_artefact("small", "onnxruntime"), "cuda")
    crops = random_crops("small", 1)
    memories = engine.encode_templates(*crops[:2])
    engine.locate(memories, crops[2])
    machine.driver.calls.clear()
    engine.locate(memories, crops[2])
    copies = [name for name in machine.driver.calls if name.startswith("cuMemcpy")]
    assert copies == ["cuMemcpyHtoDAsync_v2"] + 3 * ["cuMemcpyDtoHAsync_v2"]


def test_a_graph_that_cannot_be_captured_runs_without(gpu, rule_artefact, random_crops):
    machine = gpu(no_graphs=True)
    engine = OnnxRuntimeCudaEngine(rule_artefact("small", "onnxruntime"), "cuda")
    assert np.isfinite(located(engine, random_crops("small", 1)).boxes).all()
    assert [options["enable_cuda_graph"] for _, options in machine.asked] == [0, 1, 0]


def test_the_tensorrt_provider_keeps_its_plans_and_its_normalisations(gpu, rule_artefact):
    machine = gpu(("TensorrtExecutionProvider", "CUDAExecutionProvider"))
    engine = OnnxRuntimeCudaEngine(rule_artefact("small", "onnxruntime"), "tensorrt")
    provider, options = machine.asked[-1]
    assert provider == "TensorrtExecutionProvider"
    assert options["trt_engine_cache_enable"]
    assert options["trt_layer_norm_fp32_fallback"]
    assert not options["trt_fp16_enable"]  # the artefact is float32
    assert "with TensorRT on Orin" in engine.description


@pytest.mark.parametrize(
    ("device", "message"),
    [
        ("toaster", "'toaster' is unknown: use auto, cpu, cuda, cuda:N, tensorrt or tensorrt:N"),
        ("cuda:x", "'cuda:x' is no CUDA GPU"),
        ("tensorrt", r"has no TensorrtExecutionProvider; install onnxruntime-gpu"),
    ],
)
def test_what_is_not_there_is_named_with_the_cure(gpu, device, message):
    gpu()
    with pytest.raises(ModelError, match=message):
        check_device(device)


def test_a_silent_fallback_to_the_processor_is_an_error(gpu, rule_artefact, monkeypatch):
    gpu()
    monkeypatch.setattr(
        onnxruntime.InferenceSession, "get_providers", lambda self: ["CPUExecutionProvider"]
    )
    with pytest.raises(ModelError, match=r"could not start CUDAExecutionProvider.*device cpu"):
        OnnxRuntimeCudaEngine(rule_artefact("small", "onnxruntime"), "cuda")
