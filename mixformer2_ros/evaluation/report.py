# Copyright 2026 mixformer2_ros contributors
# SPDX-License-Identifier: Apache-2.0
"""One page about how trackers did, complete in itself, with its numbers beside it.

Needs the extra `report` (matplotlib, jinja2).
"""

from __future__ import annotations

import base64
import csv
import json
import math
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from jinja2 import Environment, FileSystemLoader, StrictUndefined, select_autoescape
from numpy.typing import NDArray

from mixformer2_ros.evaluation import datasets, report_plots
from mixformer2_ros.evaluation.conventions import METRICS, Metric
from mixformer2_ros.evaluation.metrics import SUCCESS_THRESHOLDS
from mixformer2_ros.evaluation.report_data import (
    INTERVAL_CONVENTION,
    RANKING,
    Comparison,
    Difference,
    Interval,
    compare,
    losses,
    off_target,
    values,
)
from mixformer2_ros.evaluation.results import ResultStore
from mixformer2_ros.evaluation.scores import PIXEL_THRESHOLDS, SequenceScore
from mixformer2_ros.evaluation.streaming import parse_latency
from mixformer2_ros.evaluation.summary import LatencyPoint

PAGE = "report.html"
TABLE = "sequences.csv"
NUMBERS = "report.json"

SHOWN_SEQUENCES = 12
"""Sequences whose course is shown, the worst ones."""

SHOWN_LOSSES = 4
"""Frames at which the target was lost that are shown as pictures, in each of these sequences."""

_NOTHING = "\N{EN DASH}"
_MINUS = "\N{MINUS SIGN}"
_RADAR_AXES = 16
_VIEW_HEIGHT = 240
_VIEW_QUALITY = 80

ImageOf = Callable[[datasets.Sequence, int], "NDArray[np.uint8] | None"]
"""The (H, W, 3) RGB image of a frame of a sequence, or None when there is none to show."""


def write_report(
    out: Path,
    store: ResultStore,
    sequences: Sequence[datasets.Sequence],
    *,
    title: str,
    trackers: Sequence[str] | None = None,
    image_of: ImageOf | None = None,
    latency: Mapping[str, Sequence[LatencyPoint]] | None = None,
) -> Path:
    """Score what is in a store and write a page and tables about it.

    Args:
        out: Folder for `report.html`, `report.json` and `sequences.csv`; made when needed.
        store: Results of one or several trackers.
        sequences: The data set; results are compared where all trackers have one.
        title: Heading of the page.
        trackers: Names, the one that the others are compared with first; None = all in the store,
            the best first.
        image_of: Gives the images of the frames at which the target was lost, such as
            `playback.read_image`; None leaves them out.
        latency: Points of the curve over latency, by tracker; None = not judged.

    Returns:
        The page.

    Raises:
        ValueError: There is nothing to score.
        OSError: The folder cannot be written.
    """
    comparison = compare(store, sequences, trackers)
    curves = latency or {}
    out.mkdir(parents=True, exist_ok=True)
    _write_table(out / TABLE, comparison)
    text = json.dumps(_numbers(title, comparison, curves), indent=1, allow_nan=False)
    (out / NUMBERS).write_text(text + "\n", encoding="utf-8")
    known = {sequence.name: sequence for sequence in sequences}
    timelines = []
    for index in comparison.worst_first[:SHOWN_SEQUENCES]:
        sequence = known[comparison.reference.sequences[index].name]
        views = [] if image_of is None else _views(store, comparison, sequence, index, image_of)
        timelines.append(_timeline(comparison, sequence, index) | {"views": views})
    page = out / PAGE
    page.write_text(_page(title, comparison, timelines, curves), encoding="utf-8")
    return page


