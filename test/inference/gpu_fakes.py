# Copyright 2026 mixformer2_ros contributors
# SPDX-License-Identifier: Apache-2.0
# ruff: noqa: N802, N815 -- named as the driver names them
"""A CUDA driver and a TensorRT made of ordinary memory and ONNX Runtime.

They keep the rules that matter to a caller and that break real programs: work waits on its stream
until someone synchronises, the two sides have different addresses (but on an integrated GPU), a
thread must have a context, and every release of TensorRT reads only what its parser reads. They say
nothing about speed, nor about what real kernels compute.
"""

from __future__ import annotations

import ctypes
import enum
import pickle
import threading
from collections.abc import Callable
from importlib.machinery import ModuleSpec
from types import ModuleType, SimpleNamespace
from typing import Any

import numpy as np
import onnx
import onnxruntime
from onnx import TensorProto, numpy_helper


class Driver:
    """`libcuda.so.1`: functions take what ctypes would pass."""

    INVALID_CONTEXT, INVALID_VALUE = 201, 1

    def __init__(
        self, gpus: int = 1, integrated: bool = False, name: str = "Orin", captures: bool = True
    ) -> None:
        self.gpus, self.integrated, self.name, self.captures = gpus, integrated, name, captures
        self.calls: list[str] = []
        self.recorded: list[str] = []  # calls inside of captures
        self.memory: dict[int, Any] = {}
        self.visible: set[int] = set()  # to the GPU
        self._threads: set[int] = set()
        self._queue: list[Callable[[], None]] = []
        self._recording: list[Callable[[], None]] | None = None
        self._graphs: list[list[Callable[[], None]]] = []

    def __getattr__(self, name: str) -> Callable[..., int]:
        if not name.startswith("cu"):
            raise AttributeError(name)
        function = getattr(self, f"_{name}")

        def call(*arguments: Any) -> int:
            (self.calls if self._recording is None else self.recorded).append(name)
            free = ("cuInit", "cuCtxSetCurrent", "cuGetErrorName", "cuDevice")
            if not name.startswith(free) and threading.get_ident() not in self._threads:
                return self.INVALID_CONTEXT
            return function(*arguments) or 0

        return call

    def enqueue(self, work: Callable[[], None]) -> None:
        (self._queue if self._recording is None else self._recording).append(work)

    def array(self, address: int, shape: tuple[int, ...], dtype: Any) -> np.ndarray:
        """What the GPU finds at an address."""
        assert address in self.visible, "the GPU was given an address of the processor"
        size = int(np.prod(shape)) * np.dtype(dtype).itemsize
        return np.frombuffer((ctypes.c_uint8 * size).from_address(address), dtype).reshape(shape)

    def _cuInit(self, flags: int) -> None: ...

    def _cuDeviceGetCount(self, count: Any) -> None:
        count._obj.value = self.gpus

    def _cuDeviceGet(self, device: Any, index: int) -> None:
        device._obj.value = index

    def _cuDevicePrimaryCtxRetain(self, context: Any, device: Any) -> None:
        context._obj.value = 1

    def _cuCtxSetCurrent(self, context: Any) -> None:
        self._threads.add(threading.get_ident())

    def _cuDeviceGetName(self, buffer: Any, size: int, device: Any) -> None:
        buffer.value = self.name.encode()

    def _cuDeviceGetAttribute(self, value: Any, attribute: int, device: Any) -> None:
        value._obj.value = {75: 8, 76: 7, 18: int(self.integrated)}[attribute]

    def _cuStreamCreate(self, stream: Any, flags: int) -> None:
        stream._obj.value = 7

    def _cuStreamDestroy_v2(self, stream: Any) -> None:
        assert not self._queue, "work is left on the stream"

    def _cuGraphExecDestroy(self, executable: Any) -> None:
        self._graphs[executable.value - 1] = []

    def _cuStreamSynchronize(self, stream: Any) -> int:
        if self._recording is not None:
            return self.INVALID_VALUE
        while self._queue:
            self._queue.pop(0)()
        return 0

    def _allocate(self, size: int) -> int:
        block = ctypes.create_string_buffer(b"\xa5" * size, size)
        self.memory[ctypes.addressof(block)] = block
        return ctypes.addressof(block)

    def _cuMemAlloc_v2(self, address: Any, size: Any) -> None:
        address._obj.value = self._allocate(size.value)
        self.visible.add(address._obj.value)

    def _cuMemHostAlloc(self, address: Any, size: Any, flags: int) -> None:
        address._obj.value = self._allocate(size.value)

    def _cuMemHostGetDevicePointer_v2(self, address: Any, host: Any, flags: int) -> None:
        address._obj.value = host.value
        self.visible.add(host.value)

    def _cuMemFree_v2(self, address: Any) -> None:
        self.visible.discard(address.value)
        del self.memory[address.value]

    _cuMemFreeHost = _cuMemFree_v2

    def _cuMemcpyHtoDAsync_v2(self, target: Any, source: Any, size: Any, stream: Any) -> int:
        if target.value not in self.visible or source.value in self.visible:
            return self.INVALID_VALUE
        self.enqueue(lambda: ctypes.memmove(target.value, source.value, size.value))
        return 0

    def _cuMemcpyDtoHAsync_v2(self, target: Any, source: Any, size: Any, stream: Any) -> int:
        if source.value not in self.visible or target.value in self.visible:
            return self.INVALID_VALUE
        self.enqueue(lambda: ctypes.memmove(target.value, source.value, size.value))
        return 0

    def _cuStreamBeginCapture_v2(self, stream: Any, mode: int) -> None:
        self._recording = []

    def _cuStreamEndCapture(self, stream: Any, graph: Any) -> int:
        assert self._recording is not None
        self._graphs.append(self._recording)
        self._recording = None
        graph._obj.value = len(self._graphs)
        return 0 if self.captures else 901

    def _cuGraphInstantiateWithFlags(self, executable: Any, graph: Any, flags: Any) -> None:
        executable._obj.value = graph.value

    def _cuGraphDestroy(self, graph: Any) -> None: ...

    def _cuGraphLaunch(self, executable: Any, stream: Any) -> None:
        for work in self._graphs[executable.value - 1]:
            self.enqueue(work)

    def _cuGetErrorName(self, status: int, name: Any) -> None:
        name._obj.value = {201: b"CUDA_ERROR_INVALID_CONTEXT"}.get(status, b"CUDA_ERROR")


