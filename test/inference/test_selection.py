# Copyright 2026 mixformer2_ros contributors
# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

from pathlib import Path

import pytest

from mixformer2_ros.inference import BACKENDS, ModelError, selection
from mixformer2_ros.inference.selection import (
    choose_backend,
    exact_precision,
    require_installed,
)

FASTEST = " (picked: fastest backend for this processor, some-feature)"


@pytest.fixture
def machine(monkeypatch):
    """A machine of which the test says what it is."""

    def pretend(
        *installed: str,
        processor: str = "x86_64",
        gpu: bool = False,
        cuda: tuple[str, ...] = (),
    ) -> None:
        def find_spec(module: str) -> object:
            return module in installed or None

        monkeypatch.setattr(selection, "find_spec", find_spec)
        monkeypatch.setattr(selection.processor, "is_x86", lambda: processor == "x86_64")
        monkeypatch.setattr(selection.processor, "describe_features", lambda: "some-feature")
        monkeypatch.setattr(selection, "_has_cuda_gpu", lambda: gpu)
        monkeypatch.setattr(selection, "_torch_cuda", lambda: "torch" in cuda)
        monkeypatch.setattr(selection, "_onnxruntime_cuda", lambda: "onnxruntime" in cuda)

    return pretend


@pytest.mark.parametrize(
    ("installed", "processor", "expected", "reason"),
    [
        (BACKENDS, "x86_64", "openvino", FASTEST),
        (BACKENDS, "aarch64", "onnxruntime", FASTEST),
        (("openvino", "torch"), "aarch64", "openvino", " (picked: onnxruntime would be faster"),
        (("onnxruntime", "torch"), "x86_64", "onnxruntime", " (picked: openvino would be faster"),
        (("torch",), "x86_64", "torch", " (picked: openvino would be faster"),
    ],
)
def test_the_fastest_installed_backend_is_picked(machine, installed, processor, expected, reason):
    machine(*installed, processor=processor)
    backend, device, why = choose_backend("auto", "auto")
    assert (backend, device) == (expected, "auto")
    assert why.startswith(reason)


def test_a_backend_that_has_the_precision_is_picked(machine):
    machine("onnxruntime", "torch")
    assert choose_backend("auto", "bf16")[0] == "torch"
    with pytest.raises(ModelError, match="precision 'fp16' is for CUDA GPUs or unknown"):
        choose_backend("auto", "fp16")


def test_only_the_backends_that_are_wanted_are_picked(machine):
    machine(*BACKENDS, gpu=True, cuda=("torch", "onnxruntime"))
    assert choose_backend("auto", "auto", among=("torch",))[:2] == ("torch", "cuda")
    assert choose_backend("cpu", "auto", among=("onnxruntime", "torch"))[0] == "onnxruntime"


def test_a_gpu_that_a_backend_reaches_comes_first(machine):
    machine(*BACKENDS, gpu=True, cuda=("torch", "onnxruntime"))
    found = " (picked: CUDA GPU found"
    assert choose_backend("auto", "auto") == ("tensorrt", "cuda", f"{found})")
    assert choose_backend("cpu", "auto")[:2] == ("openvino", "cpu")
    without_both = f"{found}; without tensorrt and onnxruntime)"
    assert choose_backend("auto", "bf16") == ("torch", "cuda", without_both)
    # TensorRT takes the first GPU only.
    assert choose_backend("cuda:1", "auto")[:2] == ("onnxruntime", "cuda:1")
    assert choose_backend("tensorrt:1", "auto") == ("onnxruntime", "tensorrt:1", "")
    rest = tuple(name for name in BACKENDS if name != "tensorrt")
    machine(*rest, gpu=True, cuda=("torch", "onnxruntime"))
    assert choose_backend("auto", "auto") == ("onnxruntime", "cuda", f"{found}; without tensorrt)")
    machine(*rest, gpu=True, cuda=("torch",))
    assert choose_backend("auto", "auto") == ("torch", "cuda", without_both)
    machine(*rest, gpu=True)
    assert choose_backend("auto", "auto")[:2] == ("openvino", "auto")


def test_what_is_not_there_is_named_with_the_cure(machine):
    machine()
    with pytest.raises(ModelError, match=r"no backend is installed.*mixformer2_ros\[openvino\]'"):
        choose_backend("auto", "auto")
    with pytest.raises(ModelError, match=r"'onnxruntime' is not installed: pip install .*\[onnx\]"):
        require_installed("onnxruntime")
    with pytest.raises(ModelError, match=r"'tensorrt' is not installed: it comes with JetPack"):
        require_installed("tensorrt")
    machine("torch")
    with pytest.raises(ModelError, match=r"no installed backend finds a CUDA GPU.*use device cpu"):
        choose_backend("cuda", "auto")


def test_auto_precision_goes_by_what_was_measured_with_the_weights(monkeypatch):
    weights = Path("own.safetensors")
    monkeypatch.setattr(selection, "fastest_precision", lambda weights, backend: ("int8", " (why)"))
    assert exact_precision("openvino", "auto", weights=weights) == ("int8", " (why)")
    assert exact_precision("openvino", "fp32", weights=weights) == ("fp32", "")
    assert exact_precision("tensorrt", "auto", "cuda", weights) == ("fp16", "")
