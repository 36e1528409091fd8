# Copyright 2026 mixformer2_ros contributors
# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import numpy as np
import pytest

from mixformer2_ros.evaluation.metrics import (
    area,
    centre_error,
    clip_to_frame,
    iou,
    normalised_error,
    precision,
    precision_curve,
    success_auc,
    success_curve,
    trackingnet_normalised_precision,
    trackingnet_success,
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


def test_normalised_error_divides_by_the_true_size():
    truth = [[0, 0, 10, 20], [0, 0, 10, 20], NAN, [0, 0, 0, 5]]
    found = [[3, 8, 10, 20], NAN, [0, 0, 1, 1], [0, 0, 1, 1]]
    np.testing.assert_allclose(normalised_error(found, truth), [0.5, np.inf, np.inf, np.inf])


def test_precision_curve_and_area():
    curve = precision_curve([0, 1, 2, np.inf], [0, 1, 2])
    np.testing.assert_allclose(curve, [0.25, 0.5, 0.75])
    assert area(curve) == pytest.approx((0.25 / 2 + 0.5 + 0.75 / 2) / 2)


def test_trackingnet_rounds_boxes_and_takes_areas():
    truth = np.array([[0, 0, 10, 10], [0, 0, 10, 10]])
    found = np.array([[0.4, 0, 10, 10], [1.6, 0, 10, 10]])  # errors 0 and 0.2 once rounded
    curve = np.where(np.linspace(0, 0.5, 21) >= 0.2, 1.0, 0.5)
    assert trackingnet_normalised_precision(found, truth) == pytest.approx(area(curve))
    overlaps = np.array([1.0, 80 / 120])
    expected = (overlaps[:, None] >= np.linspace(0, 1, 21)).mean(0)
    assert trackingnet_success(found, truth) == pytest.approx(area(expected))


def test_trackingnet_success_of_a_tracker_that_answers_nothing():
    assert trackingnet_success([NAN], [[0, 0, 10, 10]]) == pytest.approx(0.025)


def test_clip_to_frame():
    boxes = [[-5, -5, 10, 20], [90, 40, 30, 30], [200, 0, 5, 5], NAN]
    expected = [[0, 0, 5, 15], [90, 40, 10, 10], [100, 0, 0, 5], NAN]
    np.testing.assert_allclose(clip_to_frame(boxes, (100, 50)), expected)