class _DataType(enum.Enum):
    FLOAT, HALF, INT8, INT32, UINT8, INT64 = range(6)


_TYPES = {
    TensorProto.FLOAT: _DataType.FLOAT,
    TensorProto.FLOAT16: _DataType.HALF,
    TensorProto.UINT8: _DataType.UINT8,
    TensorProto.INT8: _DataType.INT8,
    TensorProto.INT64: _DataType.INT64,
}
_ARRAYS = {
    _DataType.FLOAT: np.float32,
    _DataType.HALF: np.float16,
    _DataType.UINT8: np.uint8,
}


class _Severity(enum.Enum):
    INTERNAL_ERROR, ERROR, WARNING, INFO, VERBOSE = range(5)


class _Logger:
    Severity = _Severity


def tensorrt(version: str, driver: Driver, wrong: float = 0.0) -> ModuleType:
    """A module `tensorrt`.

    Args:
        version: Decides what there is and what the parser reads.
        driver: Where its work goes.
        wrong: Added to every result, as some releases do in their way.
    """
    release = tuple(int(part) for part in version.split(".")[:2])
    module: Any = ModuleType("tensorrt")
    module.__version__, module.__spec__ = version, ModuleSpec("tensorrt", None)
    module.ILogger = _Logger
    module.DataType = _DataType
    module.float32, module.float16 = _DataType.FLOAT, _DataType.HALF
    module.MemoryPoolType = enum.Enum("MemoryPoolType", "WORKSPACE")
    module.LayerType = enum.Enum(
        "LayerType",
        "CONSTANT SOFTMAX MATRIX OTHER" + (" NORMALIZATION" if release >= (8, 6) else ""),
    )
    weak = ["FP16", "INT8", "OBEY_PRECISION_CONSTRAINTS"] if release < (11, 0) else []
    module.BuilderFlag = enum.Enum("BuilderFlag", ["TF32", *weak])
    flags = ["EXPLICIT_BATCH"] if release < (11, 0) else []
    flags += ["STRONGLY_TYPED"] if (10, 0) <= release < (11, 0) else []
    module.NetworkDefinitionCreationFlag = enum.IntEnum(
        "NetworkDefinitionCreationFlag", flags, start=0
    )
    module.builds = []  # what was built: network and config

    class OnnxParser:
        def __init__(self, network: Any, logger: Any) -> None:
            self._network, self._error = network, ""

        def parse(self, data: bytes) -> bool:
            model = onnx.load_from_string(data)
            onnx.checker.check_model(model, full_check=True)
            self._error = _unreadable(model, release)
            self._network.read(model, module.LayerType)
            return not self._error

        @property
        def num_errors(self) -> int:
            return int(bool(self._error))

        def get_error(self, index: int) -> Any:
            return SimpleNamespace(desc=lambda: self._error)

    class Builder:
        def __init__(self, logger: Any) -> None:
            self._logger = logger

        def create_network(self, flags: int = 0) -> _Network:
            return _Network(flags)

        def create_builder_config(self) -> _Config:
            return _Config()

        def create_optimization_profile(self) -> _Profile:
            return _Profile()

        def build_serialized_network(self, network: Any, config: Any) -> bytearray | None:
            module.builds.append((network, config))
            if config.workspace <= 0 or (network.dynamic and not config.profiles):
                self._logger.log(_Severity.ERROR, "no optimization profile for a dynamic shape")
                return None
            types = {tensor.name: tensor.dtype.name for tensor in network.tensors()}
            most = config.profiles[0].most if config.profiles else 1
            return bytearray(pickle.dumps((version, network.data, types, most, wrong)))

    class Runtime:
        def __init__(self, logger: Any) -> None:
            self._logger = logger

        def deserialize_cuda_engine(self, plan: bytes) -> _Engine | None:
            made_with, *content = pickle.loads(plan)
            if made_with != version:
                self._logger.log(_Severity.ERROR, f"plan of version {made_with}")
                return None
            return _Engine(driver, *content)

    module.OnnxParser, module.Builder, module.Runtime = OnnxParser, Builder, Runtime
    return module


