# Copyright 2026 mixformer2_ros contributors
# SPDX-License-Identifier: Apache-2.0
"""Training configuration: dataclasses with documented fields, read from YAML or JSON."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from mixformer2_ros.model.variants import VARIANTS, Variant, narrowed
from mixformer2_ros.training.data.config import DataConfig
from mixformer2_ros.training.distillation_losses import DistillationConfig
from mixformer2_ros.training.initialisation import InitialisationConfig
from mixformer2_ros.training.losses import LossConfig
from mixformer2_ros.training.plain_data import ConfigError, build, read_mapping
from mixformer2_ros.training.stages import STAGES


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
        patch_from: Share of the training before which the patch embedding stays as it is.
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
    patch_from: float = 0.0
    weight_decay: float = 1e-4
    clip: float = 0.1
    warmup: float = 0.0
    decay: str = "drop"
    decay_from: float = 0.8
    final: float = 0.1
    average: float = 0.0

    def __post_init__(self) -> None:
        _one_of("kind", self.kind, ("adamw", "muon"))
        _one_of("decay", self.decay, ("drop", "linear"))
        if not 0 <= self.average < 1:
            raise ConfigError(f"average is {self.average}: give a decay of 0 or more, below 1")
        if self.clip <= 0:
            raise ConfigError(f"clip is {self.clip}: give the largest norm, above 0")


@dataclass(frozen=True)
class CornerConfig:
    """The corner head of a teacher that is trained; the defaults are the published values.

    Attributes:
        channels: Of its first convolution; a multiple of 8.
        pyramid: Heat maps of four cells a token and axis rather than one.
    """

    channels: int = 384
    pyramid: bool = True


@dataclass(frozen=True)
class ShorteningConfig:
    """How a student becomes shallower than its teacher.

    Attributes:
        fading: Blocks of the student that fade out, and are left out of what is written.
        fade_epochs: Epochs that it takes.
        mimic: [student block, teacher block] pairs: the one's output is to be the other's.
    """

    fading: tuple[int, ...] = ()
    fade_epochs: int = 40
    mimic: tuple[tuple[int, int], ...] = ()


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
        search_factor: Side of the search region in sizes of the target; None for the variant's own.
        start: Weights to begin with: a file, or the name of an earlier stage of the chain.
        teacher: Weights to learn from, likewise.
        seed: Decides initial weights and all samples.
        initialisation: See there.
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
        loss: See there; one-stage training only.
        distillation: See there; the paper's stages.
        corner: See there; stage "teacher" only.
        shortening: See there; stage "deep_to_shallow" only.
        exchanged: Share of the search crops that meet the templates of another sample; stage
            "score_head" only.
        data: See there.
        validation_samples: Samples of each validation set; 0 for no validation.
    """

    stage: str = "one_stage"
    variant: str = "small"
    depth: int | None = None
    width: int | None = None
    mlp_ratio: int | None = None
    search_size: int | None = None
    template_size: int | None = None
    search_factor: float | None = None
    start: str | None = None
    teacher: str | None = None
    seed: int = 0
    initialisation: InitialisationConfig = field(default_factory=InitialisationConfig)
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
    distillation: DistillationConfig = field(default_factory=DistillationConfig)
    corner: CornerConfig = field(default_factory=CornerConfig)
    shortening: ShorteningConfig = field(default_factory=ShorteningConfig)
    exchanged: float = 0.3
    data: DataConfig = field(default_factory=DataConfig)
    validation_samples: int = 24

    def __post_init__(self) -> None:
        _one_of("stage", self.stage, STAGES)
        _one_of("variant", self.variant, VARIANTS)
        _one_of("precision", self.precision, ("bf16", "fp32"))
        for name in ("groups", "searches", "epochs", "epoch_samples"):
            if getattr(self, name) <= 0:
                raise ConfigError(f"{name} is {getattr(self, name)}: give a number above 0")


def _one_of(name: str, value: str, choices: Iterable[str]) -> None:
    if value not in choices:
        raise ConfigError(f"{name} is {value!r}: choose one of {', '.join(choices)}")


def written_variant(config: TrainingConfig) -> Variant:
    """Return the sizes of the network that a one-stage training writes: its full width."""
    variant = VARIANTS[config.variant]
    named = {
        name: value
        for name in ("depth", "search_size", "template_size", "search_factor")
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
    """Read a file; fields that it does not name keep their defaults.

    Raises:
        ConfigError: The file is no mapping, names a field that does not exist, or gives one a value
            that it cannot have.
    """
    return build_config(read_mapping(path), str(path))


def build_config(values: Any, where: str) -> TrainingConfig:
    """Build a configuration of plain data; `where` it stands is said in errors."""
    return build(TrainingConfig, values, where)


def as_dict(config: TrainingConfig) -> dict[str, Any]:
    """Return the configuration as plain data."""
    return dataclasses.asdict(config)
