# Copyright 2026 mixformer2_ros contributors
# SPDX-License-Identifier: Apache-2.0
"""The ONNX Runtime engine on an NVIDIA GPU, with its CUDA or its TensorRT provider.

Inputs and outputs are bound to fixed places on the GPU (`cuda_driver`): templates' memories lie
there until they change, the crop comes from pinned memory, and on a GPU that shares the processor's
memory nothing is copied. That also lets ONNX Runtime capture a frame as one CUDA graph.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime
from numpy.typing import NDArray

from mixformer2_ros.inference.artefact import LOCATE_GRAPH, TEMPLATE_GRAPH, Artefact
from mixformer2_ros.inference.cache import cache_folder
from mixformer2_ros.inference.cuda_driver import Cuda, DeviceArray, SharedArray, parse_device
from mixformer2_ros.inference.engine import ModelError, describe
from mixformer2_ros.inference.graph_engine import GraphEngine
from mixformer2_ros.inference.graph_interface import (
    CROP_INPUT,
    LOCATE_OUTPUTS,
    TEMPLATE_INPUTS,
    memory_names,
)

_CUDA, _TENSORRT = "CUDAExecutionProvider", "TensorrtExecutionProvider"
_NAMES = {"fp32": "float32", "fp16": "float16", "int8": "int8"}
_DTYPES: dict[str, np.dtype] = {
    "tensor(float)": np.dtype(np.float32),
    "tensor(float16)": np.dtype(np.float16),
    "tensor(uint8)": np.dtype(np.uint8),
}
# Where the bound addresses are, as ONNX Runtime calls it.
_PLACE = "cuda"


class OnnxRuntimeCudaEngine(GraphEngine):
    """Runs an artefact made for ONNX Runtime on a GPU.

    Args:
        artefact: The network.
        device: "cuda", "cuda:N", or "tensorrt", "tensorrt:N" for the TensorRT provider.

    Raises:
        ModelError: The device is not available.
    """

    def __init__(self, artefact: Artefact, device: str) -> None:
        check_device(device)
        variant, precision = artefact.variant, artefact.recipe.precision
        self._index = parse_device(device.replace("tensorrt", "cuda"))
        self._cuda = Cuda(self._index)
        self._names = memory_names(variant)
        providers = _providers(device, self._index, precision)
        self._template = _session(artefact.graph(TEMPLATE_GRAPH), providers(False))
        self._bindings: dict[int, _Binding] = {}
        kind = "TensorRT" if device.startswith("tensorrt") else "CUDA"
        runtime = f"ONNX Runtime {'.'.join(onnxruntime.__version__.split('.')[:2])} with {kind}"
        words = describe(variant, runtime, self._cuda.name, _NAMES[precision], None)
        super().__init__(variant, words, artefact.recipe.batch)
        try:
            self._search = _session(artefact.graph(LOCATE_GRAPH), providers(True))
            self._warm_up()
        except Exception as error:  # what ONNX Runtime raises has no common type
            if isinstance(error, ModelError):
                raise
            # This release cannot capture this graph: every kernel is launched by itself then.
            self._bindings.clear()
            self._search = _session(artefact.graph(LOCATE_GRAPH), providers(False))
            self._bound = ()
            self._warm_up()

    def _run_template(
        self, templates: NDArray[np.uint8], online_templates: NDArray[np.uint8]
    ) -> Sequence[NDArray]:
        images = map(np.ascontiguousarray, (templates, online_templates))
        return self._template.run(self._names, dict(zip(TEMPLATE_INPUTS, images, strict=True)))

    def _bind(self, arrays: Sequence[NDArray]) -> None:
        self._cuda.enter()
        count = len(arrays[0])
        if count not in self._bindings:
            self._bindings[count] = _Binding(self._cuda, self._index, self._search, count)
        self._bindings[count].write(dict(zip(self._names, arrays, strict=True)))

    def _run_locate(self, crops: NDArray[np.uint8]) -> Sequence[NDArray[np.float32]]:
        self._cuda.enter()
        return self._bindings[len(crops)](crops)


class _Binding:
    """Fixed places on the GPU for all that the locating graph reads and writes.

    Args:
        cuda: The GPU.
        index: Its number.
        session: Of the graph.
        targets: Number of targets.
    """

    def __init__(self, cuda: Cuda, index: int, session: Any, targets: int) -> None:
        self._cuda, self._session = cuda, session
        arguments = {a.name: a for a in (*session.get_inputs(), *session.get_outputs())}

        def make(kind: Callable[..., Any], name: str) -> Any:
            shape = (targets, *arguments[name].shape[1:])
            return kind(cuda, shape, _DTYPES[arguments[name].type])

        self._crop: SharedArray = make(SharedArray, CROP_INPUT)
        self._results: list[SharedArray] = [make(SharedArray, name) for name in LOCATE_OUTPUTS]
        self._kept: dict[str, DeviceArray] = {
            a.name: make(DeviceArray, a.name) for a in session.get_inputs() if a.name != CROP_INPUT
        }
        self._binding = session.io_binding()
        for name, array in {CROP_INPUT: self._crop, **self._kept}.items():
            self._binding.bind_input(name, _PLACE, index, array.dtype, array.shape, array.address)
        for name, array in zip(LOCATE_OUTPUTS, self._results, strict=True):
            self._binding.bind_output(name, _PLACE, index, array.dtype, array.shape, array.address)
        self._options = onnxruntime.RunOptions()
        # One CUDA graph for each number of targets.
        self._options.add_run_config_entry("gpu_graph_id", str(targets))

    def write(self, memory: Mapping[str, NDArray]) -> None:
        """Put templates' memories in their place."""
        for name, array in self._kept.items():
            array.write(memory[name])

    def __call__(self, crops: NDArray[np.uint8]) -> list[NDArray[np.float32]]:
        """Run the graph; the results are overwritten by the next run."""
        np.copyto(self._crop.array, crops)
        self._crop.upload()
        # ONNX Runtime has a stream of its own, and its run returns when the results are there.
        self._cuda.synchronise()
        self._session.run_with_iobinding(self._binding, self._options)
        for array in self._results:
            array.download()
        self._cuda.synchronise()
        return [array.array for array in self._results]


