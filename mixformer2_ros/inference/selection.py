# Copyright 2026 mixformer2_ros contributors
# SPDX-License-Identifier: Apache-2.0
"""Which backends there are, what each of them can do, and which is best on this machine."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path

from mixformer2_ros.inference import processor
from mixformer2_ros.inference.cuda_driver import count_gpus
from mixformer2_ros.inference.engine import ModelError
from mixformer2_ros.inference.precisions import fastest_precision


@dataclass(frozen=True)
class _Backend:
    """How to get a backend, and what it can do.

    Attributes:
        extra: Name of the optional requirement that brings it; empty where none does.
        precisions: On a processor, beside "auto".
        gpu_precisions: On a CUDA GPU, what "auto" stands for first.
    """

    extra: str
    precisions: tuple[str, ...]
    gpu_precisions: tuple[str, ...] = ()

    @property
    def cure(self) -> str:
        """What to do when it is not installed."""
        if not self.extra:
            return "it comes with JetPack on a Jetson (docs/jetson.md), elsewhere pip install it"
        return f"pip install 'mixformer2_ros[{self.extra}]'"


# By the name of the module that must be importable.
_TABLE = {
    "openvino": _Backend("openvino", ("fp32", "bf16", "int8")),
    "onnxruntime": _Backend("onnx", ("fp32", "int8"), ("fp16", "fp32", "int8")),
    "torch": _Backend("torch", ("fp32", "bf16"), ("fp16", "bf16", "fp32")),
    "tensorrt": _Backend("", (), ("fp16", "fp32", "int8")),
}
BACKENDS = tuple(_TABLE)
PRECISIONS = {name: backend.precisions for name, backend in _TABLE.items()}
GPU_PRECISIONS = {name: backend.gpu_precisions for name, backend in _TABLE.items()}
# Fastest first, on processors.
_X86_ORDER = ("openvino", "onnxruntime", "torch")
_ARM_ORDER = ("onnxruntime", "openvino", "torch")
# And on NVIDIA's GPUs.
_GPU_ORDER = ("tensorrt", "onnxruntime", "torch")


def require_installed(backend: str) -> None:
    """Raise ModelError, with the cure, unless a backend is installed."""
    if not _is_installed(backend):
        raise ModelError(f"backend {backend!r} is not installed: {_TABLE[backend].cure}")


def choose_backend(
    device: str, precision: str, among: Sequence[str] = BACKENDS
) -> tuple[str, str, str]:
    """Pick the fastest installed backend, on a CUDA GPU where one can be reached.

    Args:
        device: As in `load_engine`.
        precision: That it must have; "auto" for any.
        among: Backends to pick from.

    Returns:
        The backend, the device for it, and why in words for a description.

    Raises:
        ModelError: None is installed, reaches the device or has the precision.
    """
    if device.startswith("tensorrt"):  # a provider of ONNX Runtime
        return "onnxruntime", device, ""
    if device not in ("auto", "cpu") or (device == "auto" and _has_cuda_gpu()):
        missing = []
        for name in _GPU_ORDER:
            if name not in among or not _reaches(name, device, precision):
                missing.append(name)
                continue
            faster = f"; without {' and '.join(missing)}" if missing else ""
            picked = "cuda" if device == "auto" else device
            return name, picked, f" (picked: CUDA GPU found{faster})"
        if device != "auto":
            raise ModelError(
                f"device {device!r} is not available with precision {precision!r}: no installed "
                "backend finds a CUDA GPU; install TensorRT, onnxruntime-gpu or a CUDA build of "
                "PyTorch, and the driver, or use device cpu"
            )
    return pick_backend(precision, device, among)


def _reaches(backend: str, device: str, precision: str) -> bool:
    """Whether an installed backend runs a precision on a GPU."""
    entry = _TABLE[backend]
    if precision not in ("auto", *entry.gpu_precisions) or not _is_installed(backend):
        return False
    if backend == "tensorrt":
        return device in ("auto", "cuda", "cuda:0") and _has_cuda_gpu()
    return _torch_cuda() if backend == "torch" else _onnxruntime_cuda()


def pick_backend(
    precision: str, device: str = "auto", among: Sequence[str] = BACKENDS
) -> tuple[str, str, str]:
    """Pick the fastest installed backend for this processor.

    Args:
        precision: That it must have; "auto" for any.
        device: Passed through.
        among: Backends to pick from.

    Returns:
        The backend, the device, and why in words for a description.

    Raises:
        ModelError: None is installed or has the precision.
    """
    order = _X86_ORDER if processor.is_x86() else _ARM_ORDER
    able = [name for name in order if name in among and precision in ("auto", *PRECISIONS[name])]
    if not able:
        raise ModelError(f"precision {precision!r} is for CUDA GPUs or unknown: use auto or fp32")
    for name in able:
        if _is_installed(name):
            features = processor.describe_features()
            reason = f" (picked: fastest backend for this processor, {features})"
            if name != able[0]:
                reason = f" (picked: {able[0]} would be faster but is not installed)"
            return name, device, reason
    raise ModelError(f"no backend is installed for precision {precision!r}: {_TABLE[able[0]].cure}")


def exact_precision(
    backend: str, precision: str, device: str = "cpu", weights: Path | None = None
) -> tuple[str, str]:
    """Return the precision that "auto" stands for, and why in words for a description.

    Args:
        backend: The backend.
        precision: As in `load_engine`.
        device: As in `load_engine`.
        weights: File of weights; on a processor, what was measured with them decides.

    Raises:
        ModelError: The measurement beside the weights is damaged.
    """
    if precision != "auto":
        return precision, ""
    if backend == "torch" and device == "auto" and _torch_cuda():
        device = "cuda"
    if backend == "tensorrt" or device not in ("auto", "cpu"):
        return _TABLE[backend].gpu_precisions[0], ""
    return ("fp32", "") if weights is None else fastest_precision(weights, backend)


def _is_installed(backend: str) -> bool:
    return find_spec(backend) is not None


def _has_cuda_gpu() -> bool:
    return count_gpus() > 0


def _torch_cuda() -> bool:
    import torch

    return torch.cuda.is_available()


def _onnxruntime_cuda() -> bool:
    from mixformer2_ros.inference.onnxruntime_cuda import has_cuda

    return has_cuda()