def _page(
    title: str,
    comparison: Comparison,
    timelines: list[dict[str, Any]],
    curves: Mapping[str, Sequence[LatencyPoint]],
) -> str:
    environment = Environment(
        loader=FileSystemLoader(Path(__file__).parent),
        autoescape=select_autoescape(default=True),
        undefined=StrictUndefined,
        trim_blocks=True,
    )
    return environment.get_template("report.html.jinja").render(
        title=title,
        frames=comparison.frames,
        tiles=_tiles(comparison),
        missing=_missing(comparison),
        trackers=[_tracker_row(comparison, i) for i in range(len(comparison.trackers))],
        differences=[_difference_row(item, i) for i, item in enumerate(comparison.differences, 1)],
        plots=_plots(comparison),
        latency_plot=_latency_plot(comparison, curves),
        latencies=_latency_rows(comparison, curves),
        radar=_radar(comparison),
        attributes=_attribute_rows(comparison),
        sequences=[_sequence_row(comparison, i) for i in comparison.worst_first],
        timelines=timelines,
        metrics=_metric_rows(comparison),
        interval_convention=INTERVAL_CONVENTION,
    )


# --- texts ------------------------------------------------------------------------------------


def _points(share: float | None) -> str:
    return _NOTHING if share is None or not math.isfinite(share) else f"{100 * share:.1f}"


def _signed(share: float) -> str:
    return f"{100 * share:+.1f}".replace("-", _MINUS)


def _interval(item: Interval, form: Callable[[float], str]) -> str:
    return f"{form(item.low)} to {form(item.high)}" if math.isfinite(item.low) else _NOTHING


def _plain(number: float | None) -> str:
    if number is None or not math.isfinite(number):
        return _NOTHING
    return f"{number:.0f}" if abs(number) >= 100 else f"{number:.3g}"


def _in_words(metric: Metric, value: float | None) -> str:
    if metric.unit == "share":
        return _points(value)
    text = str(round(value)) if metric.unit == "count" and value is not None else _plain(value)
    return text if value is None or metric.unit == "count" else f"{text} {metric.unit}"


def _described(recipe: dict[str, Any]) -> str:
    """Return what matters most of a recipe: settings of the tracker are in the numbers."""
    plain = [value for name, value in recipe.items() if not name.startswith("tracker.")]
    return ", ".join(str(value) for value in plain if value not in (None, "auto"))


def _count(number: int, noun: str) -> str:
    return f"{number} {noun}{'' if number == 1 else 's'}"


# --- parts of the page -------------------------------------------------------------------------


def _tiles(comparison: Comparison) -> list[dict[str, str]]:
    overall = comparison.reference.overall
    success = comparison.success[comparison.reference.tracker]
    interval = f"95 %: {_interval(success, _points)}" if math.isfinite(success.low) else ""
    tiles = [
        (_points(success.value), "success AUC", interval),
        (_points(overall["precision_20"]), "precision", "at 20 px"),
        (_points(overall["normalised_precision_0.2"]), "normalised precision", "at 0.2"),
        (_plain(overall["failures"]), "failures", "lost the target"),
        (_plain(overall["frames_per_second"]), "frames per second", "median"),
        (_points(overall["confidence_auroc"]), "confidence", "AUROC"),
    ]
    return [
        {"value": value, "label": label, "detail": detail}
        for value, label, detail in tiles
        if value != _NOTHING
    ]


def _missing(comparison: Comparison) -> list[tuple[str, list[str]]]:
    reasons: dict[str, list[str]] = {}
    for name, reason in comparison.missing.items():
        reasons.setdefault(reason, []).append(name)
    return sorted(
        (f"{'sequence' if len(names) == 1 else 'sequences'} {reason}", names)
        for reason, names in reasons.items()
    )


def _tracker_row(comparison: Comparison, index: int) -> dict[str, Any]:
    score = comparison.trackers[index]
    interval = comparison.success[score.tracker]
    return {
        "name": score.tracker,
        "description": _described(comparison.recipes.get(score.tracker, {})),
        "colour": index % report_plots.TRACKER_COLOURS,
        "success": _points(interval.value),
        "interval": _interval(interval, _points),
        "precision": _points(score.overall["precision_20"]),
        "normalised_precision": _points(score.overall["normalised_precision_0.2"]),
        "overlap": _points(score.overall["average_overlap"]),
        "failures": _plain(score.overall["failures"]),
        "speed": _plain(score.overall["frames_per_second"]),
    }


def _difference_row(item: Difference, index: int) -> dict[str, Any]:
    decided = item.verdict in ("better", "worse")
    return {
        "tracker": item.tracker,
        "colour": index % report_plots.TRACKER_COLOURS,
        "success": _signed(item.success.value),
        "interval": _interval(item.success, _signed),
        "tone": ("good" if item.success.value > 0 else "bad") if decided else "",
        "better": item.better,
        "worse": item.worse,
        "verdict": item.verdict,
    }


