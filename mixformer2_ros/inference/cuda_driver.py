# Copyright 2026 mixformer2_ros contributors
# SPDX-License-Identifier: Apache-2.0
"""The little that TensorRT leaves to its caller: memory, a stream and graphs, by the CUDA driver.

Spoken to through ctypes: `libcuda.so.1` is part of the driver (on a Jetson, of L4T), so it is there
wherever a GPU works, and its interface keeps from version to version; neither the CUDA toolkit nor
a Python package for it is needed. Names ending in _v2 are the driver's current ones.
"""

from __future__ import annotations

import ctypes
import weakref
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from numpy.typing import DTypeLike, NDArray

from mixformer2_ros.inference.engine import ModelError

_MAJOR, _MINOR, _INTEGRATED = 75, 76, 18  # CUdevice_attribute
_HOST_MAPPED = 0x02  # CU_MEMHOSTALLOC_DEVICEMAP
_NON_BLOCKING = 0x01  # CU_STREAM_NON_BLOCKING
_THREAD_LOCAL = 1  # CU_STREAM_CAPTURE_MODE_THREAD_LOCAL


class CudaError(ModelError):
    """The CUDA driver refused a call; the message holds its reason."""


def load_driver() -> Any:
    """Return the driver's library, started.

    Raises:
        CudaError: There is no driver, or it does not start.
    """
    try:
        library = ctypes.CDLL("libcuda.so.1")
    except OSError as error:
        raise CudaError(
            "there is no CUDA driver on this machine (libcuda.so.1): install the NVIDIA driver; in "
            "a container, start it with --runtime nvidia; or use device cpu"
        ) from error
    status = library.cuInit(0)
    if status:
        raise CudaError(f"the CUDA driver does not start: {_reason(library, status)}")
    return library


def count_gpus() -> int:
    """Number of CUDA GPUs, 0 without a driver; in milliseconds, unlike by importing torch."""
    count = ctypes.c_int()
    try:
        load_driver().cuDeviceGetCount(ctypes.byref(count))
    except CudaError:
        return 0
    return count.value


def gpu_names() -> list[str]:
    """Names of the CUDA GPUs, without taking memory of them; empty without a driver."""
    names = []
    for index in range(count_gpus()):
        driver, device, name = load_driver(), ctypes.c_int(), ctypes.create_string_buffer(256)
        driver.cuDeviceGet(ctypes.byref(device), index)
        driver.cuDeviceGetName(name, len(name), device)
        names.append(name.value.decode(errors="replace"))
    return names


def parse_device(device: str) -> int:
    """Index of the GPU that "auto", "cuda" or "cuda:N" names.

    Raises:
        ModelError: It names something else.
    """
    kind, _, index = device.partition(":")
    if device == "auto":
        return 0
    if kind != "cuda" or not (index or "0").isdecimal():
        raise ModelError(f"device {device!r} is no CUDA GPU: use auto, cuda or cuda:N")
    return int(index or 0)


class Cuda:
    """One GPU: its primary context (which TensorRT shares) and a stream of its own.

    Args:
        index: Which GPU.

    Attributes:
        name: As the driver calls it, such as "Orin" or "NVIDIA H200".
        capability: Compute capability, major and minor.
        integrated: Whether the GPU shares the processor's memory, as on a Jetson.

    Raises:
        CudaError: There is no driver or no such GPU.
    """

    def __init__(self, index: int = 0) -> None:
        self._driver = load_driver()
        device, context = ctypes.c_int(), ctypes.c_void_p()
        found = count_gpus()
        if index >= found:
            raise CudaError(
                f"device 'cuda:{index}' is not available: the CUDA driver finds {found} GPU(s)"
            )
        self._call("cuDeviceGet", ctypes.byref(device), index)
        self._call("cuDevicePrimaryCtxRetain", ctypes.byref(context), device)
        self._context = context
        self.enter()
        name = ctypes.create_string_buffer(256)
        self._call("cuDeviceGetName", name, len(name), device)
        self.name = name.value.decode(errors="replace")
        self.capability = (self._attribute(_MAJOR, device), self._attribute(_MINOR, device))
        self.integrated = bool(self._attribute(_INTEGRATED, device))
        stream = ctypes.c_void_p()
        self._call("cuStreamCreate", ctypes.byref(stream), _NON_BLOCKING)
        self._stream = stream
        self._release_with(self, "cuStreamDestroy_v2", stream)

    @property
    def stream(self) -> int:
        """The stream's handle, as TensorRT takes it."""
        return self._stream.value or 0

    def enter(self) -> None:
        """Make this GPU the calling thread's; before anything else that a thread does with it."""
        self._call("cuCtxSetCurrent", self._context)

    def synchronise(self) -> None:
        """Wait until everything on the stream is done."""
        self._call("cuStreamSynchronize", self._stream)

    def capture(self, work: Callable[[], None]) -> Callable[[], None]:
        """Record what `work` puts on the stream; return what puts all of it there in one call.

        Args:
            work: Only enqueues. Addresses are recorded: they must stay what they are.

        Raises:
            CudaError: `work` does something that cannot be recorded.
        """
        graph, executable = ctypes.c_void_p(), ctypes.c_void_p()
        self._call("cuStreamBeginCapture_v2", self._stream, _THREAD_LOCAL)
        try:
            work()
        finally:
            # Also after an error: a stream that is left recording is of no use to anyone.
            ended = self._driver.cuStreamEndCapture(self._stream, ctypes.byref(graph))
        if ended:
            raise CudaError(f"cuStreamEndCapture: {_reason(self._driver, ended)}")
        self._call(
            "cuGraphInstantiateWithFlags", ctypes.byref(executable), graph, ctypes.c_ulonglong(0)
        )
        self._call("cuGraphDestroy", graph)
        return _Recorded(self, executable)

    def _copy_in(self, target: int, source: ctypes.c_void_p, nbytes: int) -> None:
        place = (ctypes.c_uint64(target), source, ctypes.c_size_t(nbytes))
        self._call("cuMemcpyHtoDAsync_v2", *place, self._stream)

    def _copy_out(self, target: ctypes.c_void_p, source: int, nbytes: int) -> None:
        place = (target, ctypes.c_uint64(source), ctypes.c_size_t(nbytes))
        self._call("cuMemcpyDtoHAsync_v2", *place, self._stream)

    def _release_with(self, owner: object, function: str, address: Any) -> None:
        """Free what `owner` holds when it goes; the end of the process frees the rest."""
        finalize = weakref.finalize(owner, _release, self._driver, self._context, function, address)
        finalize.atexit = False

    def _attribute(self, attribute: int, device: ctypes.c_int) -> int:
        value = ctypes.c_int()
        self._call("cuDeviceGetAttribute", ctypes.byref(value), attribute, device)
        return value.value

    def _call(self, function: str, *arguments: Any) -> None:
        status = getattr(self._driver, function)(*arguments)
        if status:
            raise CudaError(f"{function}: {_reason(self._driver, status)}")


