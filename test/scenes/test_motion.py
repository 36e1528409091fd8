# Copyright 2026 mixformer2_ros contributors
# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import numpy as np
import pytest

from mixformer2_ros.scenes import motion


def test_wander_is_smooth_and_of_unit_size() -> None:
    signals = [motion.wander(np.random.default_rng(s), 3000, 30.0, 2.0) for s in range(8)]
    assert np.mean([signal.std() for signal in signals]) == pytest.approx(1.0, abs=0.1)
    # The fastest part has a period of 0.7 x 2 s: its slope bounds the step between frames.
    steepest = max(np.abs(np.diff(signal)).max() for signal in signals)
    assert steepest < 3.2 * 2 * np.pi / 1.4 / 30.0


def test_follow_smooths_without_drift() -> None:
    path = np.stack([np.arange(100.0), np.full(100, 7.0)], axis=1)
    smooth = motion.follow(path, 10.0, 0.5)
    assert np.allclose(smooth[20:-20], path[20:-20])
    assert np.allclose(smooth[:, 1], 7.0)


def test_bound_keeps_small_offsets_and_limits_large_ones() -> None:
    limit = np.array([100.0, 50.0])
    bounded = motion.bound(np.array([[1.0, -1.0], [1e4, -1e4]]), limit)
    assert np.allclose(bounded[0], [1.0, -1.0], atol=1e-3)
    assert np.allclose(bounded[1], [100.0, -50.0])


def test_pulse_is_one_inside_and_zero_far_outside() -> None:
    window = motion.pulse(100, 10.0, 4.0, 6.0, ramp=1.0)
    assert np.all(window[40:61] == 1.0)
    assert np.allclose(window[:30], 0.0)
    assert np.allclose(window[71:], 0.0)
    assert window[35] == pytest.approx(0.5)


def test_heading_does_not_jump_on_a_circle() -> None:
    angle = np.linspace(0, 6 * np.pi, 300)
    turn = motion.heading(np.stack([np.cos(angle), np.sin(angle)], axis=1))
    assert turn[-1] - turn[0] == pytest.approx(6 * np.pi, rel=0.01)


def test_along_walks_a_line_and_beyond_its_ends_beside_it() -> None:
    line = np.array([[0.0, 0.0], [10.0, 0.0], [10.0, 10.0]])
    points = motion.along(line, np.array([-5.0, 5.0, 15.0, 25.0]), 2.0)
    # Right of the way when y points down: +y when going +x, -x when going +y.
    assert np.allclose(points, [[-5, 2], [5, 2], [8, 5], [8, 15]], atol=1e-6)
