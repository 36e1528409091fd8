# Copyright 2026 mixformer2_ros contributors
# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import numpy as np
import pytest

from mixformer2_ros.demo.recording import Detection, Observation, Recording
from mixformer2_ros.tracking.types import TargetState

MS = 1_000_000


def _box(x: float) -> np.ndarray:
    return np.array([x, 10.0, 20.0, 10.0])


@pytest.fixture
def recording() -> Recording:
    """Eight frames 100 ms apart; frame 1 lost, 5 dropped; the target is gone in frame 6."""
    stamps = [k * 100 * MS for k in range(8)]
    found = Recording(stamps=stamps, received=7, dropped=1, start=stamps[0])
    found.processed = {stamps[k] for k in (0, 2, 3, 4, 6, 7)}
    found.truths = {stamp: _box(100.0) for stamp in stamps}
    found.truths[stamps[6]] = np.full(4, np.nan)
    states = {
        0: TargetState.TRACKING,
        2: TargetState.TRACKING,
        3: TargetState.UNCERTAIN,
        4: TargetState.LOST,
        6: TargetState.LOST,
        7: TargetState.TRACKING,
    }
    for k, state in states.items():
        found.observations[stamps[k]] = Observation(state, 0.5, _box(100.0))
    for k, x, latency in ((0, 100.0, 0.02), (2, 100.0, 0.03), (3, 110.0, 0.05), (7, 100.0, 0.04)):
        found.detections[stamps[k]] = Detection(_box(x), latency)
    return found


def test_figures_by_hand(recording: Recording) -> None:
    figures = recording.figures()
    assert (figures.published, figures.received, figures.processed, figures.dropped) == (8, 7, 6, 1)
    assert figures.tracked == 3
    # Frames 2, 3, 4, 7: 1, 1/3 (half shifted), 0 (lost while visible), 1. Frame 0 was given.
    assert figures.judged == 4
    assert figures.overlap == pytest.approx((1 + 1 / 3 + 0 + 1) / 4)
    assert figures.latency == pytest.approx(0.035)
    # Four detections, arrived at 0.02 s ... 0.74 s.
    assert figures.rate == pytest.approx(3 / 0.72)


def test_the_line_holds_every_figure(recording: Recording) -> None:
    line = recording.figures().line()
    for part in ("frames 8", "processed 6", "tracked 3", "IoU 0.583", "35.0 ms", "4.2 detections"):
        assert part in line


def test_without_truth_or_detections_nothing_is_made_up() -> None:
    recording = Recording(stamps=[0, 1], processed={0}, received=1)
    recording.observations[0] = Observation(TargetState.LOST, 0.1, _box(0.0))
    figures = recording.figures()
    assert figures.overlap is None
    assert figures.latency is None
    assert figures.rate is None
    assert "unknown (no truth)" in figures.line()
