# Copyright 2026 mixformer2_ros contributors
# SPDX-License-Identifier: Apache-2.0
"""Every precision of every backend against float32: on identical crops, and tracking sequences."""

from __future__ import annotations

import sys
from collections.abc import Iterable
from collections.abc import Sequence as Several
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np

from mixformer2_ros.evaluation.datasets import Sequence
from mixformer2_ros.evaluation.results import ResultStore
from mixformer2_ros.evaluation.runner import run as run_tracker
from mixformer2_ros.evaluation.scores import TrackerScore
from mixformer2_ros.evaluation.scoring import score_tracker
from mixformer2_ros.evaluation.trackers import recipe_of, tracker_factory
from mixformer2_ros.inference import ModelError, load_engine
from mixformer2_ros.inference.crops import Crops
from mixformer2_ros.inference.precisions import Accuracy
from mixformer2_ros.precision.drift import Answers, Drift, answers, drift
from mixformer2_ros.precision.starts import SHIFTS, shifted

SCORES = ("success_auc", "precision_20", "confidence_auroc")
"""What of an evaluation is compared (`evaluation.conventions.METRICS`)."""


MOST_STARTS = len(SHIFTS)


@dataclass(frozen=True)
class Row:
    """One backend in one precision.

    Attributes:
        backend: Its name.
        precision: Its precision.
        description: What the engine says of itself.
        drift: From the float32 of the first backend; None where there were no crops.
        scores: `SCORES` on the sequences; empty where there were none.
        sequences: Success AUC of each sequence.
        starts: Success AUC of each start, of which the others are means.
    """

    backend: str
    precision: str
    description: str
    drift: Drift | None
    scores: dict[str, float]
    sequences: dict[str, float]
    starts: tuple[float, ...] = ()

    @property
    def accuracy(self) -> Accuracy:
        """What decides whether the precision keeps the accuracy."""
        return Accuracy(self.scores["success_auc"], self.scores["confidence_auroc"])

    def as_dict(self) -> dict[str, Any]:
        """Return everything as JSON values."""
        content = asdict(self)
        content["drift"] = None if self.drift is None else self.drift._asdict()
        return content


@dataclass(frozen=True)
class Plan:
    """What is compared.

    Attributes:
        variant: Name of the network's variant.
        checkpoint: File of its weights.
        threads: CPU threads of each engine.
        workers: Processes that track sequences.
        results: Folder that keeps what was tracked, so that a run can go on where it stopped.
        starts: Times that each sequence is tracked, each from a first box moved a little (at most
            `MOST_STARTS`). Tracking is chaotic: the mean over starts tells a precision's cost from
            the luck of one run.
    """

    variant: str
    checkpoint: Path
    threads: int
    workers: int
    results: Path
    starts: int


def compare(
    plan: Plan,
    pairs: Several[tuple[str, str]],
    crops: Crops | None,
    sequences: Several[Sequence],
) -> list[Row]:
    """Run every backend and precision.

    Args:
        plan: What is compared.
        pairs: Backends and precisions; the first must be in float32. Those that this machine
            cannot run are left out with a word on the standard error.
        crops: Shown to all; None leaves the drift out.
        sequences: Tracked by all; none leaves the scores out.

    Raises:
        ModelError: The first cannot be run.
    """
    rows: list[Row] = []
    reference: Answers | None = None
    for backend, precision in pairs:
        try:
            engine = load_engine(
                plan.variant, plan.checkpoint, backend, "cpu", precision, plan.threads
            )
        except ModelError as error:
            if not rows:
                raise
            print(f"{backend} {precision} is left out: {error}", file=sys.stderr)
            continue
        found = None if crops is None else answers(engine, crops)
        reference = reference or found
        moved = drift(found, reference) if found is not None and reference is not None else None
        description = engine.description
        del engine
        scores = _track(plan, backend, precision, sequences) if sequences else []
        rows.append(_row(backend, precision, description, moved, scores))
    return rows


def _track(
    plan: Plan, backend: str, precision: str, sequences: Several[Sequence]
) -> list[TrackerScore]:
    """Track all sequences from each start; one score a start."""
    engine = {
        "variant": plan.variant,
        "checkpoint": str(plan.checkpoint),
        "backend": backend,
        "device": "cpu",
        "precision": precision,
        "threads": plan.threads,
    }
    factory = tracker_factory("mixformer", engine)
    recipe = recipe_of(factory)
    store = ResultStore(plan.results, "flat")
    scores = []
    for start, shift in enumerate(SHIFTS[: plan.starts]):
        name = f"{plan.variant}-{backend}-{precision}-start{start}"
        given = [shifted(sequence, shift) for sequence in sequences]
        report = run_tracker(
            factory,
            given,
            store,
            name,
            recipe={**recipe, "shift": list(shift)},
            workers=plan.workers,
        )
        if report.failed:
            reasons = (f"{sequence}: {reason}" for sequence, reason in report.failed.items())
            raise RuntimeError(f"{name}: {'; '.join(reasons)}")
        scores.append(score_tracker(sequences, store, name))
    return scores


def _row(
    backend: str,
    precision: str,
    description: str,
    moved: Drift | None,
    starts: Several[TrackerScore],
) -> Row:
    scores: dict[str, float] = {}
    by_sequence: dict[str, float] = {}
    if starts:
        scores = {name: _mean(score.overall[name] for score in starts) for name in SCORES}
        by_sequence = {
            parts[0].name: _mean(part.values["success_auc"] for part in parts)
            for parts in zip(*(score.sequences for score in starts), strict=True)
        }
    aucs = tuple(float(score.overall["success_auc"] or 0.0) for score in starts)
    return Row(backend, precision, description, moved, scores, by_sequence, aucs)


def _mean(values: Iterable[float | None]) -> float:
    return float(np.mean([value or 0.0 for value in values]))


def as_markdown(rows: Several[Row]) -> str:
    """Return the rows as a Markdown table, and the sequences as a second one."""
    names = ["backend", "precision"]
    names += ["box drift, mean", "p99", "score drift, mean", "p99"] if rows[0].drift else []
    names += ["success AUC", "precision at 20 px", "score AUROC"] if rows[0].scores else []
    lines = [_line(names), _line(["---"] * len(names))]
    for row in rows:
        cells = [row.backend, row.precision]
        cells += [f"{value:.4f}" for value in row.drift or ()]
        cells += [f"{100 * row.scores[name]:.1f}" for name in SCORES[:2] if row.scores]
        cells += [f"{row.scores[name]:.3f}" for name in SCORES[2:] if row.scores]
        lines.append(_line(cells))
    if len(rows[0].starts) > 1:
        titles = [f"from start {index}" for index in range(len(rows[0].starts))]
        lines += ["", _line(["success AUC", *titles]), _line(["---"] * (1 + len(titles)))]
        for row in rows:
            aucs = [f"{100 * value:.1f}" for value in row.starts]
            lines.append(_line([f"{row.backend} {row.precision}", *aucs]))
    if rows[0].sequences:
        titles = [f"{row.backend} {row.precision}" for row in rows]
        lines += ["", _line(["success AUC", *titles]), _line(["---"] * (1 + len(rows)))]
        for name, value in rows[0].sequences.items():
            others = [f"{100 * (row.sequences[name] - value):+.1f}" for row in rows[1:]]
            lines.append(_line([name, f"{100 * value:.1f}", *others]))
    return "\n".join(lines)


def _line(cells: Several[str]) -> str:
    return f"| {' | '.join(cells)} |"
