# Copyright 2026 mixformer2_ros contributors
# SPDX-License-Identifier: Apache-2.0
"""The training loop: time-boxed, resumable at any step, one device."""

from __future__ import annotations

import copy
import dataclasses
import json
import logging
import math
import os
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from safetensors.torch import save_file
from torch import Tensor

from mixformer2_ros.model import MixFormerV2
from mixformer2_ros.model.variants import Variant, get_variant
from mixformer2_ros.training.calibration import fit_logistic, rescale_score
from mixformer2_ros.training.config import TrainingConfig, as_dict
from mixformer2_ros.training.data.dataset import (
    SOURCES,
    Batch,
    DataConfig,
    TrackingDataset,
    batches,
    build_pools,
)
from mixformer2_ros.training.initialisation import initialise
from mixformer2_ros.training.losses import total_loss
from mixformer2_ros.training.network import TrainingNetwork
from mixformer2_ros.training.optimiser import build_optimisers
from mixformer2_ros.training.schedule import current, rate_factor
from mixformer2_ros.training.validation import answers, validate
from mixformer2_ros.training.widen import narrowed, widen

_LOG = logging.getLogger(__name__)
_STATE = "state.pt"
_WEIGHTS = "weights.safetensors"
# Batches for the score, beyond all that training reaches.
_CALIBRATION = range(2_000_000_000, 2_000_000_012)
_VALIDATION_SEED = 1_000_003


@dataclass(frozen=True)
class Budget:
    """When a training ends; exactly one of the two is given.

    Attributes:
        minutes: Minutes of training in total, over all resumed parts.
        steps: Steps in total.
    """

    minutes: float | None = None
    steps: int | None = None

    def __post_init__(self) -> None:
        if (self.minutes is None) == (self.steps is None):
            raise ValueError("a training takes either minutes or steps")

    def progress(self, step: int, elapsed: float) -> float:
        """Return the share that is over after `step` steps and `elapsed` seconds."""
        if self.steps is not None:
            return step / self.steps
        assert self.minutes is not None
        return elapsed / (60.0 * self.minutes)


