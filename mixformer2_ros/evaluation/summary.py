# Copyright 2026 mixformer2_ros contributors
# SPDX-License-Identifier: Apache-2.0
"""Scores of several trackers as text and as JSON, with the conventions they follow."""

from __future__ import annotations

import textwrap
from collections.abc import Iterator
from collections.abc import Sequence as Several
from dataclasses import dataclass
from typing import Any

from mixformer2_ros.evaluation.conventions import METRICS, Metric
from mixformer2_ros.evaluation.scores import TrackerScore

_SEQUENCES_SHOWN = 30
_WIDTH = 100
_STATES_NOTE = (
    "A box counts whatever state the tracker reports with it; states count in the metrics that say "
    "so."
)


@dataclass(frozen=True)
class LatencyPoint:
    """Accuracy of a tracker at one latency.

    Attributes:
        latency: The latency as the user wrote it; "0ms" is the offline result.
        how: "offline", "run" (the tracker saw only the frames it had time for), "replayed" (boxes
            of the offline run) or "pipelined".
        success_auc: In [0, 1].
        frame_rate: Results per second that the robot really gets, or None.
    """

    latency: str
    how: str
    success_auc: float | None
    frame_rate: float | None


def as_text(
    title: str, scores: Several[TrackerScore], curves: dict[str, list[LatencyPoint]]
) -> str:
    """Return the scores as tables, followed by the convention of every number shown.

    Args:
        title: First line.
        scores: One for each tracker.
        curves: For trackers judged with latency, one point for each latency.
    """
    shown = [
        metric
        for metric in METRICS
        if any(score.overall[metric.name] is not None for score in scores)
    ]
    names = [score.tracker for score in scores]
    rows = [
        [f"{metric.name}{_unit(metric)}"]
        + [_number(metric, score.overall[metric.name]) for score in scores]
        for metric in shown
    ]
    lines = [title, "", *_table(["", *names], rows)]
    sequences = {sequence.name for score in scores for sequence in score.sequences}
    if 0 < len(sequences) <= _SEQUENCES_SHOWN:
        lines += ["", *_table(["success_auc, %", *names], list(_sequence_rows(scores)))]
    for tracker, points in curves.items():
        lines += ["", f"{tracker}: success AUC over latency"]
        lines += _table(
            ["latency", "how", "success_auc, %", "results per s"], _latency_rows(points)
        )
    for score in scores:
        for name, reason in score.missing.items():
            lines.append(f"warning: {score.tracker}: {name} is not scored: {reason}")
        if score.withheld:
            lines.append(
                f"{score.tracker}: the truth of {score.withheld} sequences is not known here"
            )
    if shown:
        notes = [f"{metric.name}: {metric.convention}" for metric in shown]
        lines += ["", "Conventions"]
        for note in [*notes, _STATES_NOTE]:
            lines += textwrap.wrap(note, _WIDTH, initial_indent="  ", subsequent_indent="    ")
    return "\n".join(lines)


def as_dict(
    dataset: dict[str, Any], scores: Several[TrackerScore], curves: dict[str, list[LatencyPoint]]
) -> dict[str, Any]:
    """Return everything as JSON values.

    Args:
        dataset: What was evaluated: its kind, number of sequences and the like.
        scores: One for each tracker.
        curves: For trackers judged with latency, one point for each latency.
    """
    return {
        "dataset": dataset,
        "conventions": {metric.name: metric.convention for metric in METRICS},
        "trackers": [
            {key: value for key, value in score.as_dict().items() if key != "conventions"}
            for score in scores
        ],
        "latency_curves": {
            tracker: [vars(point) for point in points] for tracker, points in curves.items()
        },
    }


def _unit(metric: Metric) -> str:
    return {"share": ", %", "count": "", "s": ", s", "Hz": ", 1/s"}[metric.unit]


def _number(metric: Metric, value: float | None) -> str:
    if value is None:
        return "-"
    if metric.unit == "share":
        return f"{100 * value:.1f}"
    return f"{value:.0f}" if metric.unit == "count" else f"{value:.3g}"


def _sequence_rows(scores: Several[TrackerScore]) -> Iterator[list[str]]:
    values = [{s.name: s.values["success_auc"] for s in score.sequences} for score in scores]
    for name in dict.fromkeys(name for tracker in values for name in tracker):
        yield [name, *(_number(METRICS[0], tracker.get(name)) for tracker in values)]


def _latency_rows(points: Several[LatencyPoint]) -> list[list[str]]:
    return [
        [
            point.latency,
            point.how,
            _number(METRICS[0], point.success_auc),
            "-" if point.frame_rate is None else f"{point.frame_rate:.1f}",
        ]
        for point in points
    ]


def _table(head: list[str], rows: list[list[str]]) -> list[str]:
    widths = [max(len(row[i]) for row in [head, *rows]) for i in range(len(head))]
    return [
        "  ".join(
            cell.ljust(width) if i == 0 else cell.rjust(width)
            for i, (cell, width) in enumerate(zip(row, widths, strict=True))
        ).rstrip()
        for row in [head, *rows]
    ]
