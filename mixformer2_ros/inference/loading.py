# Copyright 2026 mixformer2_ros contributors
# SPDX-License-Identifier: Apache-2.0
"""From names in a parameter file to a running engine."""

from __future__ import annotations

import ctypes
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path

from mixformer2_ros.inference import export, processor
from mixformer2_ros.inference.artefact import Artefact, check_recipe, is_artefact, open_artefact
from mixformer2_ros.inference.engine import Engine, ModelError
from mixformer2_ros.inference.weights import describe_weights, find_default_weights
from mixformer2_ros.model.state import CheckpointError
from mixformer2_ros.model.variants import Variant, get_variant


@dataclass(frozen=True)
class _Request:
    """What `load_engine` was asked for, checked as far as no backend is needed."""

    variant: Variant
    weights: Path
    device: str
    precision: str
    threads: int | None


@dataclass(frozen=True)
class _Backend:
    """How to get a backend, what it can do, and how to load it.

    Attributes:
        modules: What must be importable.
        extra: Name of the optional requirement that brings them.
        precisions: On a processor, beside "auto".
        load: Makes the engine; imports the modules.
    """

    modules: tuple[str, ...]
    extra: str
    precisions: tuple[str, ...]
    load: Callable[[_Request], Engine]

    def is_installed(self) -> bool:
        return all(find_spec(module) for module in self.modules)


def _load_openvino(request: _Request) -> Engine:
    from mixformer2_ros.inference.openvino_engine import OpenVinoEngine, check_precision

    if request.device not in ("auto", "cpu"):
        raise ModelError(
            f"device {request.device!r} is not for OpenVINO: use device cpu, or backend torch or "
            "onnxruntime"
        )
    precision = exact_precision("openvino", request.precision)
    check_precision(precision)
    return OpenVinoEngine(_artefact(request, "openvino", precision), request.threads)


def _load_onnxruntime(request: _Request) -> Engine:
    from mixformer2_ros.inference.onnxruntime_engine import OnnxRuntimeEngine, check_device

    check_device(request.device)
    precision = exact_precision("onnxruntime", request.precision)
    artefact = _artefact(request, "onnxruntime", precision)
    return OnnxRuntimeEngine(artefact, request.device, request.threads)


def _artefact(request: _Request, backend: str, precision: str) -> Artefact:
    """The network made ready for a backend: the one given, or one of the cache's."""
    if is_artefact(request.weights):
        return export.use(request.weights, request.variant.name)
    name = request.variant.name
    recipe = export.make_recipe(name, request.weights, backend, precision)
    return export.obtain(recipe, request.weights)


def _load_torch(request: _Request) -> Engine:
    from mixformer2_ros.inference.torch_engine import TorchEngine
    from mixformer2_ros.model import build_model, load_weights, read_checkpoint

    model = build_model(request.variant.name)
    source = describe_weights(request.weights)
    load_weights(model, read_checkpoint(request.weights), source=source)
    return TorchEngine(model, request.device, request.precision, request.threads)


_TABLE = {
    "openvino": _Backend(("openvino",), "openvino", ("fp32", "bf16"), _load_openvino),
    "onnxruntime": _Backend(("onnxruntime",), "onnx", ("fp32",), _load_onnxruntime),
    "torch": _Backend(("torch",), "torch", ("fp32", "bf16"), _load_torch),
}
BACKENDS = tuple(_TABLE)
PRECISIONS = {name: backend.precisions for name, backend in _TABLE.items()}
# Fastest first, on processors.
_X86_ORDER = ("openvino", "onnxruntime", "torch")
_ARM_ORDER = ("onnxruntime", "openvino", "torch")