class _Recorded:
    """A CUDA graph; called, it puts its work on the stream."""

    def __init__(self, cuda: Cuda, executable: ctypes.c_void_p) -> None:
        self._cuda, self._executable = cuda, executable
        cuda._release_with(self, "cuGraphExecDestroy", executable)

    def __call__(self) -> None:
        self._cuda._call("cuGraphLaunch", self._executable, self._cuda._stream)


class DeviceArray:
    """An array in the GPU's own memory, for what stays there.

    Args:
        cuda: The GPU.
        shape: Of the array.
        dtype: Of the array.

    Attributes:
        address: For the GPU.
    """

    def __init__(self, cuda: Cuda, shape: Sequence[int], dtype: DTypeLike) -> None:
        self._cuda = cuda
        self.shape, self.dtype = tuple(shape), np.dtype(dtype)
        address = ctypes.c_uint64()
        cuda._call("cuMemAlloc_v2", ctypes.byref(address), ctypes.c_size_t(self.nbytes))
        self.address = address.value
        cuda._release_with(self, "cuMemFree_v2", address)

    @property
    def nbytes(self) -> int:
        """Bytes of the array."""
        return int(np.prod(self.shape)) * self.dtype.itemsize

    def write(self, values: NDArray) -> None:
        """Copy an array of the same shape and type here; returns when it is done."""
        if values.shape != self.shape or values.dtype != self.dtype:
            raise ValueError(f"{values.dtype} {values.shape} for {self.dtype} {self.shape}")
        values = np.ascontiguousarray(values)
        # On the stream: what runs there does not wait for copies made elsewhere.
        self._cuda._copy_in(self.address, ctypes.c_void_p(values.ctypes.data), self.nbytes)
        self._cuda.synchronise()

    def read(self) -> NDArray:
        """A copy of the array in ordinary memory, made after all that is on the stream."""
        values = np.empty(self.shape, self.dtype)
        self._cuda._copy_out(ctypes.c_void_p(values.ctypes.data), self.address, self.nbytes)
        self._cuda.synchronise()
        return values


class SharedArray:
    """A pinned array that both sides know, for what crosses in every frame.

    Where the GPU shares the processor's memory it reads and writes the very same bytes, and
    `upload` and `download` have nothing to do; elsewhere they enqueue one copy each.

    Args:
        cuda: The GPU.
        shape: Of the array.
        dtype: Of the array.

    Attributes:
        array: For the processor, not to be touched while the stream works on it.
        address: For the GPU.
    """

    def __init__(self, cuda: Cuda, shape: Sequence[int], dtype: DTypeLike) -> None:
        self._cuda = cuda
        self.shape, self.dtype = tuple(shape), np.dtype(dtype)
        self._nbytes = int(np.prod(shape)) * self.dtype.itemsize
        host = ctypes.c_void_p()
        cuda._call(
            "cuMemHostAlloc", ctypes.byref(host), ctypes.c_size_t(self._nbytes), _HOST_MAPPED
        )
        assert host.value is not None
        cuda._release_with(self, "cuMemFreeHost", host)
        self._host = host
        memory = (ctypes.c_uint8 * self._nbytes).from_address(host.value)
        self.array: NDArray = np.ctypeslib.as_array(memory).view(self.dtype).reshape(shape)
        self._device = None if cuda.integrated else DeviceArray(cuda, shape, dtype)
        if self._device is None:
            address = ctypes.c_uint64()
            cuda._call("cuMemHostGetDevicePointer_v2", ctypes.byref(address), host, 0)
            self.address = address.value
        else:
            self.address = self._device.address

    def upload(self) -> None:
        """Enqueue the way to the GPU."""
        if self._device is not None:
            self._cuda._copy_in(self.address, self._host, self._nbytes)

    def download(self) -> None:
        """Enqueue the way from the GPU."""
        if self._device is not None:
            self._cuda._copy_out(self._host, self.address, self._nbytes)


def _release(driver: Any, context: ctypes.c_void_p, function: str, address: Any) -> None:
    driver.cuCtxSetCurrent(context)
    getattr(driver, function)(address)


def _reason(driver: Any, status: int) -> str:
    name = ctypes.c_char_p()
    driver.cuGetErrorName(status, ctypes.byref(name))
    return (name.value or b"unknown error").decode() + f" ({status})"
