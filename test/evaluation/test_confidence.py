# Copyright 2026 mixformer2_ros contributors
# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import numpy as np
import pytest

from mixformer2_ros.evaluation.confidence import auroc, max_gm, precision_recall, reliability

NAN = np.nan


def test_precision_and_recall_by_hand():
    overlap = np.array([0.8, 0.6, 0.0, 0.0])
    score = np.array([0.9, 0.5, 0.7, NAN])
    absent = np.array([False, False, True, False])
    curve = precision_recall([overlap], [score], [absent])
    np.testing.assert_allclose(curve.thresholds, [0.9, 0.7, 0.5])
    np.testing.assert_allclose(curve.precision, [0.8, 0.8 / 2, 1.4 / 3])
    np.testing.assert_allclose(curve.recall, [0.8 / 3, 0.8 / 3, 1.4 / 3])
    np.testing.assert_allclose(curve.f, [0.4, 0.32, 1.4 / 3])
    assert curve.best == 2


def test_precision_and_recall_are_means_over_sequences():
    present = np.array([False])
    curve = precision_recall(
        [np.array([1.0]), np.array([0.5])], [np.array([0.2]), np.array([0.8])], [present, present]
    )
    np.testing.assert_allclose(curve.thresholds, [0.8, 0.2])
    np.testing.assert_allclose(curve.precision, [0.5, 0.75])  # no answer of the first at 0.8
    np.testing.assert_allclose(curve.recall, [0.25, 0.75])


def test_no_confidence_no_curve():
    assert precision_recall([np.ones(2)], [np.full(2, NAN)], [np.zeros(2, bool)]) is None
    assert reliability([NAN], [True]) is None


@pytest.mark.parametrize(
    ("tpr", "tnr", "expected"),
    [
        (1.0, 1.0, 1.0),
        (0.64, 0.0, 0.4),  # p = 1/2: sqrt(0.32 * 0.5)
        (0.5, 0.8, np.sqrt(0.4)),
        (0.0, 1.0, 0.0),
    ],
)
def test_max_gm(tpr, tnr, expected):
    assert max_gm(tpr, tnr) == pytest.approx(expected)


@pytest.mark.parametrize("tnr", [0.0, 0.2, 0.49, 0.5, 0.7])
def test_max_gm_is_the_maximum(tnr):
    p = np.linspace(0, 1, 10001)
    best = np.sqrt((1 - p) * 0.7 * ((1 - p) * tnr + p)).max()
    assert max_gm(0.7, tnr) == pytest.approx(best, abs=1e-6)


def test_auroc_by_hand():
    assert auroc([0.9, 0.8, 0.7, 0.6, NAN], [1, 0, 1, 0, 1]) == 0.75
    assert auroc([0.5, 0.5], [1, 0]) == 0.5
    assert auroc([0.9, 0.5, 0.5, 0.1], [1, 1, 0, 0]) == pytest.approx(3.5 / 4)
    assert auroc([0.9, 0.8], [1, 1]) is None


def test_reliability_by_hand():
    curve = reliability([0.05, 0.95, 0.85, 0.85, 1.0], [0, 1, 1, 0, 1])
    assert curve.count.tolist() == [1, 0, 0, 0, 0, 0, 0, 0, 2, 2]
    np.testing.assert_allclose(curve.confidence[[0, 8, 9]], [0.05, 0.85, 0.975])
    np.testing.assert_allclose(curve.accuracy[[0, 8, 9]], [0, 0.5, 1])
    assert np.isnan(curve.accuracy[1])
    assert curve.error == pytest.approx((0.05 + 2 * 0.35 + 2 * 0.025) / 5)