class Trainer:
    """Trains one network.

    The state after step n depends on configuration, seed and progress alone, so that a training
    bounded in steps ends with the same weights whether or not it was interrupted.

    Args:
        config: The run.
        dataset: Training batches.
        budget: When to end.
        out: Folder for state, log and weights; a state in it is resumed.
        device: Torch device name.
        variant: Sizes of the network that is written; those the configuration names if None.
    """

    def __init__(
        self,
        config: TrainingConfig,
        dataset: TrackingDataset,
        budget: Budget,
        out: Path,
        device: str = "cpu",
        variant: Variant | None = None,
    ) -> None:
        self.config, self._dataset, self._budget, self._out = config, dataset, budget, out
        self._device = torch.device(device)
        self._variant = variant or get_variant(config.variant)
        model = MixFormerV2(trained_variant(config, self._variant))
        initialise(model, config.seed)
        self.network = TrainingNetwork(model, config.supervised).to(self._device)
        self.average = copy.deepcopy(model).requires_grad_(False).eval()
        self._optimisers = build_optimisers(self.network, config.optimiser)
        self.step = 0
        self._elapsed = 0.0
        self._validation: dict[str, Batch] = {}
        out.mkdir(parents=True, exist_ok=True)
        if (out / _STATE).exists():
            self._load()

    def add_validation(self, name: str, batch: Batch) -> None:
        """Judge the averaged weights on `batch` whenever a checkpoint is written."""
        self._validation[name] = batch

    @property
    def progress(self) -> float:
        """Share of the budget that is used."""
        return self._budget.progress(self.step, self._elapsed)

    def run(
        self, workers: int = 0, checkpoint_seconds: float = 420.0, stop_step: int | None = None
    ) -> None:
        """Train until the budget is used, or until `stop_step`; write state and weights."""
        last = start = time.monotonic()
        begun = self._elapsed
        stop = stop_step if stop_step is not None else (self._budget.steps or 10**9)
        for batch in batches(self._dataset, self.step, stop, workers):
            parts = self._train_step(batch)
            self.step += 1
            self._elapsed = begun + time.monotonic() - start
            if self.step % 10 == 0:
                self._log({name: round(float(value), 4) for name, value in parts.items()})
            if time.monotonic() - last > checkpoint_seconds:
                self.save()
                last = time.monotonic()
            if self.progress >= 1.0:
                break
        self.save()

    def _train_step(self, batch: Batch) -> dict[str, Tensor]:
        config, progress = self.config, self.progress
        generator = torch.Generator().manual_seed(config.seed * 1_000_003 + self.step)
        templates = batch.templates
        if torch.rand((), generator=generator) < current(config.equal_templates, progress):
            templates = templates[:, :1]
        boxes, present = batch.boxes.flatten(0, 1), batch.present.flatten()
        grid = math.isqrt(self.network.model.backbone.pos_embed_s.shape[1])
        window = min(current(config.windows, progress), grid)
        corners = window_corners(boxes, present, window, grid, generator)
        boxes, present = boxes.to(self._device), present.to(self._device)
        with torch.autocast(self._device.type, torch.bfloat16):
            output = self.network(
                templates.to(self._device),
                batch.searches.to(self._device),
                corners.to(self._device),
                window,
            )
        loss, parts = total_loss(output, boxes, present, config.loss, progress)
        loss.backward()
        norm = torch.nn.utils.clip_grad_norm_(self.network.parameters(), config.optimiser.clip)
        self._update(progress)
        return {**parts, "loss": loss.detach(), "gradient": norm}

    def _update(self, progress: float) -> None:
        tuned = self.config.optimiser
        factor = rate_factor(tuned, progress)
        for optimiser in self._optimisers:
            for group in optimiser.param_groups:
                group["lr"] = group["peak"] * factor
            optimiser.step()
            optimiser.zero_grad(set_to_none=True)
        decay = min(tuned.average, (1 + self.step) / (10 + self.step))
        with torch.no_grad():
            pairs = zip(self.average.parameters(), self.network.model.parameters(), strict=True)
            for kept, now in pairs:
                kept.lerp_(now, 1 - decay)

    def _log(self, values: dict[str, Any]) -> None:
        record = {
            "step": self.step,
            "progress": round(self.progress, 4),
            "seconds": round(self._elapsed, 1),
            **values,
        }
        _LOG.info("%s", " ".join(f"{name}={value}" for name, value in record.items()))
        with (self._out / "log.jsonl").open("a", encoding="utf-8") as file:
            file.write(json.dumps(record) + "\n")

    def save(self) -> None:
        """Write state and averaged weights; a kill at any moment leaves complete files."""
        for name, batch in self._validation.items():
            quality = dataclasses.asdict(validate(self.average, batch))
            self._log({"set": name, **{key: round(value, 4) for key, value in quality.items()}})
        state = {
            "step": self.step,
            "elapsed": self._elapsed,
            "network": self.network.state_dict(),
            "average": self.average.state_dict(),
            "optimisers": [optimiser.state_dict() for optimiser in self._optimisers],
            "config": json.dumps(as_dict(self.config)),
        }
        partial = self._out / (_STATE + ".part")
        torch.save(state, partial)
        os.replace(partial, self._out / _STATE)
        export_weights(widen(self.average, self._variant), self._out / _WEIGHTS)

    def calibrate(self, batches_of_truth: Sequence[Batch]) -> None:
        """Make the averaged weights' score a probability on these batches; write the weights."""
        found = [answers(self.average, batch) for batch in batches_of_truth]
        iou, logits, present = (np.concatenate(values) for values in zip(*found, strict=True))
        scale, offset = fit_logistic(logits, present & (iou > 0.5))
        self._log({"score_scale": round(scale, 4), "score_offset": round(offset, 4)})
        calibrated = copy.deepcopy(self.average)
        rescale_score(calibrated, scale, offset)
        export_weights(widen(calibrated, self._variant), self._out / _WEIGHTS)

    def _load(self) -> None:
        state = torch.load(self._out / _STATE, map_location=self._device, weights_only=True)
        self.network.load_state_dict(state["network"])
        self.average.load_state_dict(state["average"])
        for optimiser, saved in zip(self._optimisers, state["optimisers"], strict=True):
            optimiser.load_state_dict(saved)
        self.step, self._elapsed = state["step"], state["elapsed"]
        _LOG.info("resumed at step %d", self.step)


