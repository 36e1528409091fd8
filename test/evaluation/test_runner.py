# Copyright 2026 mixformer2_ros contributors
# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import sys
from functools import partial
from pathlib import Path

import numpy as np
import pytest

sys.path.insert(0, str(Path(__file__).parent))

from square_tracker import FailsOn, SquareTracker, StillTracker

from mixformer2_ros.evaluation.baselines import BASELINES, BaselineError, BaselineTracker
from mixformer2_ros.evaluation.layouts import open_dataset
from mixformer2_ros.evaluation.playback import RESTART_DELAY, play, play_supervised
from mixformer2_ros.evaluation.results import ResultStore
from mixformer2_ros.evaluation.runner import merge, run, shard
from mixformer2_ros.evaluation.streaming import Latency, StreamPlayer, stream
from mixformer2_ros.evaluation.trackers import NamedFactory, tracker_factory
from mixformer2_ros.tracking.types import TargetState


@pytest.fixture
def squares(squares_dir):
    return open_dataset("folder", squares_dir)


@pytest.fixture
def store(tmp_path):
    return ResultStore(tmp_path / "results")


quiet = partial(run, progress=False)


def test_what_a_tracker_answers_is_kept(squares, store):
    report = quiet(SquareTracker, squares, store, "square", workers=1)
    assert sorted(report.finished) == ["long", "middle", "short"]
    middle = next(sequence for sequence in squares if sequence.name == "middle")
    result = store.read("square", "middle")
    seen = ~middle.absent
    np.testing.assert_array_equal(result.boxes[seen], middle.truth[seen])
    assert result.states.tolist() == [-1] + [1] * 4 + [3, 3] + [1] * 5
    np.testing.assert_array_equal(result.scores[1:], np.where(seen, 0.9, 0.1)[1:])
    assert (result.times > 0).all()
    assert result.frame_size == (48, 32)


def test_what_ran_is_kept_with_the_results(squares, store):
    class Described:
        def __call__(self):
            return SquareTracker()

        def describe(self):
            return "squares on paper"

    quiet(Described(), squares[:1], store, "square", workers=1, recipe={"ink": "black"})
    meta = store.meta("square", squares[0].name)
    assert meta == {
        "engine": "squares on paper",
        "frame_size": [48, 32],
        "recipe": {"ink": "black"},
    }
    with pytest.raises(ValueError, match="ink black -> red"):
        quiet(Described(), squares[:1], store, "square", workers=1, recipe={"ink": "red"})


def test_finished_sequences_are_skipped(squares, store):
    quiet(SquareTracker, squares[:1], store, "square", workers=1)
    report = quiet(FailsOn(len(squares[0])), squares[:1], store, "square", workers=1)
    assert report.skipped == [squares[0].name]
    assert not report.failed


def test_an_error_costs_one_sequence(squares, store):
    report = quiet(FailsOn(12), squares, store, "square", workers=1)
    # "long" has a twelfth frame too
    assert report.failed == dict.fromkeys(("long", "middle"), "RuntimeError: out of luck")
    assert report.finished == ["short"]
    assert "out of luck" in store.read_error("square", "middle")
    again = quiet(SquareTracker, squares, store, "square", workers=1)
    assert again.skipped == ["short"]
    assert store.read_error("square", "middle") is None


def test_worker_processes_give_the_same_results(squares, store):
    quiet(SquareTracker, squares, store, "one", workers=1)
    report = quiet(SquareTracker, squares, store, "two", workers=2)
    assert sorted(report.finished) == ["long", "middle", "short"]
    for sequence in squares:
        np.testing.assert_array_equal(
            store.read("one", sequence.name).boxes, store.read("two", sequence.name).boxes
        )


def test_a_killed_worker_costs_one_sequence(squares, store):
    report = quiet(FailsOn(20, kill=True), squares, store, "square", workers=2)
    assert sorted(report.finished) == ["middle", "short"]
    assert list(report.failed) == ["long"]
    assert "killed" in report.failed["long"]
    # What a worker was writing when it was killed is no result.
    assert store.sequences("square") == ["middle", "short"]