def _plots(comparison: Comparison) -> list[dict[str, str]]:
    success: list[report_plots.Curve] = []
    precision: list[report_plots.Curve] = []
    for score in comparison.trackers:
        for lines, x, curve, metric in (
            (success, SUCCESS_THRESHOLDS, "success_curve", RANKING),
            (precision, PIXEL_THRESHOLDS, "precision_curve", "precision_20"),
        ):
            y = np.mean([getattr(item, curve) for item in score.sequences], axis=0)
            lines.append((f"{score.tracker}  {_points(score.overall[metric])}", x, y))
    plots = [
        ("Success", report_plots.curves(success, "overlap threshold", "success"), ""),
        (
            "Precision",
            report_plots.curves(precision, "centre error, px", "precision"),
            "",
        ),
    ]
    if any(score.reliability is not None for score in comparison.trackers):
        svg = report_plots.reliability_curves([item.reliability for item in comparison.trackers])
        note = "On the dotted line the confidence is the chance that the box is right."
        plots.append(("Can the confidence be trusted?", svg, note))
        svg = report_plots.precision_recall([item.f_curve for item in comparison.trackers])
        note = "Answers below a confidence held back; dots: the threshold with the best F-score."
        plots.append(("Accuracy against silence", svg, note))
    return [{"title": title, "svg": svg, "note": note} for title, svg, note in plots]


def _latency_plot(
    comparison: Comparison, curves: Mapping[str, Sequence[LatencyPoint]]
) -> str | None:
    lines: list[report_plots.Curve | None] = []
    for score in comparison.trackers:
        points = [
            (1000 * parse_latency(point.latency).mean, point.success_auc)
            for point in curves.get(score.tracker, ())
            if point.latency not in ("recorded", "measured") and point.success_auc is not None
        ]
        x, y = np.array(sorted(points), np.float64).reshape(-1, 2).T
        lines.append((score.tracker, x, y) if len(points) > 1 else None)
    return None if all(line is None for line in lines) else report_plots.latency(lines)


def _latency_rows(
    comparison: Comparison, curves: Mapping[str, Sequence[LatencyPoint]]
) -> list[dict[str, Any]]:
    return [
        {
            "tracker": score.tracker,
            "colour": index % report_plots.TRACKER_COLOURS,
            "latency": point.latency,
            "how": point.how,
            "success": _points(point.success_auc),
            "rate": _plain(point.frame_rate),
        }
        for index, score in enumerate(comparison.trackers)
        for point in curves.get(score.tracker, ())
    ]


def _radar(comparison: Comparison) -> str:
    names = comparison.attributes[:_RADAR_AXES]
    if len(names) < 3:
        return ""
    labels = [f"{name} ({comparison.reference.by_attribute[name][1]})" for name in names]
    rows = [[score.by_attribute[name][0] for name in names] for score in comparison.trackers]
    return report_plots.radar(labels, rows, "success AUC of the sequences with each attribute")


def _attribute_rows(comparison: Comparison) -> list[dict[str, Any]]:
    return [
        {
            "name": name,
            "count": comparison.reference.by_attribute[name][1],
            "scores": [_points(score.by_attribute[name][0]) for score in comparison.trackers],
        }
        for name in comparison.attributes
    ]


def _metric_rows(comparison: Comparison) -> list[dict[str, Any]]:
    return [
        {
            "name": metric.name.replace("_", " "),
            "scores": [
                _in_words(metric, item.overall[metric.name]) for item in comparison.trackers
            ],
            "convention": metric.convention,
        }
        for metric in METRICS
        if any(item.overall[metric.name] is not None for item in comparison.trackers)
    ]


