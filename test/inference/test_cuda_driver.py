# Copyright 2026 mixformer2_ros contributors
# SPDX-License-Identifier: Apache-2.0
"""Calls to the CUDA driver, against a stand-in of it (gpu_fakes.py): none has met a GPU yet."""

from __future__ import annotations

import ctypes
import sys
from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("onnxruntime", reason="onnxruntime is not installed")
sys.path.insert(0, str(Path(__file__).parent))

import gpu_fakes

from mixformer2_ros.inference import ModelError, cuda_driver
from mixformer2_ros.inference.cuda_driver import Cuda, DeviceArray, SharedArray


@pytest.fixture
def driver(monkeypatch):
    def pretend(**gpu: object) -> gpu_fakes.Driver:
        driver = gpu_fakes.Driver(**gpu)
        monkeypatch.setattr(cuda_driver, "load_driver", lambda: driver)
        return driver

    return pretend


@pytest.mark.parametrize(("device", "index"), [("auto", 0), ("cuda", 0), ("cuda:3", 3)])
def test_devices_are_numbered(device, index):
    assert cuda_driver.parse_device(device) == index


@pytest.mark.parametrize("device", ["cpu", "cuda:x", "gpu"])
def test_other_devices_are_refused(device):
    with pytest.raises(ModelError, match="is no CUDA GPU: use auto, cuda or cuda:N"):
        cuda_driver.parse_device(device)


def test_a_gpu_is_described(driver):
    driver(integrated=True, name="Orin")
    cuda = Cuda()
    assert (cuda.name, cuda.capability, cuda.integrated) == ("Orin", (8, 7), True)
    assert cuda_driver.count_gpus() == 1
    with pytest.raises(ModelError, match=r"'cuda:2' is not available: .* finds 1 GPU"):
        Cuda(2)


def test_gpus_are_named_without_a_context(driver):
    fake = driver(gpus=2, name="NVIDIA H200")
    assert cuda_driver.gpu_names() == ["NVIDIA H200"] * 2
    assert "cuDevicePrimaryCtxRetain" not in fake.calls


def test_without_a_driver_there_is_no_gpu(monkeypatch):
    def missing(name: str) -> None:
        raise OSError(name)

    monkeypatch.setattr(ctypes, "CDLL", missing)
    assert cuda_driver.count_gpus() == 0
    assert cuda_driver.gpu_names() == []
    with pytest.raises(ModelError, match=r"no CUDA driver on this machine .* install"):
        Cuda()


def test_a_refused_call_names_itself_and_the_reason(driver):
    driver()
    cuda = Cuda()
    cuda._driver._threads.clear()
    with pytest.raises(ModelError, match=r"cuMemAlloc_v2: CUDA_ERROR_INVALID_CONTEXT \(201\)"):
        DeviceArray(cuda, (2,), np.float32)


def test_arrays_go_to_the_gpu_and_back(driver):
    driver()
    cuda = Cuda()
    array = DeviceArray(cuda, (2, 3), np.float16)
    values = np.arange(6, dtype=np.float16).reshape(3, 2).T
    array.write(values)
    np.testing.assert_array_equal(array.read(), values)
    with pytest.raises(ValueError, match=r"float32 \(2, 3\) for float16 \(2, 3\)"):
        array.write(values.astype(np.float32))


@pytest.mark.parametrize("integrated", [False, True])
def test_a_shared_array_is_copied_only_between_two_memories(driver, integrated):
    fake = driver(integrated=integrated)
    cuda = Cuda()
    shared = SharedArray(cuda, (4,), np.uint8)
    shared.array[:] = 7
    shared.upload()
    cuda.synchronise()
    fake.array(shared.address, (4,), np.uint8)[:] += 1
    shared.download()
    cuda.synchronise()
    assert shared.array.tolist() == [8] * 4
    assert any(name.startswith("cuMemcpy") for name in fake.calls) != integrated


def test_a_captured_graph_repeats_what_was_recorded(driver):
    driver()
    cuda = Cuda()
    shared = SharedArray(cuda, (1,), np.int32)
    device = DeviceArray(cuda, (1,), np.int32)
    device.write(np.zeros(1, np.int32))
    launch = cuda.capture(shared.upload)
    for value in (3, 4):
        shared.array[:] = value
        launch()
        cuda.synchronise()
        shared.array[:] = 0
        shared.download()
        cuda.synchronise()
        assert shared.array.tolist() == [value]


def test_memory_is_freed_with_its_array(driver):
    fake = driver()
    cuda = Cuda()
    arrays = [DeviceArray(cuda, (4,), np.float32), SharedArray(cuda, (4,), np.float32)]
    assert len(fake.memory) == 3
    arrays.clear()
    assert not fake.memory
