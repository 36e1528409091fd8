# Copyright 2026 mixformer2_ros contributors
# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import sys
from types import SimpleNamespace

import pytest

from mixformer2_ros import doctor_gpu
from mixformer2_ros.doctor import Level
from mixformer2_ros.inference.cuda_driver import CudaError

ORIN = "# R36 (release), REVISION: 4.3, GCID: 38968081, BOARD: generic, EABI: aarch64\n"


@pytest.fixture
def machine(monkeypatch, tmp_path):
    """A machine of which the test says what it has; returns the report on it."""

    def pretend(gpus: int = 1, l4t: str = "", modules: tuple[str, ...] = ()) -> str:
        def driver() -> None:
            if not gpus:
                raise CudaError("there is no CUDA driver on this machine")

        gpu = SimpleNamespace(name="Orin", capability=(8, 7), integrated=bool(l4t))
        monkeypatch.setattr(doctor_gpu, "load_driver", driver)
        monkeypatch.setattr(doctor_gpu, "count_gpus", lambda: gpus)
        monkeypatch.setattr(doctor_gpu, "Cuda", lambda: gpu)
        monkeypatch.setattr(doctor_gpu, "find_spec", lambda name: name in modules or None)
        release = tmp_path / "nv_tegra_release"
        if l4t:
            release.write_text(l4t)
        findings = list(doctor_gpu.check_gpu(release))
        return "\n".join(f"{finding.level.name} {finding.text}" for finding in findings)

    return pretend


def test_no_gpu_is_worth_a_note_but_on_a_jetson_a_warning(machine):
    assert machine(gpus=0).startswith(f"{Level.NOTE.name} there is no CUDA driver")
    assert machine(gpus=0, l4t=ORIN).startswith(f"{Level.WARNING.name} there is no CUDA driver")


def test_a_jetson_is_described_with_what_it_lacks(machine, monkeypatch):
    monkeypatch.setattr(sys, "version_info", (3, 10, 12))
    report = machine(l4t=ORIN)
    assert (
        "OK 1 GPU(s), first Orin, compute capability 8.7, shares the processor's memory" in report
    )
    assert "OK JetPack 6 (L4T 36.4.3)" in report
    assert "WARNING TensorRT is not here: sudo apt install python3-libnvinfer" in report


def test_jetpack_5_has_no_tensorrt_for_this_python(machine, monkeypatch):
    monkeypatch.setattr(sys, "version_info", (3, 10, 12))
    report = machine(l4t=ORIN.replace("R36", "R35"))
    assert "JetPack brings it for Python 3.8 only, and this is 3.10" in report


def test_a_card_is_told_where_to_get_tensorrt(machine):
    report = machine()
    assert "has memory of its own" in report
    assert "JetPack" not in report
    assert "WARNING TensorRT is not here: pip install tensorrt" in report


def test_libraries_that_do_not_start_are_a_warning(machine, monkeypatch):
    monkeypatch.setitem(sys.modules, "tensorrt", None)
    assert "WARNING TensorRT is installed, but does not start" in machine(modules=("tensorrt",))


def test_an_onnxruntime_without_cuda_is_noted(machine, monkeypatch):
    def with_providers(*names: str) -> None:
        module = SimpleNamespace(get_available_providers=lambda: list(names))
        monkeypatch.setitem(sys.modules, "onnxruntime", module)

    with_providers("CPUExecutionProvider")
    assert "NOTE ONNX Runtime is here without CUDA" in machine(modules=("onnxruntime",))
    with_providers("TensorrtExecutionProvider", "CUDAExecutionProvider", "CPUExecutionProvider")
    assert "OK ONNX Runtime with Tensorrt and CUDA" in machine(modules=("onnxruntime",))
