# Copyright 2026 mixformer2_ros contributors
# SPDX-License-Identifier: Apache-2.0
"""Trackers compared on the sequences that all of them have finished, uncertainty stated."""

from __future__ import annotations

from collections.abc import Container, Iterable, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mixformer2_ros.evaluation import datasets
from mixformer2_ros.evaluation.events import failures
from mixformer2_ros.evaluation.results import ResultStore
from mixformer2_ros.evaluation.scores import SequenceScore, TrackerScore
from mixformer2_ros.evaluation.scoring import combine, score_tracker

RANKING = "success_auc"
"""The metric that trackers and sequences are ranked by."""

INTERVAL_CONVENTION = (
    "95 % intervals: percentile bootstrap over sequences with 2000 resamples; differences between "
    "trackers are paired by sequence"
)

_TAILS = (2.5, 97.5)
_RESAMPLES = 2000
_SEED = 0
_NOTABLE = 0.01
_OFF_TARGET = 0.1


@dataclass(frozen=True)
class Interval:
    """An estimate with its 95 % bootstrap interval; NaN bounds with fewer than two sequences."""

    value: float
    low: float
    high: float


@dataclass(frozen=True)
class Difference:
    """How a tracker differs from the reference, paired by sequence.

    Attributes:
        tracker: The tracker.
        success: Difference of the success AUC, tracker minus reference.
        better: Sequences on which it is better by more than 0.01.
        worse: Sequences on which it is worse by more than 0.01.
    """

    tracker: str
    success: Interval
    better: int
    worse: int

    @property
    def verdict(self) -> str:
        """The difference in words."""
        if not np.isfinite(self.success.low):
            return "one sequence is too few to tell"
        if self.success.low > 0:
            return "better"
        return "worse" if self.success.high < 0 else "no difference that can be told from chance"


@dataclass(frozen=True)
class Comparison:
    """Everything a report says about trackers.

    Attributes:
        trackers: Scores on the same sequences in the same order, the reference first.
        success: Success AUC of each with its interval.
        differences: Of all but the reference.
        missing: Sequences left out, with the reason.
        recipes: What decided the results of a tracker, where they say so.
    """

    trackers: list[TrackerScore]
    success: dict[str, Interval]
    differences: list[Difference]
    missing: dict[str, str] = field(default_factory=dict)
    recipes: dict[str, dict[str, Any]] = field(default_factory=dict)

    @property
    def reference(self) -> TrackerScore:
        """The tracker that the others are compared with."""
        return self.trackers[0]

    @property
    def frames(self) -> int:
        """Number of frames that were judged."""
        return sum(len(score.overlaps) for score in self.reference.sequences)

    @cached_property
    def worst_first(self) -> list[int]:
        """Indices of sequences by the reference's success AUC, lowest first."""
        return np.argsort(values(self.reference), kind="stable").tolist()

    @property
    def attributes(self) -> list[str]:
        """Names of the attributes, the most frequent first."""
        found = self.reference.by_attribute
        return sorted(found, key=lambda name: (-found[name][1], name))


def values(tracker: TrackerScore, metric: str = RANKING) -> NDArray[np.float64]:
    """Return one metric of every sequence, (S,); NaN where it does not apply."""
    found = [score.values[metric] for score in tracker.sequences]
    return np.array([np.nan if value is None else value for value in found], np.float64)


def losses(score: SequenceScore) -> list[int]:
    """Return at which frames of the sequence a tracker lost its target."""
    return score.indices[failures(score.overlaps, score.absent)].tolist()


def off_target(score: SequenceScore) -> float:
    """Return the share of the frames with the target whose overlap is at most 0.1."""
    return float((score.overlaps[~score.absent] <= _OFF_TARGET).mean())


def compare(
    store: ResultStore,
    sequences: Sequence[datasets.Sequence],
    trackers: Sequence[str] | None = None,
) -> Comparison:
    """Score and compare trackers.

    Args:
        store: The results.
        sequences: The data set.
        trackers: Names, the reference first; None = all in the store, the best first.

    Raises:
        ValueError: There is nothing to compare.
    """
    names = list(trackers) if trackers is not None else store.trackers()
    if not names:
        raise ValueError(f"{store.root} holds no results: run an evaluation into it first")
    scores = [score_tracker(sequences, store, name) for name in names]
    missing = {item.name: "kept by the benchmark" for item in sequences if item.withheld}
    for name in sorted({name for score in scores for name in score.missing}):
        lacking = [score.tracker for score in scores if name in score.missing]
        missing[name] = f"not finished by {', '.join(lacking)}"
    scores = [_without(score, missing) for score in scores]
    if not scores[0].sequences:
        reasons = "; ".join(sorted(set(missing.values()))) or "there are no sequences"
        raise ValueError(f"no sequence can be scored for all of {', '.join(names)}: {reasons}")
    if trackers is None:
        scores.sort(key=lambda score: -values(score).mean())
    comparison = compare_scores(scores)
    comparison.missing.update(missing)
    for score in scores:
        meta = store.read(score.tracker, score.sequences[0].name).meta
        comparison.recipes[score.tracker] = meta.get("recipe", {})
    return comparison


def _without(score: TrackerScore, left_out: Container[str]) -> TrackerScore:
    kept = [item for item in score.sequences if item.name not in left_out]
    return score if len(kept) == len(score.sequences) else combine(score.tracker, kept)


def compare_scores(scores: list[TrackerScore]) -> Comparison:
    """Compare scores on the same sequences, the first one being the reference."""
    successes = [values(score) for score in scores]
    changes = [success - successes[0] for success in successes[1:]]
    return Comparison(
        trackers=scores,
        success={
            score.tracker: interval
            for score, interval in zip(scores, bootstrap(successes), strict=True)
        },
        differences=[
            Difference(
                score.tracker,
                interval,
                int((change > _NOTABLE).sum()),
                int((change < -_NOTABLE).sum()),
            )
            for score, change, interval in zip(scores[1:], changes, bootstrap(changes), strict=True)
        ],
    )


def bootstrap(samples: Iterable[NDArray[np.float64]]) -> list[Interval]:
    """Return means over sequences with their intervals, all from the same resamples.

    Args:
        samples: Arrays of shape (S,), one value for each of the same S sequences.
    """
    rows = list(samples)
    if not rows:
        return []
    stacked = np.stack(rows)
    count = stacked.shape[1]
    means = stacked.mean(axis=1)
    if count < 2:
        return [Interval(float(mean), np.nan, np.nan) for mean in means]
    rng = np.random.default_rng(_SEED)
    # How often each sequence is drawn: a resample is a weighted mean.
    weights = rng.multinomial(count, np.full(count, 1 / count), size=_RESAMPLES) / count
    low, high = np.percentile(stacked @ weights.T, _TAILS, axis=1)
    return [Interval(*map(float, row)) for row in zip(means, low, high, strict=True)]
