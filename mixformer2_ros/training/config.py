# Copyright 2026 mixformer2_ros contributors
# SPDX-License-Identifier: Apache-2.0
"""Training configuration: dataclasses with documented fields, read from YAML."""

from __future__ import annotations

import dataclasses
import typing
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, TypeVar

import yaml

from mixformer2_ros.model.variants import Variant, get_variant
from mixformer2_ros.training.data.dataset import DataConfig
from mixformer2_ros.training.losses import LossConfig
from mixformer2_ros.training.widen import narrowed

T = TypeVar("T")


class ConfigError(ValueError):
    """A configuration file cannot be used; the message names the field and the cure."""


@dataclass(frozen=True)
class OptimiserConfig:
    """How the weights are changed; the defaults are the published values.

    Attributes:
        kind: "adamw" (published), or "muon" for the transformer's matrices and AdamW for the rest.
        adam_lr: Peak learning rate of AdamW.
        backbone: Factor on it for the student's backbone; only with "adamw".
        muon_lr: Peak learning rate of the matrices; only with "muon".
        patch_lr: Peak learning rate of the patch embedding; 0 keeps it as it is, None takes that
            of the layers around it. Pixels are so alike that a rate fit for other layers destroys
            an embedding that is already good.
        weight_decay: Decoupled weight decay.
        clip: Largest norm of the gradient.
        warmup: Share of the training in which the rate rises linearly.
        decay: "drop" to `final` at `decay_from`, or "linear" from there to the end.
        decay_from: Share of the training after which the rate falls (published: epoch 400 of 500).
        final: Last rate over the peak rate.
        average: Decay of the exponential average of the weights, the weights that are kept; 0
            keeps the last ones.
    """

    kind: str = "adamw"
    adam_lr: float = 4e-4
    backbone: float = 0.1
    muon_lr: float = 3e-3
    patch_lr: float | None = None
    weight_decay: float = 1e-4
    clip: float = 0.1
    warmup: float = 0.0
    decay: str = "drop"
    decay_from: float = 0.8
    final: float = 0.1
    average: float = 0.0


@dataclass(frozen=True)
class TrainingConfig:
    """One stage of a training; the defaults are the published values.

    Attributes:
        stage: What is trained and how, one of `stages.STAGES`.
        variant: "small" or "base"; gives the sizes that are not named here.
        depth: Transformer blocks; None for the variant's own.
        width: Channels of the network that is trained, a multiple of the size of a head; None for
            the variant's own. A network trained in one stage is widened when it is written.
        mlp_ratio: Hidden units over channels of that network; None for the variant's own.
        search_size: Side of the search crop, pixels; None for the variant's own.
        template_size: Side of the template crops, pixels; None for the variant's own.
        start: Weights to begin with: a file, or the name of an earlier stage of the chain.
        teacher: Weights to learn from, likewise.
        seed: Decides initial weights and all samples.
        epochs: Length of the training where neither minutes nor steps are asked for, in
            rounds of `epoch_samples` search crops.
        epoch_samples: See there.
        groups: Samples in a batch, of all processes together.
        searches: Search crops of a sample.
        precision: "bf16" or "fp32", of the forward passes; weights are always kept in fp32.
        compile: Compile the network with `torch.compile`; minutes at the start and at every change
            of `windows`.
        supervised: Blocks before the last one that the losses see too; one-stage training only.
        windows: [share of the training, side in tokens] pairs: from that share on, search crops
            are reduced to a window of so many tokens; none for the whole grid always. One-stage
            training only.
        equal_templates: [share, probability] pairs: from that share on, a batch takes the initial
            template for both, which is cheaper, with this probability. One-stage training only.
        optimiser: See there.
        loss: See there.
        data: See there.
        validation_samples: Samples of each validation set.
    """

    stage: str = "one_stage"
    variant: str = "small"
    depth: int | None = None
    width: int | None = None
    mlp_ratio: int | None = None
    search_size: int | None = None
    template_size: int | None = None
    start: str | None = None
    teacher: str | None = None
    seed: int = 0
    epochs: float = 500.0
    epoch_samples: int = 60_000
    groups: int = 256
    searches: int = 1
    precision: str = "bf16"
    compile: bool = False
    supervised: int = 2
    windows: tuple[tuple[float, int], ...] = ()
    equal_templates: tuple[tuple[float, float], ...] = ()
    optimiser: OptimiserConfig = field(default_factory=OptimiserConfig)
    loss: LossConfig = field(default_factory=LossConfig)
    data: DataConfig = field(default_factory=DataConfig)
    validation_samples: int = 24


def written_variant(config: TrainingConfig) -> Variant:
    """Return the sizes of the network that a one-stage training writes: its full width."""
    variant = get_variant(config.variant)
    named = {
        name: value
        for name in ("depth", "search_size", "template_size")
        if (value := getattr(config, name)) is not None
    }
    return replace(variant, **named)


def trained_variant(config: TrainingConfig) -> Variant:
    """Return the sizes of the network that is trained.

    Raises:
        ConfigError: `width` or `mlp_ratio` do not fit the variant.
    """
    variant = written_variant(config)
    if config.width is None and config.mlp_ratio is None:
        return variant
    try:
        return narrowed(
            variant, config.width or variant.width, config.mlp_ratio or variant.mlp_ratio
        )
    except ValueError as error:
        raise ConfigError(str(error)) from error


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
