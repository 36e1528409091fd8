# Copyright 2026 mixformer2_ros contributors
# SPDX-License-Identifier: Apache-2.0
"""Latency-aware accuracy: what a robot has at the time of a frame, not what it gets afterwards.

At every frame time the newest result already published is what counts (streaming perception, arXiv
2005.10420). A sequential tracker that is busy with a frame misses those that arrive meanwhile and
goes on with the newest one; a pipelined one handles every frame, each result only comes late. The
box the tracker is started on is known at once.

Times are compared with a tolerance of a microsecond, so that a latency of k frame periods delays by
exactly k frames in spite of rounding.
"""

from __future__ import annotations

import re
import zlib
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray

from mixformer2_ros.evaluation.datasets import Sequence
from mixformer2_ros.evaluation.playback import Playback, TrackerLike, frame_times
from mixformer2_ros.evaluation.results import SequenceResult

TOLERANCE = 1e-6
"""Seconds by which a result may be late for a frame and still count."""

Source = Literal["constant", "random", "recorded", "measured"]


@dataclass(frozen=True)
class Latency:
    """Time from the arrival of a frame at the idle tracker to the publication of its result.

    Attributes:
        source: "constant": always `mean`. "random": gamma distributed with `mean` and `deviation`,
            drawn anew but the same in every run. "recorded": the times stored with an offline
            result. "measured": the time the tracker takes in this very run.
        mean: Seconds.
        deviation: Standard deviation in seconds, of "random".
    """

    source: Source
    mean: float = 0.0
    deviation: float = 0.0

    def __str__(self) -> str:
        milliseconds = f"{1000 * self.mean:g}ms"
        if self.source == "constant":
            return milliseconds
        if self.source == "random":
            return f"{milliseconds}~{1000 * self.deviation:g}ms"
        return self.source

    def table(self, sequence: Sequence, recorded: ArrayLike | None = None) -> NDArray[np.float64]:
        """Return the latency of every frame in seconds, (N,) float64.

        Args:
            sequence: The sequence; its name seeds the random ones.
            recorded: (N,) stored times; frames without one (NaN) take the median.

        Raises:
            ValueError: The source is "measured", or "recorded" without any times.
        """
        count = len(sequence)
        if self.source == "constant":
            return np.full(count, self.mean)
        if self.source == "random":
            generator = np.random.default_rng(zlib.crc32(sequence.name.encode()))
            shape = (self.mean / self.deviation) ** 2
            return generator.gamma(shape, self.mean / shape, count)
        if self.source == "recorded" and recorded is not None and np.isfinite(recorded).any():
            times = np.asarray(recorded, np.float64)
            return np.where(np.isnan(times), np.nanmedian(times), times)
        raise ValueError(
            f"latency {self.source!r} of sequence {sequence.name} is not known: no times are "
            "stored with its results; give a number instead, such as 30ms"
        )


def parse_latency(text: str) -> Latency:
    """Read a latency: `0.03`, `30ms`, `30ms~5ms` (mean ~ deviation), `recorded` or `measured`.

    Raises:
        ValueError: It is none of these.
    """
    if text in ("recorded", "measured"):
        return Latency("recorded" if text == "recorded" else "measured")
    number = r"(\d+\.?\d*|\.\d+)(ms|s)?"
    match = re.fullmatch(f"{number}(?:~{number})?", text)
    if match is None:
        raise ValueError(
            f"latency {text!r} is not understood: give seconds (0.03), 30ms, 30ms~5ms, recorded or "
            "measured"
        )
    mean, mean_unit, deviation, deviation_unit = match.groups()
    seconds = float(mean) * (1e-3 if mean_unit == "ms" else 1)
    spread = float(deviation or 0) * (1e-3 if deviation_unit == "ms" else 1)
    if spread and not seconds:
        raise ValueError(f"latency {text!r}: a mean of 0 cannot vary")
    return Latency("random" if spread else "constant", seconds, spread)


def newest_published(
    times: ArrayLike, processed: ArrayLike, published: ArrayLike
) -> NDArray[np.intp]:
    """Return which frame's result counts at each frame time.

    Args:
        times: (N,) times of the frames in seconds, rising.
        processed: (M,) indices of the frames that were processed.
        published: (M,) times at which their results appeared.

    Returns:
        (N,) index of the newest frame whose result was there in time; -1 where there was none. A
        result that appears after that of a newer frame never counts.
    """
    indices, appeared = np.asarray(processed, np.intp), np.asarray(published, np.float64)
    order = np.argsort(appeared, kind="stable")
    newest = np.concatenate([[-1], np.maximum.accumulate(indices[order])])
    late = np.asarray(times, np.float64) + TOLERANCE
    return newest[np.searchsorted(appeared[order], late, side="right")]


