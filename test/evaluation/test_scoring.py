# Copyright 2026 mixformer2_ros contributors
# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import json
from dataclasses import replace
from itertools import pairwise

import numpy as np
import pytest

from mixformer2_ros.evaluation.conventions import METRIC
from mixformer2_ros.evaluation.metrics import success_auc
from mixformer2_ros.evaluation.results import ResultError, ResultStore, SequenceResult
from mixformer2_ros.evaluation.scoring import combine, score_sequence, score_tracker
from mixformer2_ros.tracking.types import TargetState

BOX = [10, 10, 10, 10]
HALF = [10, 10, 10, 5]  # overlap 1/2
QUARTER = [10, 10, 10, 2.5]
AWAY = [50, 50, 10, 10]
NAN = [np.nan] * 4
T, LOST = TargetState.TRACKING, TargetState.LOST


@pytest.fixture
def score(make_sequence):
    def make(boxes, truth, fps=10.0, **answers):
        sequence = make_sequence("S", truth, fps=fps, attributes=answers.pop("attributes", ()))
        return score_sequence(sequence, SequenceResult.of(boxes, **answers))

    return make


def test_accuracy_by_hand(score):
    values = score([AWAY, BOX, HALF, BOX], [BOX, BOX, BOX, NAN]).values
    overlaps = np.array([1, 1, 0.5, 0])  # the first frame is given, the absent one a miss
    assert values["success_auc"] == pytest.approx((20 + 20 + 10 + 0) / 21 / 4)
    assert values["success_auc"] == success_auc(overlaps)
    assert values["success_auc_present"] == pytest.approx((20 + 20 + 10) / 21 / 3)
    assert values["precision_20"] == 0.75
    assert values["normalised_precision_0.2"] == 0.5  # the centre of HALF is 0.25 off
    assert values["precision_20_present"] == 1
    assert values["normalised_precision_0.2_present"] == pytest.approx(2 / 3)
    assert values["average_overlap"] == 0.75
    assert values["success_rate_0.5"] == 0.5
    assert values["robustness"] == 1
    assert values["failures"] == 0


def test_trapezoid_by_hand(score):
    values = score([BOX, HALF], [BOX, BOX]).values
    curve = [1.0] * 10 + [0.5] * 10 + [0.0]
    expected = sum((a + b) / 2 for a, b in pairwise(curve)) / 20
    assert values["success_auc_trapezoid"] == pytest.approx(expected)


def test_got10k_clips_boxes_to_the_image(score):
    truth, found = [0, 0, 10, 10], [-10, 0, 20, 10]
    boxes = [truth, found]
    assert score(boxes, [truth, truth]).values["average_overlap"] == 0.5
    assert score(boxes, [truth, truth], frame_size=(48, 32)).values["average_overlap"] == 1


def test_frames_before_the_start_do_not_count(score):
    values = score([NAN, NAN, BOX, HALF], [NAN, NAN, BOX, BOX]).values
    assert values["success_auc"] == pytest.approx((20 + 10) / 21 / 2)


def test_frames_of_unknown_truth_do_not_count(make_sequence):
    sequence = make_sequence("S", [BOX, BOX, NAN, BOX])
    labelled = np.array([True, True, False, True])
    sequence = replace(sequence, labelled=labelled, absent=np.zeros(4, bool))
    result = score_sequence(sequence, SequenceResult.of([BOX, HALF, AWAY, BOX]))
    assert result.indices.tolist() == [0, 1, 3]
    assert result.values["success_auc"] == pytest.approx((20 + 10 + 20) / 21 / 3)


def test_absence_by_hand(score):
    truth = [BOX, BOX, BOX, NAN, NAN, BOX, BOX, BOX]
    boxes = [BOX, BOX, AWAY, BOX, BOX, AWAY, BOX, BOX]
    result = score(
        boxes,
        truth,
        scores=[0.0, 0.9, 0.4, 0.5, 0.2, 0.3, 0.8, 0.7],
        states=[T, T, T, T, LOST, LOST, LOST, T],
    )
    values = result.values
    assert values["false_loss_rate"] == pytest.approx(2 / 5)
    assert values["missed_loss_rate"] == pytest.approx(1 / 2)
    # present and right without saying LOST: frames 1 and 7 of 5; absent and called so: 1 of 2
    assert values["max_gm"] == pytest.approx(np.sqrt(0.4 * 0.5))
    assert values["time_to_reacquire"] == pytest.approx(0.2)  # frame 7 after 5, at 10 Hz
    assert values["never_reacquired"] == 0
    assert values["confidence_auroc"] == 1  # 0.9, 0.8, 0.7 against 0.5, 0.4, 0.3, 0.2
    assert values["presence_auroc"] == pytest.approx((2 + 1 + 1 + 2 + 2) / 10)
    overall = combine("t", [result]).overall
    # answering from 0.7 on: precision 1, recall 3/5
    assert overall["f_score"] == pytest.approx(0.75)
    assert overall["calibration_error"] == pytest.approx(
        (0.1 + 0.4 + 0.5 + 0.2 + 0.3 + 0.2 + 0.3) / 7
    )


