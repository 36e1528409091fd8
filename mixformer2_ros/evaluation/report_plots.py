# Copyright 2026 mixformer2_ros contributors
# SPDX-License-Identifier: Apache-2.0
"""The pictures of a report, as SVG that takes its colours from the page.

Needs the extra `report` (matplotlib).
"""

from __future__ import annotations

import io
import re
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any, TypeVar

import matplotlib as mpl
import numpy as np
from matplotlib.axes import Axes
from matplotlib.backends.backend_svg import FigureCanvasSVG
from matplotlib.figure import Figure
from numpy.typing import NDArray

from mixformer2_ros.evaluation.confidence import PrecisionRecall, Reliability
from mixformer2_ros.evaluation.events import runs
from mixformer2_ros.tracking.types import TargetState

# Colours that occur nowhere else; in the SVG they become the page's own (CSS variables), so that
# the pictures follow its light or dark theme.
_INK, _GRID = "#0a0b01", "#0a0b02"
_STATES = {
    TargetState.TRACKING: "#0a0b03",
    TargetState.UNCERTAIN: "#0a0b04",
    TargetState.LOST: "#0a0b05",
}
_ABSENT, _LOSS = "#0a0b06", "#0a0b07"
TRACKER_COLOURS = 8
_TRACKERS = [f"#0a0b1{i}" for i in range(TRACKER_COLOURS)]
_VARIABLES = {
    _INK: "ink",
    _GRID: "grid",
    _STATES[TargetState.TRACKING]: "tracking",
    _STATES[TargetState.UNCERTAIN]: "uncertain",
    _STATES[TargetState.LOST]: "lost",
    _ABSENT: "absent",
    _LOSS: "loss",
} | {colour: f"tracker{i}" for i, colour in enumerate(_TRACKERS)}

_STYLE = {
    "svg.fonttype": "none",
    "font.family": "sans-serif",
    "font.size": 9.5,
    "text.color": _INK,
    "axes.edgecolor": _GRID,
    "axes.labelcolor": _INK,
    "axes.facecolor": "none",
    "figure.facecolor": "none",
    "savefig.facecolor": "none",
    "xtick.color": _INK,
    "ytick.color": _INK,
    "xtick.major.size": 0,
    "ytick.major.size": 0,
    "axes.grid": True,
    "grid.color": _GRID,
    "grid.linewidth": 0.7,
    "axes.axisbelow": True,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "legend.frameon": False,
}

Item = TypeVar("Item")
Curve = tuple[str, NDArray[np.float64], NDArray[np.float64]]
"""Label, x and y of a line; the n-th one has the colour of the n-th tracker."""


def curves(lines: Sequence[Curve], x_label: str, y_label: str) -> str:
    """Draw lines from 0 to 1, such as success or precision over a threshold.

    Args:
        lines: One a tracker.
        x_label: What x is.
        y_label: What y is.

    Returns:
        An SVG element.
    """
    with _chart() as (figure, axes):
        for i, (label, x, y) in enumerate(lines):
            axes.plot(x, y, label=label, color=tracker_colour(i), linewidth=2)
        low, high = lines[0][1][[0, -1]]
        axes.set(xlim=(low, high), ylim=(0, 1), xlabel=x_label, ylabel=y_label)
        axes.legend(loc="best")
        return _svg(figure, f"{y_label} over {x_label}")


