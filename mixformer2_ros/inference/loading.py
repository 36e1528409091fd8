# Copyright 2026 mixformer2_ros contributors
# SPDX-License-Identifier: Apache-2.0
"""From names in a parameter file to a running engine."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path

from mixformer2_ros.inference import export, processor
from mixformer2_ros.inference.artefact import Artefact, check_recipe, is_artefact, open_artefact
from mixformer2_ros.inference.cuda_driver import count_gpus
from mixformer2_ros.inference.engine import Engine, ModelError
from mixformer2_ros.inference.precisions import check_int8, fastest_precision
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
        gpu_precisions: On a CUDA GPU, what "auto" stands for first.
    """

    modules: tuple[str, ...]
    extra: str
    precisions: tuple[str, ...]
    load: Callable[[_Request], Engine]
    gpu_precisions: tuple[str, ...] = ()

    def is_installed(self) -> bool:
        return all(find_spec(module) for module in self.modules)

    @property
    def cure(self) -> str:
        """What to do when it is not installed."""
        if not self.extra:
            return "it comes with JetPack on a Jetson (docs/jetson.md), elsewhere pip install it"
        return f"pip install 'mixformer2_ros[{self.extra}]'"


def _load_openvino(request: _Request) -> Engine:
    from mixformer2_ros.inference.openvino_engine import OpenVinoEngine, check_precision

    if request.device not in ("auto", "cpu"):
        raise ModelError(
            f"device {request.device!r} is not for OpenVINO: use device cpu, or backend tensorrt, "
            "onnxruntime or torch"
        )
    precision, reason = exact_precision("openvino", request.precision, weights=request.weights)
    check_precision(precision)
    engine = OpenVinoEngine(_artefact(request, "openvino", precision), request.threads)
    engine.description += reason
    return engine


def _load_onnxruntime(request: _Request) -> Engine:
    device = request.device
    if request.precision == "fp16" and device == "auto":
        device = "cuda"
    precision, reason = exact_precision("onnxruntime", request.precision, device, request.weights)
    if device not in ("auto", "cpu"):
        from mixformer2_ros.inference.onnxruntime_cuda import OnnxRuntimeCudaEngine, check_device

        check_device(device)
        return OnnxRuntimeCudaEngine(_artefact(request, "onnxruntime", precision), device)
    if precision == "fp16":
        raise ModelError("precision 'fp16' is for CUDA GPUs: on a processor use auto or fp32")
    if precision == "int8":
        check_int8()
    from mixformer2_ros.inference.onnxruntime_engine import OnnxRuntimeEngine

    engine = OnnxRuntimeEngine(_artefact(request, "onnxruntime", precision), request.threads)
    engine.description += reason
    return engine


def _load_tensorrt(request: _Request) -> Engine:
    from mixformer2_ros.inference.tensorrt_engine import find_gpu, open_engine

    find_gpu(request.device)  # the reason first, and not after minutes
    precision, _ = exact_precision("tensorrt", request.precision, "cuda")
    return open_engine(_artefact(request, "tensorrt", precision), request.device)


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
    "openvino": _Backend(("openvino",), "openvino", ("fp32", "bf16", "int8"), _load_openvino),
    "onnxruntime": _Backend(
        ("onnxruntime",), "onnx", ("fp32", "int8"), _load_onnxruntime, ("fp16", "fp32", "int8")
    ),
    "torch": _Backend(("torch",), "torch", ("fp32", "bf16"), _load_torch, ("fp16", "bf16", "fp32")),
    "tensorrt": _Backend(("tensorrt",), "", (), _load_tensorrt, ("fp16", "fp32", "int8")),
}
BACKENDS = tuple(_TABLE)
PRECISIONS = {name: backend.precisions for name, backend in _TABLE.items()}
GPU_PRECISIONS = {name: backend.gpu_precisions for name, backend in _TABLE.items()}
# Fastest first, on processors.
_X86_ORDER = ("openvino", "onnxruntime", "torch")
_ARM_ORDER = ("onnxruntime", "openvino", "torch")
# And on NVIDIA's GPUs.
_GPU_ORDER = ("tensorrt", "onnxruntime", "torch")


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
        backend: "openvino", "onnxruntime", "torch", "tensorrt", or "auto": the fastest one that
            reaches a CUDA GPU where there is a GPU, else the fastest one for this processor.
        device: "auto", "cpu", "cuda", "cuda:N", or "tensorrt", "tensorrt:N" for the TensorRT
            provider of ONNX Runtime.
        precision: "auto", or what `PRECISIONS` and `GPU_PRECISIONS` say.
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
        backend, device, reason = choose_backend(device, precision)
    require_installed(backend)
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


def require_installed(backend: str) -> None:
    """Raise ModelError, with the cure, unless a backend is installed."""
    if not _TABLE[backend].is_installed():
        raise ModelError(f"backend {backend!r} is not installed: {_TABLE[backend].cure}")


def _given(folder: Path, backend: str, precision: str) -> tuple[str, str]:
    """Backend and precision of an artefact, which must be those asked for, if any."""
    artefact = open_artefact(folder)
    asked = {"backend": backend, "precision": precision}
    check_recipe(artefact, **{name: value for name, value in asked.items() if value != "auto"})
    return artefact.recipe.backend, artefact.recipe.precision


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
    if precision not in ("auto", *entry.gpu_precisions) or not entry.is_installed():
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
        if _TABLE[name].is_installed():
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
    if backend == "tensorrt" or device not in ("auto", "cpu"):
        return _TABLE[backend].gpu_precisions[0], ""
    return ("fp32", "") if weights is None else fastest_precision(weights, backend)


def _has_cuda_gpu() -> bool:
    return count_gpus() > 0


def _torch_cuda() -> bool:
    import torch

    return torch.cuda.is_available()


def _onnxruntime_cuda() -> bool:
    from mixformer2_ros.inference.onnxruntime_cuda import has_cuda

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
