# Copyright 2026 mixformer2_ros contributors
# SPDX-License-Identifier: Apache-2.0
"""The training loop: time-boxed, resumable at any step, one device."""

from __future__ import annotations

import copy
import dataclasses
import json
import logging
import os
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from safetensors.torch import save_file
from torch import Tensor, nn

from mixformer2_ros.model import MixFormerV2
from mixformer2_ros.training.calibration import fit_logistic, rescale_score
from mixformer2_ros.training.config import TrainingConfig, as_dict, written_variant
from mixformer2_ros.training.data.dataset import (
    SOURCES,
    Batch,
    DataConfig,
    TrackingDataset,
    batches,
    build_pools,
)
from mixformer2_ros.training.optimiser import build_optimisers
from mixformer2_ros.training.schedule import rate_factor
from mixformer2_ros.training.stages import Stage, build_stage
from mixformer2_ros.training.validation import answers, validate

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
        stage: What to train.
        dataset: Training batches.
        budget: When to end.
        out: Folder for state, log and weights; a state in it is resumed.
        device: Torch device name.
    """

    def __init__(
        self,
        config: TrainingConfig,
        stage: Stage,
        dataset: TrackingDataset,
        budget: Budget,
        out: Path,
        device: str = "cpu",
    ) -> None:
        self.config, self._dataset, self._budget, self._out = config, dataset, budget, out
        self._device = torch.device(device)
        self.stage = stage.to(self._device)
        self.average = copy.deepcopy(stage.student).requires_grad_(False).eval()
        self._optimisers = build_optimisers(stage, config.optimiser)
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
        loss, parts = self.stage(batch, progress, generator)
        loss.backward()
        norm = torch.nn.utils.clip_grad_norm_(self.stage.parameters(), config.optimiser.clip)
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
        # Early weights would weigh on the average for long.
        decay = min(tuned.average, (1 + self.step) / (10 + self.step))
        with torch.no_grad():
            pairs = zip(self.average.parameters(), self.stage.student.parameters(), strict=True)
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
            "stage": self.stage.state_dict(),
            "average": self.average.state_dict(),
            "optimisers": [optimiser.state_dict() for optimiser in self._optimisers],
            "config": json.dumps(as_dict(self.config)),
        }
        partial = self._out / (_STATE + ".part")
        torch.save(state, partial)
        os.replace(partial, self._out / _STATE)
        export_weights(self.stage.finished(self.average), self._out / _WEIGHTS)

    def calibrate(self, batches_of_truth: Sequence[Batch]) -> None:
        """Make the averaged weights' score a probability on these batches; write the weights."""
        found = [answers(self.average, batch) for batch in batches_of_truth]
        iou, logits, present = (np.concatenate(values) for values in zip(*found, strict=True))
        scale, offset = fit_logistic(logits, present & (iou > 0.5))
        self._log({"score_scale": round(scale, 4), "score_offset": round(offset, 4)})
        calibrated = copy.deepcopy(self.average)
        assert isinstance(calibrated, MixFormerV2)
        rescale_score(calibrated, scale, offset)
        export_weights(self.stage.finished(calibrated), self._out / _WEIGHTS)

    def _load(self) -> None:
        state = torch.load(self._out / _STATE, map_location=self._device, weights_only=True)
        self.stage.load_state_dict(state["stage"])
        self.average.load_state_dict(state["average"])
        for optimiser, saved in zip(self._optimisers, state["optimisers"], strict=True):
            optimiser.load_state_dict(saved)
        self.step, self._elapsed = state["step"], state["elapsed"]
        _LOG.info("resumed at step %d", self.step)


def export_weights(model: nn.Module, path: Path) -> None:
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
    variant = written_variant(config)
    pools = build_pools(config.data, corpus, config.seed, held_out=False)
    dataset = TrackingDataset(
        pools, config.data, variant, config.seed, config.groups, config.searches
    )
    trainer = Trainer(config, build_stage(config), dataset, budget, out, device)
    for name, batch in validation_batches(config, corpus).items():
        trainer.add_validation(name, batch)
    trainer.run(workers)
    trainer.calibrate([dataset[index] for index in _CALIBRATION])
    return trainer


def validation_batches(config: TrainingConfig, corpus: Path | None) -> dict[str, Batch]:
    """Return one batch of unseen procedural scenes and, with a corpus, one of held-out videos."""
    variant = written_variant(config)
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
