# Copyright 2026 mixformer2_ros contributors
# SPDX-License-Identifier: Apache-2.0
"""Does a tracker know when it is wrong? Scores of the confidence, and of saying "absent"."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

_THRESHOLDS = 100


@dataclass(frozen=True)
class PrecisionRecall:
    """Tracking precision, recall and F-score over the confidence (VOT long-term, 1804.07056).

    A frame is answered when the confidence is at least the threshold. Precision is the mean overlap
    of the answered frames (0 where the target is absent), recall the sum of the overlaps of the
    answered frames over the number of frames with the target. Both are means over sequences;
    sequences without an answer, or without the target, are left out of precision, or recall.

    Attributes:
        thresholds: (K,) confidences, falling.
        precision: (K,).
        recall: (K,).
        f: (K,) harmonic mean of the two.
    """

    thresholds: NDArray[np.float64]
    precision: NDArray[np.float64]
    recall: NDArray[np.float64]
    f: NDArray[np.float64]

    @property
    def best(self) -> int:
        """Index of the threshold with the highest F-score."""
        return int(np.argmax(self.f))


def precision_recall(
    overlaps: Sequence[NDArray[np.float64]],
    scores: Sequence[NDArray[np.float64]],
    absent: Sequence[NDArray[np.bool_]],
) -> PrecisionRecall | None:
    """Return the tracking F-score curve of several sequences.

    Args:
        overlaps: For each sequence (N,) overlaps, 0 where the target is absent.
        scores: For each sequence (N,) confidences; NaN = the tracker answers nothing.
        absent: For each sequence (N,) whether the target is absent.

    Returns:
        The curve at (at most) 100 quantiles of all confidences; None when there are none.
    """
    known = np.concatenate([score[~np.isnan(score)] for score in scores] or [np.empty(0)])
    if not len(known):
        return None
    ranks = np.linspace(0, len(known) - 1, _THRESHOLDS).round().astype(int)
    thresholds = np.unique(np.sort(known)[ranks])
    precision = np.full((len(scores), len(thresholds)), np.nan)
    recall = np.full_like(precision, np.nan)
    for i, (overlap, score, gone) in enumerate(zip(overlaps, scores, absent, strict=True)):
        answered = ~np.isnan(score)
        order = np.argsort(score[answered], kind="stable")
        total = np.concatenate([np.cumsum(overlap[answered][order][::-1])[::-1], [0.0]])
        first = np.searchsorted(score[answered][order], thresholds)  # first one at or above
        count = answered.sum() - first
        precision[i] = np.divide(total[first], count, out=precision[i], where=count > 0)
        if not gone.all():
            recall[i] = total[first] / (~gone).sum()
    means = [_mean_over_sequences(values) for values in (precision, recall)]
    sum_of_both = means[0] + means[1]
    f = np.divide(
        2 * means[0] * means[1], sum_of_both, out=np.zeros_like(sum_of_both), where=sum_of_both > 0
    )
    return PrecisionRecall(thresholds[::-1], means[0][::-1], means[1][::-1], f[::-1])


def _mean_over_sequences(values: NDArray[np.float64]) -> NDArray[np.float64]:
    count = (~np.isnan(values)).sum(axis=0)
    total = np.nansum(values, axis=0)
    return np.divide(total, count, out=np.zeros_like(total), where=count > 0)


def max_gm(true_positive_rate: float, true_negative_rate: float) -> float:
    """Return the maximum geometric mean of OxUvA (arXiv 1803.09502).

    It is the best that the tracker could do by saying "absent" at random as well:
    max over p of sqrt((1 - p) TPR ((1 - p) TNR + p)).

    Args:
        true_positive_rate: Share of frames with the target that have a box with overlap >= 0.5.
        true_negative_rate: Share of frames without the target that the tracker calls absent.
    """
    tpr, tnr = true_positive_rate, true_negative_rate
    keep = 1.0 if tnr >= 0.5 else 1 / (2 * (1 - tnr))  # where the derivative vanishes
    return float(np.sqrt(keep * tpr * (keep * tnr + 1 - keep)))


def auroc(scores: ArrayLike, positive: ArrayLike) -> float | None:
    """Return the chance that a positive has a higher score than a negative; ties count half.

    Args:
        scores: (N,) scores; NaN left out.
        positive: (N,) bool.

    Returns:
        Area under the ROC curve in [0, 1]; None when there are not both kinds.
    """
    values, labels = np.asarray(scores, np.float64), np.asarray(positive, bool)
    values, labels = values[~np.isnan(values)], labels[~np.isnan(values)]
    positives, negatives = int(labels.sum()), int((~labels).sum())
    if not positives or not negatives:
        return None
    _, group, counts = np.unique(values, return_inverse=True, return_counts=True)
    rank = np.cumsum(counts) - (counts - 1) / 2  # the mean rank of each group of equal scores
    excess = rank[group][labels].sum() - positives * (positives + 1) / 2
    return float(excess / (positives * negatives))


@dataclass(frozen=True)
class Reliability:
    """How often the tracker is right at each level of confidence.

    Attributes:
        confidence: (K,) mean confidence of the frames in each bin; NaN in an empty one.
        accuracy: (K,) share of those frames that are right; NaN in an empty one.
        count: (K,) frames in each bin.
        error: Expected calibration error: mean of |confidence - accuracy| over frames.
    """

    confidence: NDArray[np.float64]
    accuracy: NDArray[np.float64]
    count: NDArray[np.int64]
    error: float


def reliability(scores: ArrayLike, correct: ArrayLike, bins: int = 10) -> Reliability | None:
    """Return the reliability curve over equal bins of the confidence in [0, 1].

    Args:
        scores: (N,) confidences; NaN left out.
        correct: (N,) bool, whether the answer is right.
        bins: Number of bins.

    Returns:
        The curve; None when there is no confidence at all.
    """
    values, labels = np.asarray(scores, np.float64), np.asarray(correct, bool)
    values, labels = values[~np.isnan(values)], labels[~np.isnan(values)]
    if not len(values):
        return None
    group = np.clip((values * bins).astype(int), 0, bins - 1)
    count = np.bincount(group, minlength=bins)
    confidence, accuracy = (
        np.divide(
            np.bincount(group, weights=weights, minlength=bins),
            count,
            out=np.full(bins, np.nan),
            where=count > 0,
        )
        for weights in (values, labels.astype(np.float64))
    )
    gap = np.nan_to_num(np.abs(confidence - accuracy))
    return Reliability(confidence, accuracy, count, float((gap * count).sum() / count.sum()))
