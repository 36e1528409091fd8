# Copyright 2026 mixformer2_ros contributors
# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import numpy as np
import pytest

from mixformer2_ros.evaluation.live import EACH_FRAME, PUBLISHED, LiveRecord, Report
from mixformer2_ros.evaluation.results import ResultStore
from mixformer2_ros.evaluation.scoring import score_sequence
from mixformer2_ros.tracking.types import TargetState

SECOND = 1_000_000_000
BOX = np.array([10.0, 20, 30, 40])


def report(i, arrival, state=TargetState.TRACKING):
    return Report(BOX + np.array([i, 0, 0, 0]), 0.5 + i / 100, state, arrival)


def record(arrivals, count=6, start=1):
    """Frames a second apart, the target moving a pixel each; reports by number of the frame."""
    record = LiveRecord(start=start * SECOND)
    for i in range(count):
        record.add_truth(i * SECOND, BOX + np.array([i, 0, 0, 0]), 100.0 + i)
    for i, (arrival, state) in arrivals.items():
        record.reports[i * SECOND] = report(i, 100.0 + arrival, state)
    return record


T, LOST = TargetState.TRACKING, TargetState.LOST


def test_at_each_frame_the_newest_report_that_had_arrived_counts():
    run = record({2: (2.4, T), 3: (4.7, T), 4: (4.9, T), 5: (5.6, T)})
    result = run.published()
    # Frames 1 to 5: given; nothing yet, so the given one; 2 arrived at 2.4; still 2; 4 at 4.9.
    np.testing.assert_array_equal(result.boxes[:, 0], BOX[0] + np.array([1, 1, 2, 2, 4]))
    np.testing.assert_array_equal(result.scores[2:], [0.52, 0.52, 0.54])
    assert result.meta["streaming"]["median_latency"] == pytest.approx(0.75)
    assert result.meta["streaming"]["effective_frame_rate"] == pytest.approx(4 / 4)


def test_frames_keep_their_own_report_whenever_it_came():
    run = record({2: (2.4, T), 3: (9.0, T), 5: (20.0, T)})
    result = run.frames()
    np.testing.assert_array_equal(result.boxes[:, 0], BOX[0] + np.array([1, 2, 3, 3, 5]))
    assert result.meta == {"frames_left_out": 1}


def test_a_lost_target_is_silence():
    result = record({2: (2.1, T), 3: (3.1, LOST), 4: (4.1, T)}).frames()
    assert np.isnan(result.boxes[2]).all()
    assert result.states.tolist() == [T, T, LOST, T, T]


def test_the_sequence_starts_on_the_given_frame():
    run = record({})
    run.truths[3 * SECOND] = np.full(4, np.nan)
    sequence = run.sequence("live")
    assert len(sequence) == 5
    assert sequence.fps == pytest.approx(1.0)
    np.testing.assert_array_equal(sequence.stamps, np.arange(5.0))
    assert sequence.absent.tolist() == [False, False, True, False, False]
    assert run.visible(1 * SECOND)
    assert not run.visible(3 * SECOND)
    assert not run.visible(99)


def test_without_delay_both_results_are_perfect(tmp_path):
    run = record({i: (i, T) for i in range(2, 6)})
    store = ResultStore(tmp_path)
    sequence = run.store(store, "run")
    for tracker in (PUBLISHED, EACH_FRAME):
        score = score_sequence(sequence, store.read(tracker, "run"))
        assert score.values["average_overlap"] == 1.0


def test_without_a_target_there_is_nothing_to_score():
    run = record({})
    run.start = None
    with pytest.raises(ValueError, match="no target was set"):
        run.published()
