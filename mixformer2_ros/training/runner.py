# Copyright 2026 mixformer2_ros contributors
# SPDX-License-Identifier: Apache-2.0
"""The training loop of any stage: time-boxed, resumable at any step, on one device or several."""

from __future__ import annotations

import copy
import dataclasses
import io
import json
import logging
import math
import time
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn.parallel import DistributedDataParallel
from torch.utils.data import Dataset

from mixformer2_ros.model import MixFormerV2
from mixformer2_ros.training.calibration import fit_logistic, rescale_score
from mixformer2_ros.training.checkpoints import Store
from mixformer2_ros.training.config import TrainingConfig, as_dict
from mixformer2_ros.training.data.batch import Batch, batches
from mixformer2_ros.training.distributed import own_part, shared_clock, shared_mean
from mixformer2_ros.training.optimiser import build_optimisers
from mixformer2_ros.training.progress import Progress
from mixformer2_ros.training.schedule import Budget, rate_factor
from mixformer2_ros.training.stages import Stage
from mixformer2_ros.training.validation import answers, validate
from mixformer2_ros.training.weights import WEIGHTS, write_weights

_LOG = logging.getLogger(__name__)
STATE = "state.pt"
_LOG_STEPS = 10


class Trainer:
    """Trains one stage.

    The state after step n depends on configuration, seed and progress alone, so that a training
    bounded in steps ends with the same weights whether or not it was interrupted. Of several
    processes, the first alone writes.

    Args:
        config: The run.
        stage: What to train.
        dataset: Training batches by index, this process's part of each.
        budget: When to end.
        out: Folder for state, log and weights; a state in it is resumed.
        device: Torch device.
        part_bytes: Largest file to write; None for whole files.
        clock: Seconds, for the budget in minutes.
    """

    def __init__(
        self,
        config: TrainingConfig,
        stage: Stage,
        dataset: Dataset[Batch],
        budget: Budget,
        out: Path,
        device: str | torch.device = "cpu",
        part_bytes: int | None = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.config, self._dataset, self._budget, self._clock = config, dataset, budget, clock
        self._device = torch.device(device)
        self._store = Store(out, part_bytes)
        if own_part().world > 1 and self._device.type == "cuda":
            stage = nn.SyncBatchNorm.convert_sync_batchnorm(stage)
        self.stage = stage.to(self._device)
        self.average = copy.deepcopy(stage.student).requires_grad_(False).eval()
        self._optimisers = build_optimisers(stage, config.optimiser)
        self._trained = [value for value in stage.parameters() if value.requires_grad]
        self.step = 0
        self.elapsed = 0.0
        self._validation: dict[str, Batch] = {}
        if STATE in self._store:
            self._load()
        self._first = own_part().rank == 0
        self._progress = Progress(out, self.step, out.name) if self._first else None
        if config.compile:
            for module in stage.compilable():
                module.compile()
        self._forward: nn.Module = stage
        if own_part().world > 1:
            self._forward = DistributedDataParallel(stage)

    def add_validation(self, name: str, batch: Batch) -> None:
        """Judge the averaged weights on `batch` whenever a checkpoint is written."""
        self._validation[name] = batch

    @property
    def progress(self) -> float:
        """Share of the budget that is used."""
        return self._budget.progress(self.step, self.elapsed)

    def run(
        self, workers: int = 0, checkpoint_seconds: float = 420.0, stop_step: int | None = None
    ) -> None:
        """Train until the budget is used, or until `stop_step`; write state and weights.

        Args:
            workers: Processes that make the samples; 0 for this one.
            checkpoint_seconds: Time between two checkpoints.
            stop_step: Where to stop though the budget is not used up.

        Raises:
            FloatingPointError: The loss is no longer finite; the last checkpoint stays.
        """
        last = start = self._clock()
        begun = self.elapsed
        stop = stop_step if stop_step is not None else (self._budget.steps or 10**9)
        if self.progress < 1.0:
            for batch in batches(self._dataset, self.step, stop, workers):
                parts = self.train_step(batch.to(self._device))
                self.step += 1
                self.elapsed = begun + shared_clock(self._clock() - start, self._device)
                if self.step % _LOG_STEPS == 0:
                    self._show(parts)
                if self._clock() - last > checkpoint_seconds:
                    self.save()
                    last = self._clock()
                if self.progress >= 1.0:
                    break
        self.save()

    def train_step(self, batch: Batch) -> dict[str, Tensor]:
        """Change the weights by one batch on this device; return what the log shows."""
        config, progress = self.config, self.progress
        generator = torch.Generator().manual_seed(config.seed * 1_000_003 + self.step)
        loss, parts = self._forward(batch, progress, generator)
        loss.backward()
        norm = nn.utils.clip_grad_norm_(self._trained, config.optimiser.clip)
        self._update(progress)
        return {**parts, "loss": loss.detach(), "gradient": norm}

    def _update(self, progress: float) -> None:
        tuned = self.config.optimiser
        factor = rate_factor(tuned, progress)
        for optimiser in self._optimisers:
            for group in optimiser.param_groups:
                begun = progress >= group.get("from", 0.0)
                group["lr"] = group["peak"] * factor if begun else 0.0
            optimiser.step()
            optimiser.zero_grad(set_to_none=True)
        # The first weights would weigh on the average for long.
        decay = min(tuned.average, (1 + self.step) / (10 + self.step))
        student = self.stage.student
        with torch.no_grad():
            torch._foreach_lerp_(
                list(self.average.parameters()), list(student.parameters()), 1 - decay
            )
            for kept, now in zip(self.average.buffers(), student.buffers(), strict=True):
                kept.copy_(now)

    def _show(self, parts: dict[str, Tensor]) -> None:
        values = shared_mean(parts)
        self._check_finite(values["loss"] + values["gradient"])
        if self._progress is not None:
            self._progress.show(self.progress, self._record(values))

    def _check_finite(self, value: float) -> None:
        if not math.isfinite(value):
            raise FloatingPointError(
                f"the loss is not finite any more at step {self.step}: lower the learning rates "
                f"of {self.config.stage}; the state of the last checkpoint is as it was"
            )

    def _record(self, values: dict[str, Any]) -> dict[str, Any]:
        rounded = {name: _rounded(value) for name, value in values.items()}
        return {
            "step": self.step,
            "progress": round(self.progress, 4),
            "seconds": round(self.elapsed, 1),
            **rounded,
        }

    def save(self) -> None:
        """Write state and averaged weights; a kill at any moment leaves complete files.

        Raises:
            FloatingPointError: The weights are no longer finite; nothing is written.
        """
        if self._progress is None:
            return
        total = torch.stack([value.detach().sum() for value in self._trained]).sum()
        self._check_finite(float(total))
        judged = self.stage.judged(self.average).eval()
        for name, batch in self._validation.items():
            quality = dataclasses.asdict(validate(judged, batch))
            self._progress.tell(self._record({"set": name, **quality}))
        state = self._state()
        self._store.write(STATE, lambda path: torch.save(state, path))
        self._write_weights(self.stage.finished(self.average))

    def _write_weights(self, network: nn.Module) -> None:
        self._store.write(WEIGHTS, lambda path: write_weights(network, path))

    def finish(self, batches_of_truth: Iterable[Batch]) -> None:
        """Make the written weights' score a probability on these batches, and end the log.

        Args:
            batches_of_truth: Unseen samples; not asked for where the stage trains no score.
        """
        if self._progress is None:
            return
        if self.stage.trains_score:
            judged = self.stage.judged(self.average).eval()
            found = [answers(judged, batch) for batch in batches_of_truth]
            iou, logits, present = (np.concatenate(values) for values in zip(*found, strict=True))
            scale, offset = fit_logistic(logits, present & (iou > 0.5))
            self._progress.tell(self._record({"score_scale": scale, "score_offset": offset}))
            calibrated = copy.deepcopy(self.stage.finished(self.average))
            assert isinstance(calibrated, MixFormerV2)
            rescale_score(calibrated, scale, offset)
            self._write_weights(calibrated)
        self._progress.close()

    def _state(self) -> dict[str, Any]:
        return {
            "step": self.step,
            "elapsed": self.elapsed,
            "stage": {
                name: value
                for name, value in self.stage.state_dict().items()
                if not name.startswith(_TEACHER)
            },
            "average": self.average.state_dict(),
            "optimisers": [optimiser.state_dict() for optimiser in self._optimisers],
            "config": json.dumps(as_dict(self.config)),
        }

    def _load(self) -> None:
        state = torch.load(
            io.BytesIO(self._store.read(STATE)), map_location=self._device, weights_only=True
        )
        teacher = {
            name: value
            for name, value in self.stage.state_dict().items()
            if name.startswith(_TEACHER)
        }
        self.stage.load_state_dict(state["stage"] | teacher)
        self.average.load_state_dict(state["average"])
        for optimiser, saved in zip(self._optimisers, state["optimisers"], strict=True):
            optimiser.load_state_dict(saved)
        self.step, self.elapsed = state["step"], state["elapsed"]
        _LOG.info("resumed at step %d", self.step)
        if state["config"] != json.dumps(as_dict(self.config)):
            _LOG.warning("the configuration is not the one that this training began with")


_TEACHER = "teacher."


def _rounded(value: Any) -> Any:
    """Return a number short, and None for one that JSON does not know."""
    if not isinstance(value, float):
        return value
    return round(value, 4) if math.isfinite(value) else None
