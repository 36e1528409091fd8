# Copyright 2026 mixformer2_ros contributors
# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import math

import numpy as np
import pytest

from mixformer2_ros.tracking.geometry import Box
from mixformer2_ros.tracking.motion import MAX_STEP, MotionFilter, StampClock

PERIOD = 1 / 30


@pytest.mark.parametrize(
    ("stamp", "step"),
    [
        (10.04, 0.04),
        (None, PERIOD),
        (10.0, PERIOD),
        (10.0004, PERIOD),
        (3.0, PERIOD),
        (math.nan, PERIOD),
        (-math.inf, PERIOD),
        (500.0, MAX_STEP),
        (math.inf, MAX_STEP),
    ],
)
def test_clock_steps_are_positive_and_bounded(stamp, step: float) -> None:
    clock = StampClock(10.0)
    assert clock.step(stamp, PERIOD) == pytest.approx(step)
    assert clock.now == 10.0
    assert clock.advance(stamp, PERIOD) == pytest.approx(step)
    assert math.isfinite(clock.now)


def test_clock_follows_time_that_jumps_back() -> None:
    clock = StampClock(100.0)
    clock.advance(5.0, PERIOD)
    assert clock.now == 5.0
    assert clock.advance(5.5, PERIOD) == pytest.approx(0.5)


def test_clock_without_any_stamp() -> None:
    clock = StampClock(None)
    assert clock.advance(None, PERIOD) == PERIOD
    assert clock.now is None
    assert clock.advance(7.0, PERIOD) == PERIOD
    assert clock.now == 7.0


@pytest.mark.parametrize("rate", [5.0, 30.0, 120.0])
def test_filter_finds_a_constant_velocity_at_any_rate(rate: float) -> None:
    motion = MotionFilter(Box.around(100, 80, 30, 30))
    for i in range(1, 40):
        t = i / rate
        side = 30 * math.exp(0.2 * t)
        motion.measure(Box.around(100 + 60 * t, 80 - 20 * t, side, side), 1 / rate)
    np.testing.assert_allclose(motion.velocity, [60, -20, 0.2], rtol=1e-6)


def test_filter_smooths_noise() -> None:
    rng = np.random.default_rng(3)
    motion = MotionFilter(Box.around(0, 0, 40, 40))
    speeds = []
    for i in range(1, 200):
        motion.measure(Box.around(i + rng.normal(0, 1), 0, 40, 40), 1 / 30)
        speeds.append(motion.velocity[0])
    # Differences of neighbours would scatter by 42 px/s.
    assert np.std(speeds[50:]) < 12
    assert np.mean(speeds[50:]) == pytest.approx(30, abs=3)


def test_filter_restarts_after_a_gap() -> None:
    motion = MotionFilter(Box.around(0, 0, 40, 40))
    motion.measure(Box.around(10, 0, 40, 40), 0.1)
    assert motion.velocity[0] == pytest.approx(100)
    motion.measure(Box.around(300, 0, 40, 40), MAX_STEP)
    np.testing.assert_array_equal(motion.velocity, 0)


def test_shift_is_bounded_in_length() -> None:
    motion = MotionFilter(Box.around(0, 0, 40, 40))
    assert motion.shift(1.0, 50) == (0, 0)
    motion.measure(Box.around(3, 4, 40, 40), 0.1)
    assert motion.shift(0.5, 1000) == pytest.approx((15, 20))
    assert motion.shift(10.0, 50) == pytest.approx((30, 40))


def test_velocity_follows_the_resolution() -> None:
    motion = MotionFilter(Box.around(0, 0, 40, 40))
    motion.measure(Box.around(3, 4, 40, 40), 0.1)
    motion.rescale(2, 0.5)
    np.testing.assert_allclose(motion.velocity, [60, 20, 0])
    motion.measure(Box.around(12, 4, 40, 40), 0.1)
    np.testing.assert_allclose(motion.velocity, [60, 20, 0], atol=1e-9)
