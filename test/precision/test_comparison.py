# Copyright 2026 mixformer2_ros contributors
# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import numpy as np

from mixformer2_ros.precision.comparison import Row, as_markdown
from mixformer2_ros.precision.drift import Answers, Drift, drift


def test_drift_takes_the_worst_of_a_boxs_numbers_and_the_scores_without_sign():
    float32 = Answers(np.zeros((100, 4)), np.full(100, 0.5))
    boxes = np.zeros((100, 4))
    boxes[:, 1], boxes[:, 3] = -0.02, 0.01
    boxes[0] = 0.5
    found = drift(Answers(boxes, np.where(np.arange(100) % 2, 0.6, 0.4)), float32)
    np.testing.assert_allclose(found[:1] + found[2:], (0.0248, 0.1, 0.1))
    assert 0.02 <= found.box_p99 <= 0.5
    assert drift(float32, float32) == Drift(0, 0, 0, 0)


def test_the_table_shows_costs_and_every_sequence_against_the_first_row():
    scores = {"success_auc": 0.564, "precision_20": 0.709, "confidence_auroc": 0.861}
    rows = [
        Row("openvino", "fp32", "", Drift(0, 0, 0, 0), scores, {"Girl": 0.492}),
        Row("openvino", "int8", "", Drift(0.0049, 0.03, 0.003, 0.01), scores, {"Girl": 0.369}),
    ]
    table = as_markdown(rows).splitlines()
    assert table[3] == (
        "| openvino | int8 | 0.0049 | 0.0300 | 0.0030 | 0.0100 | 56.4 | 70.9 | 0.861 |"
    )
    assert table[-1] == "| Girl | 49.2 | -12.3 |"


def test_several_starts_are_shown_one_by_one():
    scores = {"success_auc": 0.55, "precision_20": 0.7, "confidence_auroc": 0.9}
    row = Row("openvino", "int8", "", None, scores, {"Girl": 0.4}, (0.54, 0.56))
    assert "| openvino int8 | 54.0 | 56.0 |" in as_markdown([row]).splitlines()


def test_without_sequences_only_the_drift_is_shown():
    table = as_markdown([Row("openvino", "fp32", "", Drift(0, 0, 0, 0), {}, {})])
    assert "success" not in table
    assert table.splitlines()[-1] == "| openvino | fp32 | 0.0000 | 0.0000 | 0.0000 | 0.0000 |"
