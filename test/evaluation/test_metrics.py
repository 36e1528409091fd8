# Copyright 2026 mixformer2_ros contributors
# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import numpy as np
import pytest

from mixformer2_ros.evaluation.metrics import (
    centre_error,
    iou,
    precision,
    success_auc,
    success_curve,
)

NAN = [np.nan] * 4


@pytest.mark.parametrize(
    ("a", "b", "expected"),
    [
        ([0, 0, 10, 10], [0, 0, 10, 10], 1.0),
        ([0, 0, 10, 10], [5, 0, 10, 10], 50 / 150),
        ([0, 0, 10, 10], [5, 5, 10, 10], 25 / 175),
        ([0, 0, 10, 10], [10, 0, 10, 10], 0.0),
        ([0, 0, 10, 10], [2, 3, 4, 5], 20 / 100),
        ([0, 0, 0, 0], [0, 0, 0, 0], 0.0),
        ([0, 0, 10, 10], NAN, 0.0),
        (NAN, NAN, 0.0),
    ],
)
def test_iou(a, b, expected):
    assert iou(a, b) == pytest.approx(expected)
    assert iou(b, a) == pytest.approx(expected)


def test_iou_broadcasts():
    boxes = np.array([[0, 0, 10, 10], [5, 0, 10, 10]])
    np.testing.assert_allclose(iou(boxes[:, None], boxes[None]), [[1, 1 / 3], [1 / 3, 1]])


def test_centre_error():
    truth = [[0, 0, 10, 10], [0, 0, 10, 10], NAN]
    found = [[3, 4, 10, 10], [-5, -5, 20, 20], [0, 0, 1, 1]]
    np.testing.assert_allclose(centre_error(truth, found), [5, 0, np.inf])


def test_success_counts_frames_strictly_above_each_threshold():
    curve = success_curve([1.0, 0.5, 0.0, 0.26])
    assert curve[0] == 0.75  # an overlap of 0 is a miss already at threshold 0
    assert curve[5] == 0.75  # 0.25: above are 1, 0.5 and 0.26
    assert curve[10] == 0.25  # 0.5 is not above 0.5
    assert curve[20] == 0.0  # not even a perfect frame is above 1


def test_success_auc_of_perfect_frames_is_twenty_of_twenty_one():
    assert success_auc([1.0, 1.0]) == pytest.approx(20 / 21)


def test_precision_includes_the_threshold():
    assert precision([0.0, 20.0, 20.1, np.inf]) == 0.5