def test_shards_share_the_frames_and_merge(squares, store, tmp_path):
    parts = [shard(squares, i, 2) for i in (1, 2)]
    assert [[sequence.name for sequence in part] for part in parts] == [
        ["long"],
        ["middle", "short"],
    ]
    others = [
        ResultStore(tmp_path / f"part{i}", layout) for i, layout in enumerate(("flat", "got10k"))
    ]
    for part, other in zip(parts, others, strict=True):
        quiet(SquareTracker, part, other, "square", workers=1)
    assert merge(store, others) == 3
    assert merge(store, others) == 0
    assert store.sequences("square") == ["long", "middle", "short"]
    with pytest.raises(ValueError, match="3/2"):
        shard(squares, 3, 2)


def test_supervised_runs_start_again_after_a_failure(squares):
    long = next(sequence for sequence in squares if sequence.name == "long")
    result = play_supervised(StillTracker(), long)
    # the square moves a pixel a frame to the right and is 8 wide: it leaves its box after 8 frames
    assert result.meta == {"failures": [8], "restarts": [8 + RESTART_DELAY]}
    assert np.isnan(result.boxes[8:13]).all()
    np.testing.assert_array_equal(result.boxes[13], long.truth[13])


def test_streaming_with_no_latency_is_the_offline_run_exactly(squares):
    for sequence in squares:
        offline = play(SquareTracker(), sequence)
        streamed = stream(SquareTracker(), sequence, Latency("constant"))
        np.testing.assert_array_equal(streamed.boxes, offline.boxes)
        np.testing.assert_array_equal(streamed.scores, offline.scores)
        np.testing.assert_array_equal(streamed.states, offline.states)


def test_a_slow_tracker_sees_only_the_frames_it_has_time_for(squares):
    long = next(sequence for sequence in squares if sequence.name == "long")
    tracker = SquareTracker()
    result = stream(tracker, long, Latency("constant", 2.5 / 30))
    assert np.round(np.array(tracker.seen) * 30).tolist() == [0, 2, 5, 7, 10, 12, 15, 17]
    source = [0] * 5 + [2, 2, 2, 5, 5, 7, 7, 7, 10, 10, 12, 12, 12, 15, 15]
    np.testing.assert_array_equal(result.boxes, long.truth[source])
    assert result.meta["streaming"]["effective_frame_rate"] == pytest.approx(7 / 17 * 30)


def test_streaming_runs_through_the_runner(squares, store):
    player = StreamPlayer(Latency("measured"))
    report = quiet(SquareTracker, squares, store, "square@measured", player=player, workers=2)
    assert not report.failed
    assert store.read("square@measured", "long").meta["streaming"]["latency"] == "measured"


@pytest.mark.parametrize("name", BASELINES)
def test_baselines_follow_a_square(squares, name):
    try:
        tracker = BaselineTracker(name)
    except BaselineError as error:
        pytest.skip(str(error))
    result = play(tracker, next(sequence for sequence in squares if sequence.name == "short"))
    assert np.isfinite(result.boxes).all()
    assert set(result.states[1:].tolist()) <= {TargetState.TRACKING, TargetState.LOST}


def test_unknown_trackers_are_refused():
    with pytest.raises(ValueError, match="module:callable"):
        tracker_factory("dimp", {})
    with pytest.raises(BaselineError, match="choose one of"):
        BaselineTracker("dimp")
    with pytest.raises(ValueError, match="no_such_module"):
        NamedFactory("no_such_module:Tracker")()
    with pytest.raises(ValueError, match="no init and update"):
        NamedFactory("square_tracker:not_a_tracker")()


def test_a_tracker_named_by_the_user():
    assert isinstance(tracker_factory("square_tracker:SquareTracker", {})(), SquareTracker)
