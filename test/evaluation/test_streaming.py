# Copyright 2026 mixformer2_ros contributors
# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import numpy as np
import pytest

from mixformer2_ros.evaluation.playback import frame_times
from mixformer2_ros.evaluation.results import SequenceResult
from mixformer2_ros.evaluation.streaming import (
    Latency,
    newest_published,
    parse_latency,
    plan,
    replay,
)

FRAMES = 200


@pytest.fixture(params=[10.0, 29.97, 30.0, 240.0])
def sequence(request, make_sequence):
    truth = np.column_stack([np.arange(FRAMES), np.zeros(FRAMES), np.full((FRAMES, 2), 10.0)])
    truth[:3] = np.nan
    return make_sequence("moving", truth, fps=request.param)


@pytest.fixture
def offline(sequence):
    rng = np.random.default_rng(1)
    boxes = rng.random((FRAMES, 4))
    boxes[: sequence.start] = np.nan
    boxes[50] = np.nan  # the tracker gave none
    scores = rng.random(FRAMES)
    return SequenceResult.of(
        boxes, scores=scores, states=rng.integers(1, 4, FRAMES), times=0.01 + 0.01 * scores
    )


@pytest.mark.parametrize("pipelined", [False, True])
def test_latency_zero_is_the_offline_result_exactly(sequence, offline, pipelined):
    result = replay(sequence, offline, Latency("constant"), pipelined=pipelined)
    start = sequence.start
    for name in ("boxes", "scores", "states"):
        np.testing.assert_array_equal(getattr(result, name)[start:], getattr(offline, name)[start:])
    assert np.isnan(result.boxes[:start]).all()
    assert result.meta["streaming"]["effective_frame_rate"] == pytest.approx(sequence.fps)


@pytest.mark.parametrize("frames", [1, 2, 3, 7, 10, 150])
def test_a_latency_of_whole_frames_shifts_a_pipelined_tracker_exactly(sequence, offline, frames):
    latency = Latency("constant", frames / sequence.fps)
    result = replay(sequence, offline, latency, pipelined=True)
    source = np.maximum(np.arange(FRAMES) - frames, sequence.start)
    np.testing.assert_array_equal(
        result.boxes[sequence.start :], offline.boxes[source][sequence.start :]
    )
    np.testing.assert_array_equal(
        result.states[sequence.start :], offline.states[source][sequence.start :]
    )


def test_a_busy_tracker_goes_on_with_the_newest_frame():
    times = np.arange(10.0)
    processed, published = plan(times, np.full(10, 2.5), start=0, pipelined=False)
    assert processed.tolist() == [0, 2, 5, 7]
    assert published.tolist() == [0, 5, 7.5, 10]  # the box it was given is known at once
    counts = newest_published(times, processed, published)
    assert counts.tolist() == [0, 0, 0, 0, 0, 2, 2, 2, 5, 5]


def test_an_idle_tracker_waits_for_the_next_frame():
    processed, published = plan(np.arange(4.0), np.full(4, 0.25), start=1, pipelined=False)
    assert processed.tolist() == [1, 2, 3]
    assert published.tolist() == [1, 2.25, 3.25]


def test_a_result_overtaken_by_a_newer_one_never_counts():
    counts = newest_published([0, 1, 2, 3, 4], [1, 2, 3], [3.5, 2.0, 9.0])
    assert counts.tolist() == [-1, -1, 2, 2, 2]


def test_recorded_times_are_taken_and_gaps_filled(sequence, offline):
    times = offline.times.copy()
    times[5] = np.nan
    table = Latency("recorded").table(sequence, times)
    assert table[5] == np.nanmedian(times)
    assert table[6] == times[6]
    with pytest.raises(ValueError, match="no times are stored"):
        Latency("recorded").table(sequence, np.full(FRAMES, np.nan))


def test_random_latencies_have_their_mean_and_deviation_and_are_the_same_again(make_sequence):
    sequence = make_sequence("long", np.ones((20_000, 4)))
    latency = parse_latency("30ms~5ms")
    table = latency.table(sequence)
    assert table.mean() == pytest.approx(0.03, rel=0.02)
    assert table.std() == pytest.approx(0.005, rel=0.05)
    assert (table > 0).all()
    np.testing.assert_array_equal(table, latency.table(sequence))


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("0.03", Latency("constant", 0.03)),
        ("30ms", Latency("constant", 0.03)),
        ("0", Latency("constant", 0.0)),
        ("1s~200ms", Latency("random", 1.0, 0.2)),
        ("recorded", Latency("recorded")),
        ("measured", Latency("measured")),
    ],
)
def test_latencies_are_read(text, expected):
    assert parse_latency(text) == expected


@pytest.mark.parametrize("text", ["", "fast", "-1", "30 ms", "0~5ms"])
def test_what_is_no_latency_is_refused(text):
    with pytest.raises(ValueError, match="latency"):
        parse_latency(text)


def test_frame_times_of_an_unknown_rate_are_those_of_thirty_hertz(make_sequence):
    times = frame_times(make_sequence("x", np.ones((4, 4)), fps=None))
    np.testing.assert_allclose(times, [0, 1 / 30, 2 / 30, 0.1])
