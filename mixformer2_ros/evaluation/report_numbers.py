# Copyright 2026 mixformer2_ros contributors
# SPDX-License-Identifier: Apache-2.0
"""The numbers that stand beside a report: a table of sequences, and everything as JSON values."""

from __future__ import annotations

import csv
import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from mixformer2_ros.evaluation.conventions import METRICS
from mixformer2_ros.evaluation.report_data import INTERVAL_CONVENTION, Comparison, Interval
from mixformer2_ros.evaluation.summary import LatencyPoint


def write_table(path: Path, comparison: Comparison) -> None:
    """Write a table (CSV) with a row for each tracker and sequence."""
    scores = [score for tracker in comparison.trackers for score in tracker.sequences]
    names = [
        metric.name
        for metric in METRICS
        if any(score.values.get(metric.name) is not None for score in scores)
    ]
    with path.open("w", newline="", encoding="utf-8") as file:
        table = csv.writer(file)
        table.writerow(["tracker", "sequence", "frames", "absent", *names])
        for tracker in comparison.trackers:
            for score in tracker.sequences:
                counts = [len(score.overlaps), int(score.absent.sum())]
                numbers = [score.values.get(name) for name in names]
                table.writerow([tracker.tracker, score.name, *counts, *numbers])


def numbers(
    title: str, comparison: Comparison, curves: Mapping[str, Sequence[LatencyPoint]]
) -> dict[str, Any]:
    """Return everything that a report says as JSON values."""
    return {
        "title": title,
        "interval_convention": INTERVAL_CONVENTION,
        "trackers": [
            score.as_dict()
            | {
                "recipe": comparison.recipes.get(score.tracker, {}),
                "success_interval": _interval_numbers(comparison.success[score.tracker]),
            }
            for score in comparison.trackers
        ],
        "differences": [
            {
                "tracker": item.tracker,
                "reference": comparison.reference.tracker,
                "success": _interval_numbers(item.success),
                "better": item.better,
                "worse": item.worse,
            }
            for item in comparison.differences
        ],
        "latency": {name: [vars(point) for point in points] for name, points in curves.items()},
        "missing": comparison.missing,
    }


def _interval_numbers(item: Interval) -> dict[str, float | None]:
    numbers = {"value": item.value, "low": item.low, "high": item.high}
    return {name: value if math.isfinite(value) else None for name, value in numbers.items()}
