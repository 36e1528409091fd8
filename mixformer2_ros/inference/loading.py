# Copyright 2026 mixformer2_ros contributors
# SPDX-License-Identifier: Apache-2.0
"""From names in a parameter file to a running engine."""

from __future__ import annotations

from importlib.util import find_spec
from pathlib import Path

from mixformer2_ros.inference.engine import Engine, ModelError
from mixformer2_ros.inference.weights import find_default_weights
from mixformer2_ros.model.variants import get_variant

BACKENDS = ("torch",)


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
        checkpoint: A .safetensors, .pth.tar, .pth or .pt file; None means the default weights that
            ship with the package.
        backend: "auto" or "torch".
        device: "auto", "cpu", "cuda" or "cuda:N".
        precision: "auto", "fp32", "fp16" or "bf16".
        threads: CPU threads; None leaves the choice to the backend.

    Raises:
        ModelError: Something is missing or does not fit; the message says what to do.
    """
    try:
        get_variant(variant)
    except ValueError as error:
        raise ModelError(str(error)) from error
    if backend not in ("auto", *BACKENDS):
        raise ModelError(f"backend {backend!r} is unknown: use auto or {', '.join(BACKENDS)}")
    if threads is not None and threads < 1:
        raise ModelError(f"threads is {threads}: use 1 or more, or leave it out")
    path = _find_weights(variant, checkpoint)
    if find_spec("torch") is None:
        raise ModelError("PyTorch is not installed: pip install 'mixformer2_ros[torch]'")
    return _load_torch(variant, path, device, precision, threads)


def _find_weights(variant: str, checkpoint: str | Path | None) -> Path:
    if checkpoint is not None:
        return Path(checkpoint)
    path = find_default_weights(variant)
    if path is None:
        raise ModelError(
            f"this installation has no default weights for variant {variant!r}: give a checkpoint "
            "(the README says where the authors publish theirs) or choose another variant"
        )
    return path


def _load_torch(
    variant: str, path: Path, device: str, precision: str, threads: int | None
) -> Engine:
    from mixformer2_ros.inference.torch_engine import TorchEngine
    from mixformer2_ros.model import CheckpointError, build_model, load_weights, read_checkpoint

    model = build_model(variant)
    try:
        load_weights(model, read_checkpoint(path), source=f"checkpoint {str(path)!r}")
    except CheckpointError as error:
        raise ModelError(str(error)) from error
    return TorchEngine(model, device, precision, threads)
