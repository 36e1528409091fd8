# Copyright 2026 mixformer2_ros contributors
# SPDX-License-Identifier: Apache-2.0
"""Training configuration: dataclasses with documented fields, read from YAML."""

from __future__ import annotations

import dataclasses
import typing
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar

import yaml

from mixformer2_ros.training.data.dataset import DataConfig
from mixformer2_ros.training.losses import LossConfig

T = TypeVar("T")


class ConfigError(ValueError):
    """A configuration file cannot be used; the message names the field and the cure."""


@dataclass(frozen=True)
class OptimiserConfig:
    """How the weights are changed.

    Attributes:
        muon_lr: Peak learning rate of the transformer's matrices (Muon).
        adam_lr: Peak learning rate of everything else (AdamW).
        patch_lr: Peak learning rate of the patch embedding (AdamW); 0 keeps it as initialised.
            Pixels are so alike that a rate fit for other layers destroys it.
        weight_decay: Decoupled weight decay of matrices.
        clip: Largest norm of the gradient.
        warmup: Share of the training in which the rate rises linearly.
        decay_from: Share of the training after which it falls linearly to `final`.
        final: Last rate over the peak rate.
        average: Decay of the exponential average of the weights, the weights that are kept.
    """

    muon_lr: float = 3e-3
    adam_lr: float = 1e-3
    patch_lr: float = 0.0
    weight_decay: float = 0.02
    clip: float = 5.0
    warmup: float = 0.01
    decay_from: float = 0.5
    final: float = 0.02
    average: float = 0.998


@dataclass(frozen=True)
class TrainingConfig:
    """One training run.

    Attributes:
        variant: "small" or "base".
        width: Channels of the network that is trained, and widened to the variant's when it is
            written; None for the variant's own.
        mlp_ratio: Hidden units over channels of that network; None for the variant's own.
        seed: Decides initial weights and all samples.
        groups: Samples in a batch.
        searches: Search crops of a sample.
        supervised: Blocks before the last one that the losses see too.
        windows: [share of the training, side in tokens] pairs: from that share on, search crops
            are reduced to a window of so many tokens; the whole grid in the end.
        equal_templates: [share, probability] pairs: from that share on, a batch takes the initial
            template for both, which is cheaper, with this probability.
        optimiser: See there.
        loss: See there.
        data: See there.
        validation_samples: Samples of each validation set.
    """

    variant: str = "small"
    width: int | None = None
    mlp_ratio: int | None = None
    seed: int = 0
    groups: int = 12
    searches: int = 4
    supervised: int = 2
    windows: tuple[tuple[float, int], ...] = ((0.0, 7), (0.45, 10), (0.7, 14))
    equal_templates: tuple[tuple[float, float], ...] = ((0.0, 0.7), (0.7, 0.4))
    optimiser: OptimiserConfig = field(default_factory=OptimiserConfig)
    loss: LossConfig = field(default_factory=LossConfig)
    data: DataConfig = field(default_factory=DataConfig)
    validation_samples: int = 24


def read_config(path: Path) -> TrainingConfig:
    """Read a YAML file; fields that it does not name keep their defaults.

    Raises:
        ConfigError: The file is no mapping, or names a field that does not exist.
    """
    values = yaml.safe_load(path.read_text(encoding="utf-8")) or {}
    return _build(TrainingConfig, values, str(path))


def as_dict(config: TrainingConfig) -> dict[str, Any]:
    """Return the configuration as plain data."""
    return dataclasses.asdict(config)


def _build(kind: type[T], values: Any, where: str) -> T:
    if not isinstance(values, dict):
        raise ConfigError(f"{where}: expected a mapping of fields, found {values!r}")
    known = typing.get_type_hints(kind)
    unknown = sorted(set(values) - set(known))
    if unknown:
        raise ConfigError(
            f"{where}: there is no field {', '.join(unknown)}; the fields are {', '.join(known)}"
        )
    arguments = {}
    for name, value in values.items():
        if dataclasses.is_dataclass(known[name]):
            arguments[name] = _build(known[name], value, f"{where}: {name}")
        else:
            arguments[name] = _tuples(value)
    return kind(**arguments)


def _tuples(value: Any) -> Any:
    return tuple(_tuples(item) for item in value) if isinstance(value, list) else value