def trained_variant(config: TrainingConfig, variant: Variant) -> Variant:
    """Return the sizes of the network that is trained."""
    if config.width is None and config.mlp_ratio is None:
        return variant
    return narrowed(variant, config.width or variant.width, config.mlp_ratio or variant.mlp_ratio)


def window_corners(
    boxes: Tensor, present: Tensor, window: int, grid: int, generator: torch.Generator
) -> Tensor:
    """Draw windows of tokens that hold the target's centre; anywhere where it is absent.

    Args:
        boxes: (B, 4) x1, y1, x2, y2, fractions of the crop.
        present: (B,) bool.
        window: Side of the window, tokens.
        grid: Side of the token grid.
        generator: Source of randomness.

    Returns:
        (B, 2) int64 row and column of each window's first token.
    """
    middle = (boxes[:, [1, 0]] + boxes[:, [3, 2]]) / 2 * grid
    anywhere = torch.rand(middle.shape, generator=generator) * grid
    middle = torch.where(present[:, None], middle, anywhere).floor().clamp(0, grid - 1)
    # One token of margin, so that the target's surroundings are seen on both sides.
    low = (middle - window + 2).clamp(0, grid - window)
    high = (middle - 1).clamp(0, grid - window)
    draw = torch.rand(middle.shape, generator=generator)
    return (low + (draw * (high - low + 1)).floor().clamp_max(high - low)).long()


def export_weights(model: MixFormerV2, path: Path) -> None:
    """Write weights as half-precision safetensors, atomically."""
    partial = path.with_name(path.name + ".part")
    weights = {name: value.half().contiguous().cpu() for name, value in model.state_dict().items()}
    save_file(weights, partial)
    os.replace(partial, path)


def train(
    config: TrainingConfig,
    budget: Budget,
    out: Path,
    corpus: Path | None,
    workers: int,
    device: str = "cpu",
) -> Trainer:
    """Build everything and train.

    Args:
        config: The run.
        budget: When to end.
        out: Folder for state, log and weights; a state in it is resumed.
        corpus: Folder of the corpus, or None for procedural material alone.
        workers: Processes that make the samples.
        device: Torch device name.

    Returns:
        The trainer, done.
    """
    variant = get_variant(config.variant)
    pools = build_pools(config.data, corpus, config.seed, held_out=False)
    dataset = TrackingDataset(
        pools, config.data, variant, config.seed, config.groups, config.searches
    )
    trainer = Trainer(config, dataset, budget, out, device)
    for name, batch in validation_batches(config, corpus).items():
        trainer.add_validation(name, batch)
    trainer.run(workers)
    trainer.calibrate([dataset[index] for index in _CALIBRATION])
    return trainer


def validation_batches(config: TrainingConfig, corpus: Path | None) -> dict[str, Batch]:
    """Return one batch of unseen procedural scenes and, with a corpus, one of held-out videos."""
    variant = get_variant(config.variant)
    sizes = dataclasses.replace(config.data, sprites=60, backgrounds=20, scene_clips=40)
    pools = build_pools(sizes, corpus, _VALIDATION_SEED, held_out=True)
    sources = {"scenes": pools.scenes, "videos": pools.clips}
    made = {}
    for name in (name for name, material in sources.items() if material):
        only: dict[str, Any] = {source: float(source == name) for source in SOURCES}
        data: DataConfig = dataclasses.replace(sizes, **only)
        dataset = TrackingDataset(
            pools, data, variant, _VALIDATION_SEED, config.validation_samples, config.searches
        )
        made[name] = dataset[0]
    return made
