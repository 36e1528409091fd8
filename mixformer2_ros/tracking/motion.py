# Copyright 2026 mixformer2_ros contributors
# SPDX-License-Identifier: Apache-2.0
"""Time and motion of a target: a clock that survives odd stamps, a constant-velocity filter."""

from __future__ import annotations

import math
from collections.abc import Sequence

from mixformer2_ros.tracking.geometry import Box

MIN_STEP = 1e-3
"""Seconds; stamps closer together than this do not advance."""

MAX_STEP = 1.0
"""Seconds; a longer gap counts as this much and restarts the velocity estimate."""

TIME_CONSTANT = 0.15
"""Seconds after which the velocity filter has mostly forgotten a measurement."""

Coordinates = tuple[float, float, float]
"""Column and row of a box's centre, logarithm of its side. Numbers, no array: of three of them
Python makes quicker work than NumPy."""


class StampClock:
    """Turns stamps into steps that are always positive and bounded.

    Missing, non-finite, repeated and backward stamps count as one nominal frame period: a camera
    that stamps nothing, or a bag that starts over, must not stop time-outs from running out.

    Args:
        stamp: Stamp of the first frame in seconds, or None.
    """

    def __init__(self, stamp: float | None) -> None:
        self._now = stamp if stamp is not None and math.isfinite(stamp) else None

    @property
    def now(self) -> float | None:
        """The newest stamp in seconds; None before any was given."""
        return self._now

    def step(self, stamp: float | None, period: float) -> float:
        """Return the seconds in (0, MAX_STEP] from the newest stamp to this one.

        Args:
            stamp: Stamp in seconds, or None.
            period: Seconds between frames, for stamps that do not tell.
        """
        if stamp is None or self._now is None or not stamp - self._now >= MIN_STEP:
            return min(period, MAX_STEP)
        return min(stamp - self._now, MAX_STEP)

    def advance(self, stamp: float | None, period: float) -> float:
        """Make this stamp the newest one and return the step to it, see `step`."""
        step = self.step(stamp, period)
        if stamp is not None and math.isfinite(stamp):
            self._now = stamp
        elif self._now is not None:
            self._now += step
        return step


class MotionFilter:
    """Velocity of a box: centre and logarithm of the side, each at constant velocity.

    A g-h filter whose gains grow a memory over the first measurements and then let it fade with
    a time constant, so that any frame rate gives the same smoothing (E. Brookner, Tracking and
    Kalman Filtering Made Easy, chapter 1).

    Args:
        box: The first box.
    """

    def __init__(self, box: Box) -> None:
        self.restart(box)

    def restart(self, box: Box) -> None:
        """Forget everything and start at rest on a box."""
        self._position = _coordinates(box)
        self._velocity = (0.0, 0.0, 0.0)
        self._measurements = 1

    @property
    def velocity(self) -> Coordinates:
        """Centre in px/s right and down, relative growth of the side in 1/s."""
        return self._velocity

    def measure(self, box: Box, step: float) -> None:
        """Take in a box that is believed.

        Args:
            box: The box, of positive size.
            step: Seconds since the last one, positive.
        """
        if step >= MAX_STEP:
            self.restart(box)
            return
        self._measurements += 1
        n = self._measurements
        forget = math.exp(-step / TIME_CONSTANT)
        g = max(1.0 - forget * forget, 2.0 * (2 * n - 1) / (n * (n + 1)))
        h = max((1.0 - forget) ** 2, 6.0 / (n * (n + 1)))
        predicted = _moved(self._position, self._velocity, step)
        residual = [m - x for m, x in zip(_coordinates(box), predicted, strict=True)]
        self._position = _moved(predicted, residual, g)
        self._velocity = _moved(self._velocity, residual, h / step)

    def shift(self, seconds: float, bound: float) -> tuple[float, float]:
        """Return how far the centre moves in a time, as pixels right and down.

        Args:
            seconds: Time to coast.
            bound: Greatest length of the shift in pixels.
        """
        vx, vy, _ = self._velocity
        dx, dy = vx * seconds, vy * seconds
        length = math.hypot(dx, dy)
        limit = min(1.0, bound / length) if length > 0 else 1.0
        return dx * limit, dy * limit

    def rescale(self, sx: float, sy: float) -> None:
        """Follow a change of the image's resolution by these factors."""
        x, y, size = self._position
        self._position = x * sx, y * sy, size + 0.5 * math.log(sx * sy)
        vx, vy, growth = self._velocity
        self._velocity = vx * sx, vy * sy, growth


def _coordinates(box: Box) -> Coordinates:
    return box.cx, box.cy, math.log(box.side)


def _moved(values: Sequence[float], change: Sequence[float], gain: float) -> Coordinates:
    x, y, size = (value + gain * c for value, c in zip(values, change, strict=True))
    return x, y, size