def load_engine(
    variant: str = "small",
    checkpoint: str | Path | None = None,
    backend: str = "auto",
    device: str = "auto",
    precision: str = "auto",
    threads: int | None = None,
) -> Engine:
    """Load a network and make it ready to run.

    Args:
        variant: "small" or "base".
        checkpoint: A .safetensors, .pth.tar, .pth or .pt file, of which only the first is read
            without PyTorch; or a folder that `mixformer2 export` made. None means the default
            weights that ship with the package. OpenVINO and ONNX Runtime start from an artefact
            (`mixformer2_ros.inference.export`), which is made of a file at its first use and kept.
        backend: "openvino", "onnxruntime", "torch", or "auto": one that reaches a CUDA GPU where
            there is a GPU, else the fastest one installed for this processor.
        device: "auto", "cpu", "cuda" or "cuda:N".
        precision: "auto", "fp32", "bf16" (OpenVINO and PyTorch), or "fp16" (PyTorch on CUDA).
        threads: CPU threads; None leaves the choice to the backend.

    Raises:
        ModelError: Something is missing or does not fit; the message says what to do.
    """
    try:
        network = get_variant(variant)
    except ValueError as error:
        raise ModelError(str(error)) from error
    if backend not in ("auto", *BACKENDS):
        raise ModelError(f"backend {backend!r} is unknown: use auto or {', '.join(BACKENDS)}")
    if threads is not None and threads < 1:
        raise ModelError(f"threads is {threads}: use 1 or more, or leave it out")
    weights = find_weights(variant, checkpoint)
    reason = ""
    if is_artefact(weights):
        backend, precision = _given(weights, backend, precision)
    elif backend == "auto":
        backend, device, reason = _choose(device, precision)
    if not _TABLE[backend].is_installed():
        raise ModelError(
            f"backend {backend!r} is not installed: pip install "
            f"'mixformer2_ros[{_TABLE[backend].extra}]'"
        )
    try:
        engine = _TABLE[backend].load(_Request(network, weights, device, precision, threads))
    except CheckpointError as error:
        raise ModelError(str(error)) from error
    except ImportError as error:
        raise ModelError(
            f"backend {backend!r} is installed but does not start ({error}): install it again, or "
            "use another backend"
        ) from error
    engine.description += reason
    return engine


def _given(folder: Path, backend: str, precision: str) -> tuple[str, str]:
    """Backend and precision of an artefact, which must be those asked for, if any."""
    artefact = open_artefact(folder)
    asked = {"backend": backend, "precision": precision}
    check_recipe(artefact, **{name: value for name, value in asked.items() if value != "auto"})
    return artefact.recipe.backend, artefact.recipe.precision


def _choose(device: str, precision: str) -> tuple[str, str, str]:
    """Pick a backend; return it, the device for it, and why in words for the description."""
    if device.startswith("cuda") or (device == "auto" and _has_cuda_gpu()):
        for name, reaches_cuda in (("torch", _torch_cuda), ("onnxruntime", _onnxruntime_cuda)):
            if _TABLE[name].is_installed() and reaches_cuda():
                return name, "cuda" if device == "auto" else device, " (picked: CUDA GPU found)"
        if device != "auto":
            raise ModelError(
                f"device {device!r} is not available: no installed backend finds a CUDA GPU; "
                "install a CUDA build of PyTorch or onnxruntime-gpu and the driver, or use "
                "device cpu"
            )
    return pick_backend(precision, device)


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
        if _TABLE[name].is_installed():
            features = processor.describe_features()
            reason = f" (picked: fastest backend for this processor, {features})"
            if name != able[0]:
                reason = f" (picked: {able[0]} would be faster but is not installed)"
            return name, device, reason
    raise ModelError(
        f"no backend is installed for precision {precision!r}: pip install "
        f"'mixformer2_ros[{_TABLE[able[0]].extra}]'"
    )


def exact_precision(backend: str, precision: str) -> str:
    """Return the precision that "auto" stands for with a backend on this processor."""
    return "fp32" if precision == "auto" else precision


def _has_cuda_gpu() -> bool:
    """Ask the driver itself: milliseconds, where importing torch takes seconds."""
    try:
        driver = ctypes.CDLL("libcuda.so.1")
    except OSError:
        return False
    count = ctypes.c_int()
    started = driver.cuInit(0) == 0 and driver.cuDeviceGetCount(ctypes.byref(count)) == 0
    return started and count.value > 0


def _torch_cuda() -> bool:
    import torch

    return torch.cuda.is_available()


def _onnxruntime_cuda() -> bool:
    from mixformer2_ros.inference.onnxruntime_engine import has_cuda

    return has_cuda()


def find_weights(variant: str, checkpoint: str | Path | None) -> Path:
    """Return the file of weights, or the artefact, that a checkpoint option stands for.

    Raises:
        ModelError: None was given, and this installation has no default weights.
    """
    if checkpoint is not None:
        return Path(checkpoint).expanduser()
    path = find_default_weights(variant)
    if path is None:
        raise ModelError(
            f"this installation has no default weights for variant {variant!r}: give a checkpoint "
            "(the README says where the authors publish theirs) or choose another variant"
        )
    return path
