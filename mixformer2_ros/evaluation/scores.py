# Copyright 2026 mixformer2_ros contributors
# SPDX-License-Identifier: Apache-2.0
"""How well a tracker did: on one sequence, and on a data set."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mixformer2_ros.evaluation import metrics
from mixformer2_ros.evaluation.confidence import PrecisionRecall, Reliability
from mixformer2_ros.evaluation.conventions import METRICS

PIXEL_THRESHOLDS = np.arange(51.0)
"""Centre errors in pixels of the precision plot."""


@dataclass(frozen=True, eq=False)
class SequenceScore:
    """One tracker on the M frames of a sequence that count: from the start, with known truth.

    Attributes:
        name: The sequence.
        attributes: Its challenges.
        fps: Frames per second that turn frames into seconds.
        indices: (M,) which frames of the sequence they are.
        absent: (M,) frames without the target.
        overlaps: (M,) overlaps; 0 where the target is absent, 1 in the first frame.
        clipped: (M,) overlaps of boxes clipped to the image.
        scores: (M,) confidences, NaN where there is none (always in the first frame).
        states: (M,) target states, -1 where there is none.
        answered: (M,) whether there is a box.
        times: (M,) seconds per frame.
        success_curve: (21,) share of frames above each of `metrics.SUCCESS_THRESHOLDS`.
        precision_curve: (51,) share of frames within each of `PIXEL_THRESHOLDS`.
        values: The metrics that are defined for one sequence.
    """

    name: str
    attributes: frozenset[str]
    fps: float
    indices: NDArray[np.intp]
    absent: NDArray[np.bool_]
    overlaps: NDArray[np.float64]
    clipped: NDArray[np.float64]
    scores: NDArray[np.float64]
    states: NDArray[np.int8]
    answered: NDArray[np.bool_]
    times: NDArray[np.float64]
    success_curve: NDArray[np.float64]
    precision_curve: NDArray[np.float64]
    values: dict[str, float | None]


@dataclass(eq=False)
class TrackerScore:
    """One tracker on a data set.

    Attributes:
        tracker: Its name.
        sequences: Those that could be scored.
        overall: Every metric; None where it does not apply.
        by_attribute: Mean success_auc and number of sequences for each attribute.
        missing: Why the others could not be scored.
        withheld: Number of sequences whose truth the benchmark keeps.
        f_curve: Tracking precision, recall and F over the confidence.
        reliability: Confidence against share of correct frames.
    """

    tracker: str
    sequences: list[SequenceScore]
    overall: dict[str, float | None]
    by_attribute: dict[str, tuple[float, int]] = field(default_factory=dict)
    missing: dict[str, str] = field(default_factory=dict)
    withheld: int = 0
    f_curve: PrecisionRecall | None = None
    reliability: Reliability | None = None

    def as_dict(self) -> dict[str, Any]:
        """Return everything as JSON values, conventions included."""
        return {
            "tracker": self.tracker,
            "overall": self.overall,
            "sequences": {score.name: score.values for score in self.sequences},
            "attributes": {
                name: {"success_auc": value, "sequences": count}
                for name, (value, count) in self.by_attribute.items()
            },
            "curves": self._curves(),
            "missing": self.missing,
            "withheld": self.withheld,
            "conventions": {metric.name: metric.convention for metric in METRICS},
        }

    def to_json(self) -> str:
        """Return `as_dict` as text."""
        return json.dumps(self.as_dict(), indent=1) + "\n"

    def _curves(self) -> dict[str, Any]:
        curves: dict[str, Any] = {}
        if self.sequences:
            curves["success"] = {
                "threshold": metrics.SUCCESS_THRESHOLDS.tolist(),
                "share": np.mean([s.success_curve for s in self.sequences], axis=0).tolist(),
            }
            curves["precision"] = {
                "pixels": PIXEL_THRESHOLDS.tolist(),
                "share": np.mean([s.precision_curve for s in self.sequences], axis=0).tolist(),
            }
        if self.f_curve is not None:
            curve = self.f_curve
            curves["f_score"] = {
                "threshold": curve.thresholds.tolist(),
                "precision": curve.precision.tolist(),
                "recall": curve.recall.tolist(),
                "f": curve.f.tolist(),
            }
        if self.reliability is not None:
            curves["reliability"] = {
                "confidence": _numbers_or_none(self.reliability.confidence),
                "accuracy": _numbers_or_none(self.reliability.accuracy),
                "frames": self.reliability.count.tolist(),
            }
        return curves


def _numbers_or_none(values: NDArray[np.float64]) -> list[float | None]:
    return [None if np.isnan(value) else float(value) for value in values]