def radar(names: Sequence[str], values: Sequence[Sequence[float]], description: str) -> str:
    """Draw values in [0, 1] around a circle.

    Args:
        names: At least three axes.
        values: For each tracker one value an axis.
        description: What the picture shows, for those who cannot see it.

    Returns:
        An SVG element.
    """
    angles = np.linspace(0, 2 * np.pi, len(names), endpoint=False)
    closed = np.append(angles, angles[0])
    top = min(1.0, np.ceil(10 * max(max(row) for row in values) + 0.5) / 10)
    with mpl.rc_context(_STYLE):
        figure = Figure(figsize=(5.6, 4.4))
        # A margin for the names: layout engines cut them off.
        axes: Any = figure.add_axes((0.2, 0.1, 0.6, 0.8), projection="polar")
        axes.set_theta_offset(np.pi / 2)
        axes.set_theta_direction(-1)
        for i, row in enumerate(values):
            radii = np.append(row, row[0])
            axes.plot(closed, radii, color=tracker_colour(i), linewidth=2)
            axes.fill(closed, radii, color=tracker_colour(i), alpha=0.06)
        axes.set_xticks(angles, names)
        axes.tick_params(axis="x", pad=4)
        for label, angle in zip(axes.get_xticklabels(), angles, strict=True):
            side = np.sin(angle)
            label.set_horizontalalignment(
                "left" if side > 0.1 else "right" if side < -0.1 else "center"
            )
        axes.set_ylim(0, top)
        axes.set_yticks(np.arange(0.2, top + 1e-9, 0.2))
        axes.set_rlabel_position(180 / len(names))
        axes.spines["polar"].set_color(_GRID)
        return _svg(figure, description)


def reliability_curves(items: Sequence[Reliability | None]) -> str:
    """Draw how often trackers are right at each confidence, against the diagonal.

    Args:
        items: One a tracker; None where it gives no confidence.

    Returns:
        An SVG element.
    """
    with _chart() as (figure, axes):
        axes.plot([0, 1], [0, 1], color=_INK, linewidth=1, linestyle=(0, (2, 3)), alpha=0.6)
        for item, colour in _coloured(items):
            used = item.count > 0
            size = 12 + 90 * item.count[used] / item.count.sum()
            axes.plot(item.confidence[used], item.accuracy[used], color=colour, linewidth=2)
            axes.scatter(
                item.confidence[used], item.accuracy[used], s=size, color=colour, clip_on=False
            )
        axes.set(xlim=(0, 1), ylim=(0, 1), xlabel="confidence", ylabel="share of frames right")
        return _svg(figure, "share of frames with overlap above 0.5 over the confidence")


def latency(lines: Sequence[Curve | None]) -> str:
    """Draw accuracy over latency.

    Args:
        lines: One a tracker, x in milliseconds; None where it was not judged.

    Returns:
        An SVG element.
    """
    with _chart() as (figure, axes):
        for (label, x, y), colour in _coloured(lines):
            axes.plot(x, y, label=label, color=colour, linewidth=2, marker="o", clip_on=False)
        axes.set(ylim=(0, 1), xlabel="latency, ms", ylabel="success AUC")
        axes.set_xlim(left=0)
        axes.legend(loc="best")
        return _svg(figure, "success AUC over latency")


def precision_recall(items: Sequence[PrecisionRecall | None]) -> str:
    """Draw tracking precision over recall, with a dot at the best F-score.

    Args:
        items: One a tracker; None where it gives no confidence.

    Returns:
        An SVG element.
    """
    with _chart() as (figure, axes):
        for item, colour in _coloured(items):
            best = item.best
            axes.plot(item.recall, item.precision, color=colour, linewidth=2)
            axes.scatter(item.recall[best], item.precision[best], s=40, color=colour)
            right, high = item.recall[best] > 0.5, item.precision[best] > 0.5
            axes.annotate(
                f"F {100 * item.f[best]:.1f} at {item.thresholds[best]:.2f}",
                (item.recall[best], item.precision[best]),
                xytext=(-7 if right else 7, -7 if high else 7),
                textcoords="offset points",
                ha="right" if right else "left",
                va="top" if high else "bottom",
            )
        axes.set(xlim=(0, 1), ylim=(0, 1), xlabel="tracking recall", ylabel="tracking precision")
        return _svg(figure, "tracking precision over recall as the confidence threshold falls")


