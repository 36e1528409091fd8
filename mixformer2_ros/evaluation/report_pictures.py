# Copyright 2026 mixformer2_ros contributors
# SPDX-License-Identifier: Apache-2.0
"""What is drawn in a report: curves, the course of sequences, frames with boxes."""

from __future__ import annotations

import base64
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from mixformer2_ros.evaluation import datasets, report_plots
from mixformer2_ros.evaluation.metrics import SUCCESS_THRESHOLDS
from mixformer2_ros.evaluation.report_data import RANKING, Comparison, losses
from mixformer2_ros.evaluation.report_words import points
from mixformer2_ros.evaluation.results import ResultStore
from mixformer2_ros.evaluation.scores import PIXEL_THRESHOLDS
from mixformer2_ros.evaluation.streaming import parse_latency
from mixformer2_ros.evaluation.summary import LatencyPoint

SHOWN_LOSSES = 4
"""Frames at which the target was lost that are shown as pictures, in each sequence shown."""

ImageOf = Callable[[datasets.Sequence, int], "NDArray[np.uint8] | None"]
"""The (H, W, 3) RGB image of a frame of a sequence, or None when there is none to show."""

_RADAR_AXES = 16
_VIEW_HEIGHT = 240
_VIEW_QUALITY = 80


def plots(comparison: Comparison) -> list[dict[str, str]]:
    """Return success, precision and, where there is any, confidence of all trackers."""
    success = _mean_curves(comparison, SUCCESS_THRESHOLDS, "success_curve", RANKING)
    precision = _mean_curves(comparison, PIXEL_THRESHOLDS, "precision_curve", "precision_20")
    drawn = [
        ("Success", report_plots.curves(success, "overlap threshold", "success"), ""),
        ("Precision", report_plots.curves(precision, "centre error, px", "precision"), ""),
    ]
    if any(score.reliability is not None for score in comparison.trackers):
        svg = report_plots.reliability_curves([item.reliability for item in comparison.trackers])
        note = "On the dotted line the confidence is the chance that the box is right."
        drawn.append(("Can the confidence be trusted?", svg, note))
        svg = report_plots.precision_recall([item.f_curve for item in comparison.trackers])
        note = "Answers below a confidence held back; dots: the threshold with the best F-score."
        drawn.append(("Accuracy against silence", svg, note))
    return [{"title": title, "svg": svg, "note": note} for title, svg, note in drawn]


def _mean_curves(
    comparison: Comparison, x: NDArray[np.float64], curve: str, metric: str
) -> list[report_plots.Curve]:
    """Return a curve of each tracker, the mean over sequences, labelled with its metric."""
    return [
        (
            f"{score.tracker}  {points(score.overall[metric])}",
            x,
            np.mean([getattr(item, curve) for item in score.sequences], axis=0),
        )
        for score in comparison.trackers
    ]


def latency_plot(
    comparison: Comparison, curves: Mapping[str, Sequence[LatencyPoint]]
) -> str | None:
    """Return accuracy over latency, or None where no tracker was judged at several."""
    lines: list[report_plots.Curve | None] = []
    for score in comparison.trackers:
        judged = [
            (1000 * parse_latency(point.latency).mean, point.success_auc)
            for point in curves.get(score.tracker, ())
            if point.latency not in ("recorded", "measured") and point.success_auc is not None
        ]
        x, y = np.array(sorted(judged), np.float64).reshape(-1, 2).T
        lines.append((score.tracker, x, y) if len(judged) > 1 else None)
    return None if all(line is None for line in lines) else report_plots.latency(lines)


def radar(comparison: Comparison) -> str:
    """Return the success AUC by attribute; empty with fewer than three attributes."""
    names = comparison.attributes[:_RADAR_AXES]
    if len(names) < 3:
        return ""
    labels = [f"{name} ({comparison.reference.by_attribute[name][1]})" for name in names]
    rows = [[score.by_attribute[name][0] for name in names] for score in comparison.trackers]
    return report_plots.radar(labels, rows, "success AUC of the sequences with each attribute")


def timeline(comparison: Comparison, index: int) -> str:
    """Return the course of one sequence, by its place in the data set."""
    score = comparison.reference.sequences[index]
    return report_plots.timeline(
        [tracker.sequences[index].overlaps for tracker in comparison.trackers],
        score.scores,
        score.states,
        score.absent,
        losses(score),
        score.indices,
    )


def views(
    store: ResultStore,
    comparison: Comparison,
    sequence: datasets.Sequence,
    index: int,
    image_of: ImageOf | None,
) -> list[dict[str, Any]]:
    """Return the frames of a sequence at which the target was lost, as pictures."""
    if image_of is None:
        return []
    boxes = store.read(comparison.reference.tracker, sequence.name).boxes
    found = []
    for frame in losses(comparison.reference.sequences[index])[:SHOWN_LOSSES]:
        image = image_of(sequence, frame)
        if image is not None:
            data = _view(image, sequence.truth[frame], boxes[frame])
            found.append({"frame": frame, "data": data})
    return found


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