def _unreadable(model: onnx.ModelProto, release: tuple[int, ...]) -> str:
    """What a release's parser would complain of; docs/operators.md of onnx-tensorrt."""
    if release < (10, 0) and max(entry.version for entry in model.opset_import) > 17:
        return "opset above 17"
    constants = {constant.name: constant for constant in model.graph.initializer}
    images = {
        value.name
        for value in model.graph.input
        if value.type.tensor_type.elem_type == TensorProto.UINT8
    }
    for node in model.graph.node:
        if node.op_type == "LayerNormalization" and release < (8, 6):
            return "No importer registered for op: LayerNormalization"
        if node.op_type != "Cast" and not images.isdisjoint(node.input):
            return f"Found invalid input type of UINT8 in {node.name}"
        if node.op_type == "QuantizeLinear" and len(node.input) > 2:
            zero = numpy_helper.to_array(constants[node.input[2]])
            if zero.dtype != np.int8 or zero.any():
                return "y_zero_point must be 0"
    return ""


class _Network:
    def __init__(self, flags: int) -> None:
        self.flags = flags

    def read(self, model: onnx.ModelProto, kinds: Any) -> None:
        self.data = model.SerializeToString()
        inferred = onnx.shape_inference.infer_shapes(model, strict_mode=True)
        graph = inferred.graph
        types = {
            value.name: _TYPES[value.type.tensor_type.elem_type]
            for value in (*graph.value_info, *graph.input, *graph.output)
        }
        self._inputs = [_tensor(value) for value in graph.input]
        self._outputs = [_tensor(value) for value in graph.output]
        self.dynamic = any(tensor.shape[0] == -1 for tensor in self._inputs)
        named = {"Softmax": "SOFTMAX", "LayerNormalization": "NORMALIZATION", "MatMul": "MATRIX"}
        self.layers = [
            _Layer(
                node.name,
                kinds[named.get(node.op_type, "OTHER")],
                [types[name] for name in node.output],
            )
            for node in graph.node
        ]

    def tensors(self) -> list[Any]:
        return [*self._inputs, *self._outputs]

    num_layers = property(lambda self: len(self.layers))
    num_inputs = property(lambda self: len(self._inputs))
    num_outputs = property(lambda self: len(self._outputs))

    def get_layer(self, index: int) -> Any:
        return self.layers[index]

    def get_input(self, index: int) -> Any:
        return self._inputs[index]

    def get_output(self, index: int) -> Any:
        return self._outputs[index]


