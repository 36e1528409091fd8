# Copyright 2026 mixformer2_ros contributors
# SPDX-License-Identifier: Apache-2.0
"""What the live node published, as a sequence and results that the evaluation can score."""

from __future__ import annotations

from dataclasses import dataclass, field
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from mixformer2_ros.evaluation.datasets import Sequence
from mixformer2_ros.evaluation.results import ResultStore, SequenceResult
from mixformer2_ros.evaluation.scoring import score_tracker
from mixformer2_ros.evaluation.streaming import newest_published
from mixformer2_ros.evaluation.summary import as_text
from mixformer2_ros.tracking.types import TargetState

if TYPE_CHECKING:
    from mixformer2_ros.evaluation.report import ImageOf

PUBLISHED = "published"
"""Name of the results as a robot had them: at each frame the newest one published by then."""

EACH_FRAME = "each-frame"
"""Name of the results of each frame whenever they came; frames left out keep the last one."""

_SECOND = 1e-9
_BELIEVED = (TargetState.TRACKING, TargetState.UNCERTAIN)


@dataclass(frozen=True)
class Report:
    """What the node said of the target in one frame.

    Attributes:
        box: (4,) x, y, w, h in pixels.
        score: In [0, 1].
        state: How much the box can be trusted.
        arrival: Seconds at which it arrived, by a steady clock.
    """

    box: NDArray[np.float64]
    score: float
    state: TargetState
    arrival: float


@dataclass
class LiveRecord:
    """A run of the node, by the stamps of the images in nanoseconds.

    Attributes:
        truths: Box of every frame with known truth, NaN while the target is not visible.
        arrivals: When the truths arrived, seconds by the same clock as reports: the frames' times.
        reports: What the node said.
        start: Stamp of the frame on which the target was set; None before.
    """

    truths: dict[int, NDArray[np.float64]] = field(default_factory=dict)
    arrivals: dict[int, float] = field(default_factory=dict)
    reports: dict[int, Report] = field(default_factory=dict)
    start: int | None = None

    def add_truth(self, stamp: int, box: NDArray[np.float64], arrival: float) -> None:
        """Take in the truth of a frame."""
        self.truths[stamp] = box
        self.arrivals[stamp] = arrival

    def visible(self, stamp: int) -> bool:
        """Return whether the truth of a frame is known and the target visible."""
        return stamp in self.truths and bool(np.isfinite(self.truths[stamp]).all())

    def sequence(self, name: str) -> Sequence:
        """Return the frames from the given one on, with their truth.

        Raises:
            ValueError: The target was never set.
        """
        stamps = self._stamps()
        truth = np.stack([self.truths[stamp] for stamp in stamps])
        seconds = np.array(stamps, np.int64)
        times = (seconds - seconds[0]) * _SECOND
        return Sequence(
            name=name,
            frames=[Path(str(stamp)) for stamp in stamps],
            truth=truth,
            absent=~np.logical_and.reduce(np.isfinite(truth), axis=1),
            fps=float(1 / np.median(np.diff(times))) if len(times) > 1 else None,
            stamps=times,
        )

    def published(self) -> SequenceResult:
        """Return what a robot had: at each frame the newest report that had arrived by then.

        Raises:
            ValueError: The target was never set.
        """
        stamps = self._stamps()
        times = np.array([self.arrivals[stamp] for stamp in stamps])
        known = [i for i, stamp in enumerate(stamps) if stamp in self.reports]
        arrived = [self.reports[stamps[i]].arrival for i in known]
        # The given box is the operator's: it is there at once.
        newest = newest_published(times, [0, *known], [times[0], *arrived])
        span = max(times[-1] - times[0], 1e-9)
        facts = {
            "latency": "live",
            "effective_frame_rate": len(known) / span,
            "median_latency": self._latency(stamps, known),
        }
        return self._result(stamps, newest, {"streaming": facts})

    def frames(self) -> SequenceResult:
        """Return the report of each frame, or the last one before it where there is none.

        Raises:
            ValueError: The target was never set.
        """
        stamps = self._stamps()
        has = [i == 0 or stamp in self.reports for i, stamp in enumerate(stamps)]
        newest = np.maximum.accumulate(np.where(has, np.arange(len(stamps)), 0))
        left_out = len(stamps) - int(np.count_nonzero(has))
        return self._result(stamps, newest, {"frames_left_out": left_out})

    def store(self, store: ResultStore, name: str) -> Sequence:
        """Keep both kinds of results, as trackers `PUBLISHED` and `EACH_FRAME`.

        Args:
            store: Where.
            name: Name of the sequence.

        Returns:
            The sequence.

        Raises:
            ValueError: The target was never set.
        """
        store.write(PUBLISHED, name, self.published())
        store.write(EACH_FRAME, name, self.frames())
        return self.sequence(name)

    def _stamps(self) -> list[int]:
        start = self.start
        if start is None:
            raise ValueError("no target was set, so there is nothing to score")
        return sorted(stamp for stamp in self.truths if stamp >= start)

    def _latency(self, stamps: list[int], known: list[int]) -> float | None:
        delays = [self.reports[stamps[i]].arrival - self.arrivals[stamps[i]] for i in known]
        return float(np.median(delays)) if delays else None

    def _result(
        self, stamps: list[int], newest: NDArray[np.intp], meta: dict[str, object]
    ) -> SequenceResult:
        boxes = np.full((len(stamps), 4), np.nan)
        scores = np.full(len(stamps), np.nan)
        states = np.full(len(stamps), -1, np.int8)
        for row, index in enumerate(newest.tolist()):
            report = self.reports.get(stamps[index])
            if index == 0:
                boxes[row], states[row] = self.truths[stamps[0]], TargetState.TRACKING
            elif report is not None:
                scores[row], states[row] = report.score, report.state
                # A lost target is silence: there was no detection to act on.
                if report.state in _BELIEVED:
                    boxes[row] = report.box
        return SequenceResult.of(boxes, scores=scores, states=states, meta=meta)


def write_scores(record: LiveRecord, out: Path, name: str, image_of: ImageOf | None = None) -> str:
    """Keep a run's results, and a page about them where the extra `report` is installed.

    Args:
        record: The run.
        out: Folder; `results/` in it holds the results.
        name: Name of the run.
        image_of: Gives the images of the frames at which the target was lost; None leaves them out.

    Returns:
        The scores as text; the last line names the page, where there is one.

    Raises:
        ValueError: No target was ever set.
        OSError: The folder cannot be written.
    """
    store = ResultStore(out / "results")
    sequence = record.store(store, name)
    scores = [score_tracker([sequence], store, tracker) for tracker in (PUBLISHED, EACH_FRAME)]
    text = as_text(f"{name}: {len(sequence)} frames, as the node published them", scores, {})
    if not (find_spec("matplotlib") and find_spec("jinja2")):
        return text
    from mixformer2_ros.evaluation.report import write_report

    page = write_report(
        out,
        store,
        [sequence],
        title=f"{name}: the live node",
        trackers=[PUBLISHED, EACH_FRAME],
        image_of=image_of,
    )
    return f"{text}\n\n{page}"