def test_losses_by_hand(score):
    truth = [BOX] * 30
    boxes = [BOX] * 5 + [AWAY] * 12 + [BOX] + [AWAY] * 12
    states = [T] * 9 + [LOST] * 8 + [T] * 13
    values = score(boxes, truth, states=states).values
    assert values["time_to_declare_loss"] == pytest.approx(0.4)
    assert values["undeclared_losses"] == 0.5
    assert values["failures"] == 2
    assert values["robustness"] == pytest.approx(5 / 30)


def test_trackers_without_confidence_or_state(score):
    overall = combine("t", [score([BOX, BOX], [BOX, BOX])]).overall
    for name in (
        "f_score",
        "max_gm",
        "confidence_auroc",
        "time_to_declare_loss",
        "restarts",
        "false_loss_rate",
        "calibration_error",
        "effective_frame_rate",
        "frames_per_second",
    ):
        assert overall[name] is None


def test_means_over_sequences_and_over_frames_differ(make_sequence):
    one = make_sequence("one", [BOX] * 2, attributes=["OCC"])
    ten = make_sequence("ten", [BOX] * 11, attributes=["OCC", "SV"])
    scores = [
        score_sequence(one, SequenceResult.of([BOX, HALF])),
        score_sequence(ten, SequenceResult.of([BOX] * 11)),
    ]
    score = combine("t", scores)
    assert score.overall["average_overlap"] == pytest.approx(10.5 / 11)
    assert score.overall["success_auc"] == pytest.approx((15 / 21 + 20 / 21) / 2)
    assert score.by_attribute["OCC"] == (pytest.approx(score.overall["success_auc"]), 2)
    assert score.by_attribute["SV"] == (pytest.approx(20 / 21), 1)


def test_restarts_and_streaming_are_read_from_the_result(score):
    meta = {"failures": [5, 9], "streaming": {"effective_frame_rate": 12.5}}
    result = score([BOX, BOX], [BOX, BOX], meta=meta)
    overall = combine("t", [result, result]).overall
    assert overall["restarts"] == 4
    assert overall["effective_frame_rate"] == 12.5


def test_speed_is_that_of_the_median_frame_without_the_start(score):
    values = score([BOX] * 4, [BOX] * 4, times=[9.0, 0.1, 0.2, 0.4]).values
    assert values["frames_per_second"] == pytest.approx(5)


def test_a_store_is_scored_and_gaps_are_named(tmp_path, make_sequence):
    store = ResultStore(tmp_path)
    sequences = [make_sequence(name, [BOX] * 2) for name in ("good", "short", "failed", "none")]
    secret = make_sequence("secret", [BOX])
    store.write("t", "good", SequenceResult.of([BOX, BOX]))
    store.write("t", "short", SequenceResult.of([BOX]))
    store.write_error("t", "failed", "Traceback\nRuntimeError: out of luck")
    score = score_tracker([*sequences, secret], store, "t")
    assert [one.name for one in score.sequences] == ["good"]
    assert "1 boxes for 2 frames" in score.missing["short"]
    assert score.missing["failed"] == "RuntimeError: out of luck"
    assert "no result" in score.missing["none"]


def test_json_names_every_convention(score):
    result = score([BOX, BOX, BOX], [BOX, BOX, NAN], scores=[1, 0.9, 0.1], states=[T, T, LOST])
    data = json.loads(combine("t", [result]).to_json())
    assert set(data["overall"]) == set(data["conventions"]) == set(METRIC)
    assert data["sequences"]["S"]["success_auc"] == data["overall"]["success_auc"]
    assert len(data["curves"]["success"]["share"]) == 21
    assert data["curves"]["reliability"]["frames"][9] == 1


def test_another_number_of_frames_is_an_error(make_sequence):
    with pytest.raises(ResultError, match="3 boxes for 2 frames"):
        score_sequence(make_sequence("S", [BOX] * 2), SequenceResult.of([BOX] * 3))
