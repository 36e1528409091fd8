# Copyright 2026 mixformer2_ros contributors
# SPDX-License-Identifier: Apache-2.0
"""The networks. Names are imported on first use, so that variants need no torch."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from mixformer2_ros.model.checkpoint import load_weights, read_checkpoint
    from mixformer2_ros.model.mixformerv2 import (
        FastMixFormerV2,
        MixFormerV2,
        Prediction,
        build_model,
    )
    from mixformer2_ros.model.state import CheckpointError
    from mixformer2_ros.model.teacher import MixViT, build_teacher

_HOMES = {
    "CheckpointError": "state",
    "load_weights": "checkpoint",
    "read_checkpoint": "checkpoint",
    "FastMixFormerV2": "mixformerv2",
    "MixFormerV2": "mixformerv2",
    "MixViT": "teacher",
    "Prediction": "mixformerv2",
    "build_model": "mixformerv2",
    "build_teacher": "teacher",
}

__all__ = [
    "CheckpointError",
    "FastMixFormerV2",
    "MixFormerV2",
    "MixViT",
    "Prediction",
    "build_model",
    "build_teacher",
    "load_weights",
    "read_checkpoint",
]


def __getattr__(name: str) -> Any:
    if name in _HOMES:
        return getattr(import_module(f"{__name__}.{_HOMES[name]}"), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