def has_cuda() -> bool:
    """Whether the installed ONNX Runtime was built for CUDA."""
    return _CUDA in onnxruntime.get_available_providers()


def check_device(device: str) -> None:
    """Raise ModelError unless the installed ONNX Runtime was built for a GPU device."""
    kind = device.partition(":")[0]
    if kind not in ("cuda", "tensorrt"):
        raise ModelError(
            f"device {device!r} is unknown: use auto, cpu, cuda, cuda:N, tensorrt or tensorrt:N"
        )
    parse_device(device.replace("tensorrt", "cuda"))
    wanted = {"cuda": _CUDA, "tensorrt": _TENSORRT}[kind]
    if wanted not in onnxruntime.get_available_providers():
        raise ModelError(
            f"device {device!r} is not available: this ONNX Runtime ({onnxruntime.__version__}) "
            f"has no {wanted}; install onnxruntime-gpu instead of onnxruntime (on a Jetson, "
            "NVIDIA's build of it for your JetPack), or use device cpu"
        )


def _providers(
    device: str, index: int, precision: str
) -> Callable[[bool], list[tuple[str, dict[str, Any]]]]:
    """Return what gives the providers and their options, with or without CUDA graphs."""

    def providers(graph: bool) -> list[tuple[str, dict[str, Any]]]:
        # Without use_tf32 float32 products would be rounded to TF32.
        cuda = {"device_id": index, "use_tf32": 0}
        if not device.startswith("tensorrt"):
            return [(_CUDA, {**cuda, "enable_cuda_graph": int(graph)})]
        kept = str(cache_folder() / "onnxruntime_tensorrt")
        options = {
            "device_id": index,
            "trt_fp16_enable": precision != "fp32",
            "trt_int8_enable": precision == "int8",
            "trt_layer_norm_fp32_fallback": True,
            "trt_cuda_graph_enable": graph,
            "trt_engine_cache_enable": True,
            "trt_engine_cache_path": kept,
            "trt_timing_cache_enable": True,
            "trt_timing_cache_path": kept,
        }
        return [(_TENSORRT, options), (_CUDA, cuda)]

    return providers


def _session(path: Path, providers: list[tuple[str, dict[str, Any]]]) -> Any:
    options = onnxruntime.SessionOptions()
    options.log_severity_level = 3
    session = onnxruntime.InferenceSession(path, options, providers=providers)
    wanted = providers[0][0]
    if wanted not in session.get_providers():  # it falls back without a word
        raise ModelError(
            f"ONNX Runtime could not start {wanted}: the CUDA, cuDNN or TensorRT libraries that "
            f"onnxruntime-gpu {onnxruntime.__version__} needs are missing or of another version; "
            "install them, or use device cpu"
        )
    return session