class _Layer:
    def __init__(self, name: str, kind: Any, types: list[_DataType]) -> None:
        self.name, self.type, self.precision = name, kind, None
        self._outputs = [SimpleNamespace(dtype=dtype) for dtype in types]
        self.num_outputs = len(types)
        self.output_types: dict[int, _DataType] = {}

    def get_output(self, index: int) -> Any:
        return self._outputs[index]

    def set_output_type(self, index: int, dtype: _DataType) -> None:
        self.output_types[index] = dtype


def _tensor(value: onnx.ValueInfoProto) -> Any:
    kind = value.type.tensor_type
    shape = tuple(dim.dim_value or -1 for dim in kind.shape.dim)
    return SimpleNamespace(name=value.name, dtype=_TYPES[kind.elem_type], shape=shape)


class _Profile:
    most = 1

    def set_shape(self, name: str, least: Any, usual: Any, most: Any) -> None:
        assert least[0] <= usual[0] <= most[0]
        self.most = most[0]


class _Config:
    def __init__(self) -> None:
        self.flags: set[str] = {"TF32"}
        self.workspace = 0
        self.profiles: list[_Profile] = []
        self.timing = b""

    def set_memory_pool_limit(self, pool: Any, size: int) -> None:
        self.workspace = size

    def set_flag(self, flag: Any) -> None:
        self.flags.add(flag.name)

    def clear_flag(self, flag: Any) -> None:
        self.flags.discard(flag.name)

    def add_optimization_profile(self, profile: _Profile) -> None:
        self.profiles.append(profile)

    def create_timing_cache(self, blob: bytes) -> bytes:
        return blob

    def set_timing_cache(self, cache: bytes, ignore_mismatch: bool) -> bool:
        assert not ignore_mismatch
        self.timing = cache
        return True

    def get_timing_cache(self) -> Any:
        return SimpleNamespace(serialize=lambda: bytearray(self.timing + b"timed;"))


class _Engine:
    def __init__(
        self, driver: Driver, data: bytes, types: dict[str, str], most: int, wrong: float
    ) -> None:
        self.driver, self.types, self.most, self.wrong = driver, types, most, wrong
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = 1
        self.session = onnxruntime.InferenceSession(data, options)
        self.arguments = {
            a.name: a for a in (*self.session.get_inputs(), *self.session.get_outputs())
        }
        self.contexts = 0

    def get_tensor_shape(self, name: str) -> tuple[int, ...]:
        return tuple(d if isinstance(d, int) else -1 for d in self.arguments[name].shape)

    def get_tensor_dtype(self, name: str) -> _DataType:
        return _DataType[self.types[name]]

    def create_execution_context(self) -> _Context:
        self.contexts += 1
        return _Context(self)


class _Context:
    def __init__(self, engine: _Engine) -> None:
        self._engine = engine
        self._batch = 0
        self._addresses: dict[str, int] = {}

    def set_input_shape(self, name: str, shape: tuple[int, ...]) -> bool:
        self._batch = shape[0]
        return 1 <= shape[0] <= self._engine.most

    def set_tensor_address(self, name: str, address: int) -> None:
        self._addresses[name] = address

    def execute_async_v3(self, stream: int) -> bool:
        engine = self._engine
        if stream != 7 or set(self._addresses) != set(engine.arguments):
            return False
        engine.driver.enqueue(self._run)
        return True

    def _array(self, name: str) -> np.ndarray:
        engine = self._engine
        shape = (self._batch, *engine.get_tensor_shape(name)[1:])
        dtype = _ARRAYS[engine.get_tensor_dtype(name)]
        return engine.driver.array(self._addresses[name], shape, dtype)

    def _run(self) -> None:
        session = self._engine.session
        wanted = {"tensor(float)": np.float32, "tensor(float16)": np.float16}
        given = {
            a.name: self._array(a.name).astype(wanted.get(a.type, np.uint8))
            for a in session.get_inputs()
        }
        for output, value in zip(session.get_outputs(), session.run(None, given), strict=True):
            self._array(output.name)[...] = value + self._engine.wrong
