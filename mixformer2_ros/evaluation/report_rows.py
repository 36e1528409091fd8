# Copyright 2026 mixformer2_ros contributors
# SPDX-License-Identifier: Apache-2.0
"""Rows of the tables of a report, as its template takes them: words, not numbers."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

from mixformer2_ros.evaluation import datasets
from mixformer2_ros.evaluation.conventions import METRICS
from mixformer2_ros.evaluation.report_data import (
    RANKING,
    Comparison,
    Difference,
    losses,
    off_target,
    values,
)
from mixformer2_ros.evaluation.report_plots import TRACKER_COLOURS
from mixformer2_ros.evaluation.report_words import (
    NOTHING,
    count,
    described,
    in_words,
    interval,
    plain,
    points,
    signed,
)
from mixformer2_ros.evaluation.scores import SequenceScore
from mixformer2_ros.evaluation.summary import LatencyPoint


def tiles(comparison: Comparison) -> list[dict[str, str]]:
    """Return the few figures that the page begins with, those of the first tracker."""
    overall = comparison.reference.overall
    success = comparison.success[comparison.reference.tracker]
    doubt = f"95 %: {interval(success, points)}" if math.isfinite(success.low) else ""
    found = [
        (points(success.value), "success AUC", doubt),
        (points(overall["precision_20"]), "precision", "at 20 px"),
        (points(overall["normalised_precision_0.2"]), "normalised precision", "at 0.2"),
        (plain(overall["failures"]), "failures", "lost the target"),
        (plain(overall["frames_per_second"]), "frames per second", "median"),
        (points(overall["confidence_auroc"]), "confidence", "AUROC"),
    ]
    return [
        {"value": value, "label": label, "detail": detail}
        for value, label, detail in found
        if value != NOTHING
    ]


def missing(comparison: Comparison) -> list[tuple[str, list[str]]]:
    """Return why sequences are not compared, and which."""
    reasons: dict[str, list[str]] = {}
    for name, reason in comparison.missing.items():
        reasons.setdefault(reason, []).append(name)
    return sorted(
        (f"{'sequence' if len(names) == 1 else 'sequences'} {reason}", names)
        for reason, names in reasons.items()
    )


def tracker_rows(comparison: Comparison) -> list[dict[str, Any]]:
    """Return one row a tracker: its figures on all sequences."""
    return [_tracker_row(comparison, index) for index in range(len(comparison.trackers))]


def _tracker_row(comparison: Comparison, index: int) -> dict[str, Any]:
    score = comparison.trackers[index]
    success = comparison.success[score.tracker]
    return {
        "name": score.tracker,
        "description": described(comparison.recipes.get(score.tracker, {})),
        "colour": index % TRACKER_COLOURS,
        "success": points(success.value),
        "interval": interval(success, points),
        "precision": points(score.overall["precision_20"]),
        "normalised_precision": points(score.overall["normalised_precision_0.2"]),
        "overlap": points(score.overall["average_overlap"]),
        "failures": plain(score.overall["failures"]),
        "speed": plain(score.overall["frames_per_second"]),
    }


def difference_rows(comparison: Comparison) -> list[dict[str, Any]]:
    """Return one row a tracker but the first: how it differs from the first."""
    return [_difference_row(item, index) for index, item in enumerate(comparison.differences, 1)]


def _difference_row(item: Difference, index: int) -> dict[str, Any]:
    decided = item.verdict in ("better", "worse")
    return {
        "tracker": item.tracker,
        "colour": index % TRACKER_COLOURS,
        "success": signed(item.success.value),
        "interval": interval(item.success, signed),
        "tone": ("good" if item.success.value > 0 else "bad") if decided else "",
        "better": item.better,
        "worse": item.worse,
        "verdict": item.verdict,
    }


def latency_rows(
    comparison: Comparison, curves: Mapping[str, Sequence[LatencyPoint]]
) -> list[dict[str, Any]]:
    """Return one row for each tracker and latency."""
    return [
        {
            "tracker": score.tracker,
            "colour": index % TRACKER_COLOURS,
            "latency": point.latency,
            "how": point.how,
            "success": points(point.success_auc),
            "rate": plain(point.frame_rate),
        }
        for index, score in enumerate(comparison.trackers)
        for point in curves.get(score.tracker, ())
    ]


def attribute_rows(comparison: Comparison) -> list[dict[str, Any]]:
    """Return one row an attribute: the success AUC of every tracker."""
    return [
        {
            "name": name,
            "count": comparison.reference.by_attribute[name][1],
            "scores": [points(score.by_attribute[name][0]) for score in comparison.trackers],
        }
        for name in comparison.attributes
    ]


def metric_rows(comparison: Comparison) -> list[dict[str, Any]]:
    """Return one row a metric that applies to any tracker, with its convention."""
    return [
        {
            "name": metric.name.replace("_", " "),
            "scores": [in_words(metric, item.overall[metric.name]) for item in comparison.trackers],
            "convention": metric.convention,
        }
        for metric in METRICS
        if any(item.overall[metric.name] is not None for item in comparison.trackers)
    ]


def sequence_rows(comparison: Comparison) -> list[dict[str, Any]]:
    """Return one row a sequence, the worst first."""
    return [_sequence_row(comparison, index) for index in comparison.worst_first]


def _sequence_row(comparison: Comparison, index: int) -> dict[str, Any]:
    score = comparison.reference.sequences[index]
    success = float(values(comparison.reference)[index])
    others = []
    for tracker in comparison.trackers[1:]:
        value = float(values(tracker)[index])
        tone = "good" if value - success > 0.01 else "bad" if value - success < -0.01 else ""
        others.append({"text": points(value), "tone": tone})
    return {
        "name": score.name,
        "success": points(success),
        "costs": f"{100 * (1 - success) / len(comparison.reference.sequences):.2f}",
        "others": others,
        "precision": points(score.values["precision_20"]),
        "failures": plain(score.values["failures"]),
        "lost": points(off_target(score)),
        "frames": len(score.overlaps),
        "absent": int(score.absent.sum()),
        "speed": plain(score.values["frames_per_second"]),
    }


def facts(sequence: datasets.Sequence, score: SequenceScore) -> str:
    """Return one line about a sequence: score, length, losses, attributes."""
    lost = losses(score)
    parts = [
        f"success AUC {points(score.values[RANKING])}",
        count(len(score.overlaps), "frame"),
    ]
    if score.absent.any():
        parts.append(f"target absent in {score.absent.sum()}")
    if lost:
        shown = ", ".join(map(str, lost[:8])) + (", ..." if lost[8:] else "")
        parts.append(f"lost {count(len(lost), 'time')}, at frame {shown}")
    else:
        parts.append("never lost")
    if sequence.attributes:
        parts.append(", ".join(sorted(sequence.attributes)))
    return " \N{MIDDLE DOT} ".join(parts)
