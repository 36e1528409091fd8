# Copyright 2026 mixformer2_ros contributors
# SPDX-License-Identifier: Apache-2.0
"""How long a training lasts, and what changes as functions of the share of it that is over."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TypeVar

from mixformer2_ros.training.config import OptimiserConfig, TrainingConfig

T = TypeVar("T")


@dataclass(frozen=True)
class Budget:
    """When a training ends; exactly one of the two is given.

    Attributes:
        minutes: Minutes of training in total, over all resumed parts. What a killed run did after
            its last checkpoint is lost, and not counted either.
        steps: Steps in total.
    """

    minutes: float | None = None
    steps: int | None = None

    def __post_init__(self) -> None:
        if (self.minutes is None) == (self.steps is None):
            raise ValueError("a training takes either minutes or steps")
        if (self.minutes or self.steps or 0) <= 0:
            raise ValueError("a training takes more than 0 minutes or steps")

    def part(self, share: float) -> Budget:
        """Return a share of this budget: at least one step."""
        if self.steps is not None:
            return Budget(steps=max(1, round(self.steps * share)))
        assert self.minutes is not None
        return Budget(minutes=self.minutes * share)

    def progress(self, step: int, elapsed: float) -> float:
        """Return the share that is over after `step` steps and `elapsed` seconds."""
        if self.steps is not None:
            return step / self.steps
        assert self.minutes is not None
        return elapsed / (60.0 * self.minutes)


def configured_budget(config: TrainingConfig) -> Budget:
    """Return the budget of a configuration's epochs."""
    crops = config.epochs * config.epoch_samples
    return Budget(steps=math.ceil(crops / (config.groups * config.searches)))


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