def timeline(
    overlaps: Sequence[NDArray[np.float64]],
    confidence: NDArray[np.float64],
    states: NDArray[np.int8],
    absent: NDArray[np.bool_],
    losses: Sequence[int],
    frames: NDArray[np.intp],
) -> str:
    """Draw overlap, confidence and state over the frames of one sequence.

    Args:
        overlaps: For each tracker (N,) overlaps, the reference first.
        confidence: (N,) of the reference; NaN where there is none.
        states: (N,) of the reference; -1 where there is none.
        absent: (N,) whether the target is absent.
        losses: Frames at which the reference lost the target.
        frames: (N,) numbers of the frames, rising.

    Returns:
        An SVG element.
    """
    with _chart(9.4, 2.2) as (figure, axes):
        for start, width in _spans(absent, frames):
            axes.axvspan(start, start + width, color=_ABSENT, linewidth=0)
        for i in range(len(overlaps) - 1, 0, -1):
            axes.plot(frames, overlaps[i], color=tracker_colour(i), linewidth=0.9, alpha=0.8)
        axes.fill_between(frames, overlaps[0], color=tracker_colour(0), alpha=0.22, linewidth=0)
        axes.plot(frames, overlaps[0], color=tracker_colour(0), linewidth=1.4)
        axes.plot(frames, confidence, color=_INK, linewidth=0.8)
        for loss in losses:
            axes.axvline(loss, color=_LOSS, linewidth=1.4)
            axes.annotate(
                f"{loss}",
                (loss, 1.0),
                xytext=(3, 2),
                textcoords="offset points",
                color=_LOSS,
                fontsize=8.5,
                annotation_clip=False,
            )
        _state_strip(axes, states, frames)
        axes.set(xlim=(frames[0], max(frames[-1], frames[0] + 1)), ylim=(-0.13, 1.0))
        axes.set_yticks([0, 0.5, 1])
        return _svg(figure, "overlap, confidence and state over frames")


def tracker_colour(index: int) -> str:
    """Return the place-holder of the n-th tracker's colour; they repeat after eight."""
    return _TRACKERS[index % TRACKER_COLOURS]


def _coloured(items: Sequence[Item | None]) -> Iterator[tuple[Item, str]]:
    """Yield the trackers' items that there are, each with its tracker's colour."""
    for index, item in enumerate(items):
        if item is not None:
            yield item, tracker_colour(index)


def _state_strip(axes: Axes, states: NDArray[np.int8], frames: NDArray[np.intp]) -> None:
    for state, colour in _STATES.items():
        spans = _spans(states == state, frames)
        axes.broken_barh(spans, (-0.12, 0.07), color=colour, linewidth=0)


def _spans(mask: NDArray[np.bool_], frames: NDArray[np.intp]) -> list[tuple[float, float]]:
    """Return left edge and width of every run of True, each frame being one wide."""
    return [
        (float(frames[start]) - 0.5, float(frames[end - 1] - frames[start]) + 1.0)
        for start, end in runs(mask)
    ]


@contextmanager
def _chart(width: float = 4.6, height: float = 3.3) -> Iterator[tuple[Figure, Axes]]:
    """Give a figure with axes, inches, in the style of the page."""
    with mpl.rc_context(_STYLE):
        figure = Figure(figsize=(width, height), layout="constrained")
        yield figure, figure.add_subplot()


def _svg(figure: Figure, description: str) -> str:
    buffer = io.StringIO()
    FigureCanvasSVG(figure)
    nothing = dict.fromkeys(("Date", "Creator", "Format", "Type"))
    # References between parts of a picture must differ between the pictures of a page, and be the
    # same every time.
    with mpl.rc_context({"svg.hashsalt": description}):
        figure.savefig(buffer, format="svg", metadata=nothing)
    text = buffer.getvalue()
    text = text[text.index("<svg") :]
    text = re.sub(r"<defs>\s*<style.*?</style>\s*</defs>", "", text, count=1, flags=re.DOTALL)
    text = re.sub(r'<g id="[^"]*"', "<g", text)
    text = re.sub(r'width="[\d.]+pt" height="[\d.]+pt" ', 'role="img" ', text, count=1)
    text = re.sub(r"font-family: [^;\"]*; ?", "", text)
    text = re.sub(r"(\.\d\d)\d+", r"\1", text)
    text = re.sub(r"\s*\n\s*", " ", text)
    for colour, variable in _VARIABLES.items():
        text = text.replace(colour, f"var(--{variable})")
    return text.replace(">", f"><title>{description}</title>", 1)
