# Copyright 2026 mixformer2_ros contributors
# SPDX-License-Identifier: Apache-2.0
"""Builds the data, the stage and the trainer of one configuration, and trains."""

from __future__ import annotations

import dataclasses
import json
import logging
import time
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import torch
from torch.utils.data import Dataset

from mixformer2_ros.training.checkpoints import Store
from mixformer2_ros.training.config import TrainingConfig, written_variant
from mixformer2_ros.training.data.batch import Batch
from mixformer2_ros.training.data.config import SOURCES, DataConfig
from mixformer2_ros.training.data.dataset import TrackingDataset
from mixformer2_ros.training.data.pools import build_pools
from mixformer2_ros.training.data.skipped import SkippedFiles
from mixformer2_ros.training.data.streams import open_stream
from mixformer2_ros.training.distributed import own_part
from mixformer2_ros.training.runner import Trainer
from mixformer2_ros.training.schedule import Budget
from mixformer2_ros.training.stages import build_stage
from mixformer2_ros.training.stages.networks import network_from_weights
from mixformer2_ros.training.weights import read_weights

_LOG = logging.getLogger(__name__)
FINISHED = "finished.json"
"""Written last; a stage whose folder holds it is not trained again."""
SKIPPED = "skipped.txt"
"""Names the bad files of the training material, where there are any."""

# Batches for the score, beyond all that training reaches.
_CALIBRATION = range(2_000_000_000, 2_000_000_012)
_VALIDATION_SEED = 1_000_003
_VALIDATION_SCENES = 40


@dataclass(frozen=True)
class Machine:
    """What a training runs on, and with which material.

    Attributes:
        corpus: Folder or pack of the corpus, or None for procedural material alone.
        folders: Folders of published training sets by kind.
        device: Torch device.
        workers: Processes that make the samples; 0 for the training process itself.
        part_bytes: Largest file to write; None for whole files.
        checkpoint_seconds: Time between two checkpoints.
    """

    corpus: Path | None = None
    folders: Mapping[str, str] = field(default_factory=dict)
    device: torch.device = field(default_factory=lambda: torch.device("cpu"))
    workers: int = 1
    part_bytes: int | None = None
    checkpoint_seconds: float = 420.0


def train(config: TrainingConfig, budget: Budget, out: Path, machine: Machine) -> None:
    """Train one stage to its end, from the beginning or from the state in `out`.

    Args:
        config: The run; its `start` and `teacher` are paths.
        budget: When to end.
        out: Folder for state, log and weights.
        machine: Device and material.
    """
    if (out / FINISHED).exists():
        return
    folders = {**config.data.folders, **machine.folders}
    config = replace(config, data=replace(config.data, folders=folders))
    skipped = SkippedFiles(out / SKIPPED)
    dataset = _training_data(config, machine, skipped)
    start = None if config.start is None else read_weights(Path(config.start))
    teacher = None
    if config.teacher is not None:
        teacher = network_from_weights(read_weights(Path(config.teacher)), config.teacher)
    trainer = Trainer(
        config,
        build_stage(config, start, teacher),
        dataset,
        budget,
        out,
        machine.device,
        machine.part_bytes,
    )
    first = own_part().rank == 0
    if first:
        for name, batch in validation_batches(config, machine.corpus).items():
            trainer.add_validation(name, batch)
    began = time.monotonic()
    trainer.run(machine.workers, machine.checkpoint_seconds)
    trainer.finish(dataset[index] for index in _CALIBRATION)
    if first:
        report = {
            "stage": config.stage,
            "steps": trainer.step,
            "crops": trainer.step * config.groups * config.searches,
            "seconds": round(trainer.elapsed, 1),
            "last_run_seconds": round(time.monotonic() - began, 1),
            "skipped_files": len(skipped.reasons()),
        }
        _LOG.info("%s", skipped.report())
        Store(out).write(FINISHED, lambda path: _write_json(report, path))


def _write_json(values: Mapping[str, Any], path: Path) -> None:
    path.write_text(json.dumps(values, indent=1) + "\n", encoding="utf-8")


def _training_data(
    config: TrainingConfig, machine: Machine, skipped: SkippedFiles
) -> Dataset[Batch]:
    pools = build_pools(config.data, machine.corpus, config.seed, held_out=False, skipped=skipped)
    return open_stream(
        pools,
        config.data,
        written_variant(config),
        config.seed,
        config.groups,
        config.searches,
        own_part(),
        machine.device,
    )


def validation_batches(config: TrainingConfig, corpus: Path | None) -> dict[str, Batch]:
    """Return one batch of unseen procedural scenes and, with a corpus, one of held-out videos."""
    if config.validation_samples == 0:
        return {}
    variant = written_variant(config)
    scenes = min(_VALIDATION_SCENES, 2 * config.validation_samples)
    sizes = replace(config.data, sprites=0, backgrounds=0, scene_clips=scenes, sources={})
    pools = build_pools(sizes, corpus, _VALIDATION_SEED, held_out=True)
    sources = {"scenes": pools.scenes, "videos": pools.clips}
    made = {}
    for name in (name for name, material in sources.items() if material):
        only: dict[str, Any] = {source: float(source == name) for source in SOURCES}
        data: DataConfig = dataclasses.replace(sizes, **only)
        dataset = TrackingDataset(
            pools,
            data,
            variant,
            _VALIDATION_SEED,
            config.validation_samples,
            config.searches,
        )
        made[name] = dataset[0]
    return made
