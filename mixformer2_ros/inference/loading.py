# Copyright 2026 mixformer2_ros contributors
# SPDX-License-Identifier: Apache-2.0
"""From names in a parameter file to a running engine."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from mixformer2_ros.inference import export
from mixformer2_ros.inference.artefact import Artefact, check_recipe, is_artefact, open_artefact
from mixformer2_ros.inference.engine import Engine, ModelError
from mixformer2_ros.inference.precisions import check_int8
from mixformer2_ros.inference.selection import (
    BACKENDS,
    choose_backend,
    exact_precision,
    require_installed,
)
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


_LOADERS: dict[str, Callable[[_Request], Engine]] = {
    "openvino": _load_openvino,
    "onnxruntime": _load_onnxruntime,
    "torch": _load_torch,
    "tensorrt": _load_tensorrt,
}


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
        precision: "auto", or what `selection.PRECISIONS` and `selection.GPU_PRECISIONS` say.
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
    backend, device, precision, reason = _chosen(weights, backend, device, precision)
    require_installed(backend)
    try:
        engine = _LOADERS[backend](_Request(network, weights, device, precision, threads))
    except CheckpointError as error:
        raise ModelError(str(error)) from error
    except ImportError as error:
        raise ModelError(
            f"backend {backend!r} is installed but does not start ({error}): install it again, or "
            "use another backend"
        ) from error
    engine.description += reason
    return engine


def what_runs(
    variant: str = "small",
    checkpoint: str | Path | None = None,
    backend: str = "auto",
    device: str = "auto",
    precision: str = "auto",
) -> tuple[str, str]:
    """Return the backend and the precision that `load_engine` would take, without loading.

    Args:
        variant: As in `load_engine`, like all the others.
        checkpoint: Weights or an artefact.
        backend: Name or "auto".
        device: Name or "auto".
        precision: Name or "auto".

    Raises:
        ModelError: Nothing that is installed fits.
    """
    weights = find_weights(variant, checkpoint)
    backend, device, precision, _ = _chosen(weights, backend, device, precision)
    return backend, exact_precision(backend, precision, device, weights)[0]


def _chosen(weights: Path, backend: str, device: str, precision: str) -> tuple[str, str, str, str]:
    """Backend, device, precision and why; device and precision can still be "auto"."""
    reason = ""
    if is_artefact(weights):
        backend, precision = _given(weights, backend, precision)
    elif backend == "auto":
        backend, device, reason = choose_backend(device, precision)
    return backend, device, precision, reason


def _given(folder: Path, backend: str, precision: str) -> tuple[str, str]:
    """Backend and precision of an artefact, which must be those asked for, if any."""
    artefact = open_artefact(folder)
    asked = {"backend": backend, "precision": precision}
    check_recipe(artefact, **{name: value for name, value in asked.items() if value != "auto"})
    return artefact.recipe.backend, artefact.recipe.precision


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
