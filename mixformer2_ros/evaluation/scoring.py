# Copyright 2026 mixformer2_ros contributors
# SPDX-License-Identifier: Apache-2.0
"""From stored results to scores."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from collections.abc import Sequence as Several
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mixformer2_ros.evaluation import events, metrics
from mixformer2_ros.evaluation.confidence import auroc, max_gm, precision_recall, reliability
from mixformer2_ros.evaluation.conventions import METRIC
from mixformer2_ros.evaluation.datasets import Sequence
from mixformer2_ros.evaluation.playback import DEFAULT_FPS
from mixformer2_ros.evaluation.results import ResultError, ResultStore, SequenceResult
from mixformer2_ros.evaluation.scores import PIXEL_THRESHOLDS, SequenceScore, TrackerScore
from mixformer2_ros.tracking.types import TargetState

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
    counted = _counted(sequence)
    truth, absent, boxes = sequence.truth[counted], sequence.absent[counted], result.boxes[counted]
    boxes[0] = truth[0]
    overlaps = metrics.iou(boxes, truth)
    scores = result.scores[counted]
    scores[0] = np.nan
    score = SequenceScore(
        name=sequence.name,
        attributes=sequence.attributes,
        fps=sequence.fps or DEFAULT_FPS,
        indices=counted,
        absent=absent,
        overlaps=overlaps,
        clipped=_clipped(boxes, truth, sequence.frame_size or result.frame_size),
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
    confidences = np.concatenate([score.scores for score in scored])
    correct = np.concatenate([score.overlaps for score in scored]) > events.FOUND_OVERLAP
    return TrackerScore(
        tracker,
        list(scored),
        overall,
        _by_attribute(scored),
        f_curve=curve,
        reliability=reliability(confidences, correct),
    )


def _counted(sequence: Sequence) -> NDArray[np.intp]:
    """Return the frames that count: from the start, with known truth."""
    counted = np.arange(sequence.start, len(sequence))
    return counted if sequence.labelled is None else counted[sequence.labelled[counted]]


def _clipped(
    boxes: NDArray[np.float64], truth: NDArray[np.float64], size: tuple[int, int] | None
) -> NDArray[np.float64]:
    """Return the overlaps of boxes clipped to the image, as far as its size is known."""
    if size is None:
        return metrics.iou(boxes, truth)
    return metrics.iou(metrics.clip_to_frame(boxes, size), metrics.clip_to_frame(truth, size))


def _by_attribute(scored: Several[SequenceScore]) -> dict[str, tuple[float, int]]:
    """Return mean success_auc and number of sequences for each attribute."""
    found = {}
    for name in sorted({name for score in scored for name in score.attributes}):
        curves = [score.success_curve for score in scored if name in score.attributes]
        found[name] = (float(np.mean(curves)), len(curves))
    return found


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
