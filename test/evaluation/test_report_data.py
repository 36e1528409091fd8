# Copyright 2026 mixformer2_ros contributors
# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from mixformer2_ros.evaluation.datasets import make_sequence
from mixformer2_ros.evaluation.report_data import (
    Difference,
    Interval,
    bootstrap,
    compare,
    losses,
    off_target,
    values,
)
from mixformer2_ros.evaluation.results import ResultStore, SequenceResult

FRAMES = 40
BOX = np.array([50.0, 40, 20, 30])


def sequence(name, attributes=(), absent=()):
    truth = np.tile(BOX, (FRAMES, 1))
    truth[list(absent)] = np.nan
    return make_sequence(
        name, [Path(f"{i}.jpg") for i in range(FRAMES)], truth, attributes=attributes
    )


def result(off=(), **fields):
    boxes = np.tile(BOX, (FRAMES, 1))
    boxes[list(off)] += [500, 0, 0, 0]
    return SequenceResult.of(boxes, **fields)


@pytest.fixture
def store(tmp_path):
    store = ResultStore(tmp_path)
    store.write("good", "a", result(meta={"recipe": {"weights": "w"}}))
    store.write("good", "b", result(off=range(30, 40)))
    store.write("bad", "a", result(off=range(20, 40)))
    store.write("bad", "b", result(off=range(30, 40)))
    return store


def test_trackers_are_compared_with_the_best_one(store):
    comparison = compare(store, [sequence("a", ["OCC", "FM"]), sequence("b", ["OCC"])])
    assert [score.tracker for score in comparison.trackers] == ["good", "bad"]
    # Overlap 1 is not above the threshold 1: 20 of 21 thresholds count.
    perfect = 20 / 21
    np.testing.assert_allclose(values(comparison.reference), [perfect, 0.75 * perfect])
    (difference,) = comparison.differences
    assert difference.tracker == "bad"
    assert difference.success.value == pytest.approx(-0.25 * perfect)
    assert (difference.better, difference.worse) == (0, 1)
    assert comparison.worst_first == [1, 0]
    assert comparison.attributes == ["OCC", "FM"]
    assert comparison.frames == 2 * FRAMES
    assert comparison.recipes == {"good": {"weights": "w"}, "bad": {}}


def test_the_first_tracker_named_is_the_reference(store):
    comparison = compare(store, [sequence("a"), sequence("b")], ["bad", "good"])
    assert comparison.reference.tracker == "bad"
    assert comparison.differences[0].success.value > 0


def test_only_sequences_that_all_have_finished_are_compared(store):
    store.write("good", "c", result(off=range(1, 40)))
    comparison = compare(store, [sequence(name) for name in "abcd"], ["good", "bad"])
    assert [score.name for score in comparison.reference.sequences] == ["a", "b"]
    assert comparison.missing == {"c": "not finished by bad", "d": "not finished by good, bad"}
    assert comparison.reference.overall["success_auc"] == pytest.approx(0.875 * 20 / 21)


def test_nothing_to_compare_is_an_error(store, tmp_path):
    with pytest.raises(ValueError, match="holds no results"):
        compare(ResultStore(tmp_path / "empty"), [sequence("a")])
    with pytest.raises(ValueError, match="no sequence can be scored for all of bad, good"):
        compare(store, [sequence("x")])


def test_losses_and_off_target_leave_absence_out(store):
    store.write("one", "gap", result(off=range(10, 35)))
    comparison = compare(store, [sequence("gap", absent=range(12, 22))], ["one"])
    (score,) = comparison.reference.sequences
    assert losses(score) == [10]
    assert off_target(score) == 15 / 30


def test_bootstrap_covers_the_mean_and_is_the_same_every_time():
    sample = np.random.default_rng(1).normal(0.6, 0.1, 100)
    error = sample.std() / 10
    one, two = bootstrap([sample, sample - 0.3])
    assert one.value == pytest.approx(sample.mean())
    assert one.low < one.value < one.high
    assert one.high - one.low == pytest.approx(2 * 1.96 * error, rel=0.1)
    assert two.high == pytest.approx(one.high - 0.3)
    assert bootstrap([sample, sample - 0.3]) == [one, two]


def test_one_sequence_has_no_interval():
    (interval,) = bootstrap([np.array([0.4])])
    assert interval.value == 0.4
    assert np.isnan([interval.low, interval.high]).all()


@pytest.mark.parametrize(
    ("low", "high", "verdict"),
    [
        (0.01, 0.1, "better"),
        (-0.1, -0.01, "worse"),
        (-0.1, 0.1, "no difference"),
        (np.nan, np.nan, "too few"),
    ],
)
def test_verdicts(low, high, verdict):
    assert verdict in Difference("x", Interval(0.0, low, high), 0, 0).verdict