def next_frame(times: NDArray[np.float64], busy_until: float, last: int) -> int:
    """Return the frame an idle tracker takes: the newest one that has arrived, or the next one.

    Args:
        times: (N,) times of the frames in seconds, rising.
        busy_until: When the tracker became idle.
        last: The frame it processed last.

    Returns:
        Index of a frame after `last`; N when there are no more, or when the last frame time has
        passed: nothing published later counts.
    """
    if busy_until > times[-1] + TOLERANCE:
        return len(times)
    arrived = int(np.searchsorted(times, busy_until + TOLERANCE, side="right")) - 1
    return max(arrived, last + 1)


def plan(
    times: NDArray[np.float64], latency: NDArray[np.float64], start: int, pipelined: bool
) -> tuple[NDArray[np.intp], NDArray[np.float64]]:
    """Return which frames are processed and when their results appear.

    Args:
        times: (N,) times of the frames in seconds, rising.
        latency: (N,) seconds that each frame takes.
        start: Index of the frame the tracker is started on.
        pipelined: Every frame is processed, results come late; else frames are left out.

    Returns:
        (M,) indices, `start` first, and (M,) times of publication; the first is the frame's own.
    """
    if pipelined:
        indices = np.arange(start, len(times))
        published = times[start:] + latency[start:]
    else:
        chosen, appeared = [start], [times[start] + latency[start]]
        while (index := next_frame(times, appeared[-1], chosen[-1])) < len(times):
            chosen.append(index)
            appeared.append(max(appeared[-1], times[index]) + latency[index])
        indices, published = np.array(chosen, np.intp), np.array(appeared)
    published[0] = times[start]
    return indices, published


def replay(
    sequence: Sequence, offline: SequenceResult, latency: Latency, *, pipelined: bool = False
) -> SequenceResult:
    """Judge stored results as if they had been published with a latency.

    Exact for a pipelined tracker. For a sequential one the boxes of the processed frames are those
    of the offline run, in which the tracker saw every frame: an upper estimate; `stream` runs it on
    the frames it would really have seen.

    Args:
        sequence: The sequence.
        offline: What the tracker answered when it was given every frame.
        latency: Its latency; "measured" is taken as "recorded".
        pipelined: Whether it handles frames while others are under way.

    Returns:
        What counts at each frame.

    Raises:
        ValueError: The latency is to be "recorded" and there are no stored times.
    """
    if latency.source == "measured":
        latency = Latency("recorded")
    times = frame_times(sequence)
    table = latency.table(sequence, offline.times)
    processed, published = plan(times, table, sequence.start, pipelined)
    facts = {"latency": str(latency), "pipelined": pipelined, "replayed": True}
    return _as_published(offline, times, processed, published, facts)


@dataclass(frozen=True)
class StreamPlayer:
    """Gives a tracker only the frames it would have had time for; a `runner.Player`.

    Attributes:
        latency: Its latency; "recorded" is not possible.
    """

    latency: Latency

    def __call__(self, tracker: TrackerLike, sequence: Sequence) -> SequenceResult:
        """Return what counts at each frame."""
        return stream(tracker, sequence, self.latency)


def stream(tracker: TrackerLike, sequence: Sequence, latency: Latency) -> SequenceResult:
    """Run a sequential tracker on the frames it has time for, on a simulated clock.

    Args:
        tracker: The tracker.
        sequence: The sequence.
        latency: Its latency; not "recorded".

    Returns:
        What counts at each frame: the newest result published by then. With a constant latency of 0
        it equals the offline result exactly. `times` are those of the processed frames.

    Raises:
        ValueError: The latency is to be "recorded".
    """
    playback = Playback(tracker, sequence)
    times = playback.stamps
    table = None if latency.source == "measured" else latency.table(sequence)
    taken = playback.start(sequence.start)
    processed = [sequence.start]
    published = [times[sequence.start]]
    idle = times[sequence.start] + (taken if table is None else table[sequence.start])
    while (index := next_frame(times, idle, processed[-1])) < len(sequence):
        taken = playback.update(index)
        idle = max(idle, times[index]) + (taken if table is None else table[index])
        processed.append(index)
        published.append(idle)
    facts = {"latency": str(latency), "pipelined": False, "replayed": False}
    return _as_published(playback.result(), times, np.array(processed), np.array(published), facts)


def _as_published(
    result: SequenceResult,
    times: NDArray[np.float64],
    processed: NDArray[np.intp],
    published: NDArray[np.float64],
    facts: dict[str, Any],
) -> SequenceResult:
    source = newest_published(times, processed, published)
    none = source < 0
    boxes = np.where(none[:, None], np.nan, result.boxes[source])
    seconds = np.full(len(times), np.nan)
    seconds[processed] = result.times[processed]
    if len(processed) > 1:
        span = times[processed[-1]] - times[processed[0]]
        facts["effective_frame_rate"] = float((len(processed) - 1) / span)
    return SequenceResult(
        boxes=boxes,
        scores=np.where(none, np.nan, result.scores[source]),
        states=np.where(none, -1, result.states[source]).astype(np.int8),
        times=seconds,
        frame_size=result.frame_size,
        meta={**result.meta, "streaming": facts},
    )