def _sequence_row(comparison: Comparison, index: int) -> dict[str, Any]:
    score = comparison.reference.sequences[index]
    success = float(values(comparison.reference)[index])
    others = []
    for tracker in comparison.trackers[1:]:
        value = float(values(tracker)[index])
        tone = "good" if value - success > 0.01 else "bad" if value - success < -0.01 else ""
        others.append({"text": _points(value), "tone": tone})
    return {
        "name": score.name,
        "success": _points(success),
        "costs": f"{100 * (1 - success) / len(comparison.reference.sequences):.2f}",
        "others": others,
        "precision": _points(score.values["precision_20"]),
        "failures": _plain(score.values["failures"]),
        "lost": _points(off_target(score)),
        "frames": len(score.overlaps),
        "absent": int(score.absent.sum()),
        "speed": _plain(score.values["frames_per_second"]),
    }


def _timeline(comparison: Comparison, sequence: datasets.Sequence, index: int) -> dict[str, Any]:
    score = comparison.reference.sequences[index]
    svg = report_plots.timeline(
        [tracker.sequences[index].overlaps for tracker in comparison.trackers],
        score.scores,
        score.states,
        score.absent,
        losses(score),
        score.indices,
    )
    return {"name": sequence.name, "facts": _facts(sequence, score), "svg": svg}


def _facts(sequence: datasets.Sequence, score: SequenceScore) -> str:
    lost = losses(score)
    parts = [
        f"success AUC {_points(score.values[RANKING])}",
        _count(len(score.overlaps), "frame"),
    ]
    if score.absent.any():
        parts.append(f"target absent in {score.absent.sum()}")
    if lost:
        shown = ", ".join(map(str, lost[:8])) + (", ..." if lost[8:] else "")
        parts.append(f"lost {_count(len(lost), 'time')}, at frame {shown}")
    else:
        parts.append("never lost")
    if sequence.attributes:
        parts.append(", ".join(sorted(sequence.attributes)))
    return " \N{MIDDLE DOT} ".join(parts)


def _views(
    store: ResultStore,
    comparison: Comparison,
    sequence: datasets.Sequence,
    index: int,
    image_of: ImageOf,
) -> list[dict[str, Any]]:
    boxes = store.read(comparison.reference.tracker, sequence.name).boxes
    views = []
    for frame in losses(comparison.reference.sequences[index])[:SHOWN_LOSSES]:
        image = image_of(sequence, frame)
        if image is not None:
            data = _view(image, sequence.truth[frame], boxes[frame])
            views.append({"frame": frame, "data": data})
    return views


def _view(image: NDArray[np.uint8], truth: NDArray[np.float64], box: NDArray[np.float64]) -> str:
    """Return a small JPEG, base64, with the true box white and the tracker's blue."""
    scale = _VIEW_HEIGHT / image.shape[0]
    size = max(1, round(image.shape[1] * scale)), _VIEW_HEIGHT
    small = cv2.resize(cv2.cvtColor(image, cv2.COLOR_RGB2BGR), size, interpolation=cv2.INTER_AREA)
    for corners, colour in ((truth, (255, 255, 255)), (box, (255, 150, 40))):
        if np.isfinite(corners).all():
            x, y, w, h = np.rint(corners * scale).astype(int).tolist()
            cv2.rectangle(small, (x, y), (x + w, y + h), (0, 0, 0), 4)
            cv2.rectangle(small, (x, y), (x + w, y + h), colour, 2)
    _, data = cv2.imencode(".jpg", small, [cv2.IMWRITE_JPEG_QUALITY, _VIEW_QUALITY])
    return base64.b64encode(np.asarray(data).tobytes()).decode("ascii")


# --- numbers beside the page --------------------------------------------------------------------


def _write_table(path: Path, comparison: Comparison) -> None:
    names = [
        metric.name
        for metric in METRICS
        if any(score.values.get(metric.name) is not None for score in _all_scores(comparison))
    ]
    with path.open("w", newline="", encoding="utf-8") as file:
        table = csv.writer(file)
        table.writerow(["tracker", "sequence", "frames", "absent", *names])
        for tracker in comparison.trackers:
            for score in tracker.sequences:
                counts = [len(score.overlaps), int(score.absent.sum())]
                numbers = [score.values.get(name) for name in names]
                table.writerow([tracker.tracker, score.name, *counts, *numbers])


def _all_scores(comparison: Comparison) -> list[SequenceScore]:
    return [score for tracker in comparison.trackers for score in tracker.sequences]


def _numbers(
    title: str, comparison: Comparison, curves: Mapping[str, Sequence[LatencyPoint]]
) -> dict[str, Any]:
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
