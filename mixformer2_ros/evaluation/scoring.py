# Copyright 2026 mixformer2_ros contributors
# SPDX-License-Identifier: Apache-2.0
"""From stored results to numbers, each with its convention beside it."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable
from collections.abc import Sequence as Several
from dataclasses import dataclass, field
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from mixformer2_ros.evaluation import events, metrics
from mixformer2_ros.evaluation.confidence import (
    PrecisionRecall,
    Reliability,
    auroc,
    max_gm,
    precision_recall,
    reliability,
)
from mixformer2_ros.evaluation.datasets import Sequence
from mixformer2_ros.evaluation.playback import DEFAULT_FPS
from mixformer2_ros.evaluation.results import ResultError, ResultStore, SequenceResult
from mixformer2_ros.tracking.types import TargetState

PIXEL_THRESHOLDS = np.arange(51.0)
"""Centre errors in pixels of the precision plot."""

_PER_SEQUENCE = "mean over sequences"
_POOLED = "over all frames of all sequences"


@dataclass(frozen=True)
class Metric:
    """A number and how it is computed.

    Attributes:
        name: Key in the output.
        convention: The definition, in full.
        unit: "share" is in [0, 1] and shown as percent; "count", "s", "Hz".
        better: Which way is better.
    """

    name: str
    convention: str
    unit: Literal["share", "count", "s", "Hz"] = "share"
    better: Literal["higher", "lower"] = "higher"


METRICS = (
    Metric(
        "success_auc",
        "success AUC, mean of 21: mean over the overlap thresholds 0, 0.05, ..., 1 of the share of "
        "frames with overlap > threshold; the first frame counts as given, frames without the "
        f"target are misses; {_PER_SEQUENCE} (OTB, UAV123)",
    ),
    Metric(
        "success_auc_present",
        f"the same, frames without the target left out; {_PER_SEQUENCE} (LaSOT toolkit)",
    ),
    Metric(
        "success_auc_trapezoid",
        "area under the curve of success_auc by the trapezoid rule; the first frame counts as "
        f"given, frames without the target are misses; {_PER_SEQUENCE}",
    ),
    Metric(
        "success_trackingnet",
        "area by the trapezoid rule, overlap >= threshold, boxes rounded to integers; the first "
        f"frame counts as given; {_PER_SEQUENCE} (TrackingNet development kit)",
    ),
    Metric(
        "precision_20",
        "share of frames with a centre error <= 20 pixels; the first frame counts as given, frames "
        f"without the target are misses; {_PER_SEQUENCE} (OTB)",
    ),
    Metric(
        "precision_20_present",
        f"the same, frames without the target left out; {_PER_SEQUENCE} (LaSOT toolkit)",
    ),
    Metric(
        "normalised_precision_0.2",
        "share of frames with a centre error <= 0.2 of the true width and height; the first frame "
        f"counts as given, frames without the target are misses; {_PER_SEQUENCE}",
    ),
    Metric(
        "normalised_precision_0.2_present",
        f"the same, frames without the target left out; {_PER_SEQUENCE} (LaSOT toolkit)",
    ),
    Metric(
        "normalised_precision_area",
        "area under the share of frames with normalised centre error <= 0, 0.025, ..., 0.5, "
        "trapezoid rule, boxes rounded to integers; the first frame counts as given, frames "
        f"without the target are misses; {_PER_SEQUENCE} (TrackingNet development kit)",
    ),
    Metric(
        "average_overlap",
        "AO: mean overlap of all frames but the first, boxes clipped to the image where its size "
        f"is known, frames without the target left out; {_POOLED} (GOT-10k)",
    ),
    Metric(
        "success_rate_0.5", f"SR: share of these frames with overlap > 0.5; {_POOLED} (GOT-10k)"
    ),
    Metric(
        "success_rate_0.75", f"SR: share of these frames with overlap > 0.75; {_POOLED} (GOT-10k)"
    ),
    Metric(
        "robustness",
        "share of the frames with the target that come before the first failure; a failure is "
        f"overlap <= 0.1 in 10 such frames in a row; one run from the first frame; {_PER_SEQUENCE} "
        "(VOT2020 without its further anchors)",
    ),
    Metric(
        "failures",
        "number of times the overlap stays <= 0.1 for 10 frames with the target; not restarted; "
        "sum over sequences",
        "count",
        "lower",
    ),
    Metric(
        "restarts",
        "supervised runs only: number of failures (overlap 0), after each of which the tracker is "
        "started again 5 frames later; sum over sequences (VOT short-term, up to 2019)",
        "count",
        "lower",
    ),
    Metric(
        "f_score",
        "highest F of tracking precision and recall over all thresholds of the confidence; "
        "precision and recall are means over sequences; first frame left out (VOT long-term)",
    ),
    Metric(
        "max_gm",
        "maximum geometric mean of the share of frames with the target that have overlap >= 0.5 "
        "(and are not called LOST) and the share of frames without it that are called LOST or have "
        f"no box; first frame left out; {_POOLED} (OxUvA)",
    ),
    Metric(
        "confidence_auroc",
        "chance that a frame with overlap > 0.5 has a higher confidence than one without (frames "
        f"without the target are among these); first frame left out; {_POOLED}",
    ),
    Metric(
        "presence_auroc",
        "chance that a frame with the target has a higher confidence than one without; first frame "
        f"left out; {_POOLED}",
    ),
    Metric(
        "calibration_error",
        "mean distance of the confidence from the share of frames with overlap > 0.5, in 10 equal "
        f"bins; first frame left out; {_POOLED}",
        "share",
        "lower",
    ),
    Metric(
        "time_to_declare_loss",
        "median seconds from the start of a loss (overlap <= 0.1, or no target, for 10 frames or "
        "longer) to the first LOST in it; losses that are never declared are counted in "
        "undeclared_losses",
        "s",
        "lower",
    ),
    Metric(
        "undeclared_losses",
        "share of those losses in which LOST is never declared",
        "share",
        "lower",
    ),
    Metric(
        "false_loss_rate",
        f"share of the frames with the target in which the tracker says LOST; {_POOLED}",
        "share",
        "lower",
    ),
    Metric(
        "missed_loss_rate",
        f"share of the frames without the target in which it does not say LOST; {_POOLED}",
        "share",
        "lower",
    ),
    Metric(
        "time_to_reacquire",
        "median seconds from the return of an absent target to the first frame with overlap > 0.5 "
        "that is not called LOST; returns never noticed before the target is gone again are "
        "counted in never_reacquired",
        "s",
        "lower",
    ),
    Metric("never_reacquired", "share of those returns", "share", "lower"),
    Metric(
        "frames_per_second",
        f"1 / median of the seconds per frame in the tracker, image reading left out; {_POOLED}",
        "Hz",
    ),
    Metric(
        "effective_frame_rate",
        f"streaming only: frames processed per second of video; {_PER_SEQUENCE}",
        "Hz",
    ),
)
"""Every number of the output; `None` there means that it does not apply."""

METRIC = {metric.name: metric for metric in METRICS}
"""The metrics by name."""


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
        return {
            "tracker": self.tracker,
            "overall": self.overall,
            "sequences": {score.name: score.values for score in self.sequences},
            "attributes": {
                name: {"success_auc": value, "sequences": count}
                for name, (value, count) in self.by_attribute.items()
            },
            "curves": curves,
            "missing": self.missing,
            "withheld": self.withheld,
            "conventions": {metric.name: metric.convention for metric in METRICS},
        }

    def to_json(self) -> str:
        """Return `as_dict` as text."""
        return json.dumps(self.as_dict(), indent=1) + "\n"


def score_tracker(
    sequences: Several[Sequence],
    store: ResultStore,
    tracker: str,
    progress: Callable[[Iterable[Sequence]], Iterable[Sequence]] = iter,
) -> TrackerScore:
    """Score what a store holds of a tracker.

    Args:
        sequences: The data set.
        store: The results.
        tracker: Whose results.
        progress: Wraps the loop over sequences, such as `tqdm`.

    Returns:
        The scores; sequences without a readable result are named in `missing` and left out of the
        means.
    """
    scored: list[SequenceScore] = []
    missing: dict[str, str] = {}
    withheld = 0
    for sequence in progress(sequences):
        if sequence.withheld:
            withheld += 1
            continue
        try:
            scored.append(score_sequence(sequence, store.read(tracker, sequence.name)))
        except ResultError as error:
            reason = store.read_error(tracker, sequence.name)
            missing[sequence.name] = reason.splitlines()[-1] if reason else str(error)
    score = combine(tracker, scored)
    score.missing, score.withheld = missing, withheld
    return score


def score_sequence(sequence: Sequence, result: SequenceResult) -> SequenceScore:
    """Score one tracker on one sequence.

    Args:
        sequence: The sequence; its truth is not withheld.
        result: What the tracker answered.

    Raises:
        ResultError: The result has another number of frames.
    """
    if len(result) != len(sequence):
        raise ResultError(
            f"sequence {sequence.name}: {len(result)} boxes for {len(sequence)} frames; delete the "
            "result and run again, or check that it is of this data set"
        )
    counted = np.arange(sequence.start, len(sequence))
    if sequence.labelled is not None:
        counted = counted[sequence.labelled[counted]]
    truth, absent, boxes = sequence.truth[counted], sequence.absent[counted], result.boxes[counted]
    boxes[0] = truth[0]
    size = sequence.frame_size or result.frame_size
    overlaps = metrics.iou(boxes, truth)
    clipped = overlaps
    if size is not None:
        clipped = metrics.iou(
            metrics.clip_to_frame(boxes, size), metrics.clip_to_frame(truth, size)
        )
    scores = result.scores[counted]
    scores[0] = np.nan
    score = SequenceScore(
        name=sequence.name,
        attributes=sequence.attributes,
        fps=sequence.fps or DEFAULT_FPS,
        indices=counted,
        absent=absent,
        overlaps=overlaps,
        clipped=clipped,
        scores=scores,
        states=result.states[counted],
        answered=np.logical_and.reduce(np.isfinite(boxes), axis=1),
        times=result.times[counted],
        success_curve=metrics.success_curve(overlaps),
        precision_curve=metrics.precision_curve(
            metrics.centre_error(boxes, truth), PIXEL_THRESHOLDS
        ),
        values={},
    )
    score.values.update(_accuracy(score, boxes, truth))
    score.values.update(_pooled([score]))
    failed = result.meta.get("failures")
    score.values["restarts"] = None if failed is None else float(len(failed))
    rate = result.meta.get("streaming", {}).get("effective_frame_rate")
    score.values["effective_frame_rate"] = rate
    return score


def combine(tracker: str, scored: Several[SequenceScore]) -> TrackerScore:
    """Return the score of a tracker over sequences.

    Args:
        tracker: Its name.
        scored: Its scores on each sequence.
    """
    overall: dict[str, float | None] = dict.fromkeys(METRIC)
    if not scored:
        return TrackerScore(tracker, [], overall)
    for name in _MEANS:
        overall[name] = _mean(score.values[name] for score in scored)
    for name in _SUMS:
        values = [value for score in scored if (value := score.values[name]) is not None]
        overall[name] = float(sum(values)) if values else None
    overall.update(_pooled(scored))
    curve = precision_recall(
        [score.overlaps[1:] for score in scored],
        [score.scores[1:] for score in scored],
        [score.absent[1:] for score in scored],
    )
    overall["f_score"] = None if curve is None else float(curve.f[curve.best])
    names = sorted({name for score in scored for name in score.attributes})
    by_attribute = {}
    for name in names:
        curves = [score.success_curve for score in scored if name in score.attributes]
        by_attribute[name] = (float(np.mean(curves)), len(curves))
    confidences = np.concatenate([score.scores for score in scored])
    correct = np.concatenate([score.overlaps for score in scored]) > events.FOUND_OVERLAP
    return TrackerScore(
        tracker,
        list(scored),
        overall,
        by_attribute,
        f_curve=curve,
        reliability=reliability(confidences, correct),
    )


_MEANS = (
    "success_auc",
    "success_auc_present",
    "success_auc_trapezoid",
    "success_trackingnet",
    "precision_20",
    "precision_20_present",
    "normalised_precision_0.2",
    "normalised_precision_0.2_present",
    "normalised_precision_area",
    "robustness",
    "effective_frame_rate",
)
_SUMS = ("failures", "restarts")


def _accuracy(
    score: SequenceScore, boxes: NDArray[np.float64], truth: NDArray[np.float64]
) -> dict[str, float | None]:
    """Return the metrics that are averaged or summed over sequences."""
    failed = events.failures(score.overlaps, score.absent)
    present = ~score.absent
    errors = metrics.centre_error(boxes, truth)
    normalised = metrics.normalised_error(boxes, truth)
    before = present[: failed[0]].sum() if len(failed) else present.sum()
    return {
        "success_auc": float(score.success_curve.mean()),
        "success_auc_present": metrics.success_auc(score.overlaps[present]),
        "success_auc_trapezoid": metrics.area(score.success_curve),
        "success_trackingnet": metrics.trackingnet_success(boxes, truth),
        "precision_20": float(score.precision_curve[20]),
        "precision_20_present": metrics.precision(errors[present]),
        "normalised_precision_0.2": metrics.precision(normalised, 0.2),
        "normalised_precision_0.2_present": metrics.precision(normalised[present], 0.2),
        "normalised_precision_area": metrics.trackingnet_normalised_precision(boxes, truth),
        "robustness": float(before / present.sum()),
        "failures": float(len(failed)),
    }


def _pooled(scored: Several[SequenceScore]) -> dict[str, float | None]:
    """Return the metrics that count all frames, or events, of all sequences alike."""

    def pool(part: Callable[[SequenceScore], NDArray[Any]]) -> NDArray[Any]:
        return np.concatenate([part(score)[1:] for score in scored])

    absent, overlaps, scores = (
        pool(lambda s: s.absent),
        pool(lambda s: s.overlaps),
        pool(lambda s: s.scores),
    )
    states, times = pool(lambda s: s.states), pool(lambda s: s.times)
    clipped = pool(lambda s: s.clipped)[~absent]
    lost, known = states == TargetState.LOST, states >= 0
    found = overlaps > events.FOUND_OVERLAP
    claimed = pool(lambda s: s.answered) & ~lost
    measured = times[np.isfinite(times)]
    curve = reliability(scores, found)
    values: dict[str, float | None] = {
        "average_overlap": _share(clipped),
        "success_rate_0.5": _share(clipped > 0.5),
        "success_rate_0.75": _share(clipped > 0.75),
        "confidence_auroc": auroc(scores, found),
        "presence_auroc": auroc(scores, ~absent),
        "calibration_error": None if curve is None else curve.error,
        "false_loss_rate": _share(lost[known & ~absent]),
        "missed_loss_rate": _share(~lost[known & absent]),
        "frames_per_second": float(1 / np.median(measured)) if len(measured) else None,
        "max_gm": None,
    }
    right = _share((claimed & (overlaps >= 0.5))[~absent])
    silent = _share(~claimed[absent])
    if right is not None and silent is not None:
        values["max_gm"] = max_gm(right, silent)
    values.update(_event_times(scored))
    return values


def _event_times(scored: Several[SequenceScore]) -> dict[str, float | None]:
    with_states = [score for score in scored if (score.states >= 0).any()]
    declared = [
        events.frames_to_declare_loss(score.overlaps, score.states) / score.fps
        for score in with_states
    ]
    returned = [
        events.frames_to_reacquire(score.overlaps, score.absent, score.states) / score.fps
        for score in scored
    ]
    values: dict[str, float | None] = {}
    for times, typical, never in (
        (declared, "time_to_declare_loss", "undeclared_losses"),
        (returned, "time_to_reacquire", "never_reacquired"),
    ):
        pooled = np.concatenate(times) if times else np.empty(0)
        finite = pooled[np.isfinite(pooled)]
        values[typical] = float(np.median(finite)) if len(finite) else None
        values[never] = _share(~np.isfinite(pooled))
    return values


def _share(values: NDArray[Any]) -> float | None:
    return float(values.mean()) if len(values) else None


def _mean(values: Iterable[float | None]) -> float | None:
    known = [value for value in values if value is not None]
    return float(np.mean(known)) if known else None


def _numbers_or_none(values: NDArray[np.float64]) -> list[float | None]:
    return [None if np.isnan(value) else float(value) for value in values]
