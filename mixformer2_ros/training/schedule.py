# Copyright 2026 mixformer2_ros contributors
# SPDX-License-Identifier: Apache-2.0
"""What changes in the course of a training, as functions of the share of it that is over."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TypeVar

from mixformer2_ros.training.config import OptimiserConfig

T = TypeVar("T")


def rate_factor(config: OptimiserConfig, progress: float) -> float:
    """Return the learning rate over its peak: linear rise, plateau, drop or linear fall."""
    if progress < config.warmup:
        return max(progress / config.warmup, 0.02)
    if progress < config.decay_from:
        return 1.0
    if config.decay == "drop":
        return config.final
    over = min((progress - config.decay_from) / max(1.0 - config.decay_from, 1e-9), 1.0)
    return 1.0 + (config.final - 1.0) * over


def current(steps: Sequence[tuple[float, T]], progress: float, otherwise: T) -> T:
    """Return the value of the last (share, value) pair that has begun; `otherwise` before all."""
    value = otherwise
    for share, following in steps:
        if progress >= share:
            value = following
    return value
