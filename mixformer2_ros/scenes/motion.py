# Copyright 2026 mixformer2_ros contributors
# SPDX-License-Identifier: Apache-2.0
"""Smooth random motion: band-limited signals and paths over the frames of a scene."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Signal = NDArray[np.float64]


def wander(rng: np.random.Generator, length: int, rate: float, period: float) -> Signal:
    """A smooth random signal of about unit deviation.

    A sum of sines of random phase and of periods around the given one: band-limited, so that its
    derivatives (speed, acceleration) are bounded and smooth, whatever the length.

    Args:
        rng: source of randomness.
        length: number of samples.
        rate: samples a second.
        period: typical time of one swing, seconds.

    Returns:
        float64 (length,), within about -2.5..2.5.
    """
    time = np.arange(length)[:, None] / rate
    periods = period * rng.uniform(0.7, 2.5, 5)
    phases = rng.uniform(0, 2 * np.pi, 5)
    swings = rng.uniform(0.4, 1.0, 5)
    swings *= np.sqrt(2.0 / np.sum(swings**2))
    return np.asarray(np.sum(swings * np.sin(2 * np.pi * time / periods + phases), axis=1))


def follow(path: Signal, rate: float, lag: float) -> Signal:
    """A camera operator's path: the mean of what is known of a path around each time.

    Args:
        path: float64 (N, 2).
        rate: samples a second.
        lag: deviation of the Gaussian window, seconds.

    Returns:
        float64 (N, 2).
    """
    deviation = max(lag * rate, 1e-3)
    reach = int(np.ceil(3 * deviation))
    window = np.exp(-0.5 * (np.arange(-reach, reach + 1) / deviation) ** 2)
    window /= window.sum()
    padded = np.pad(path, ((reach, reach), (0, 0)), mode="edge")
    columns = [np.convolve(padded[:, axis], window, mode="valid") for axis in range(2)]
    return np.stack(columns, axis=1)


def bound(offset: Signal, limit: Signal) -> Signal:
    """Keep offsets softly inside a limit, without a kink.

    Args:
        offset: float64 (N, 2).
        limit: float64 (2,), positive.

    Returns:
        float64 (N, 2), within -limit..limit.
    """
    return np.asarray(limit * np.tanh(offset / limit))


def pulse(length: int, rate: float, start: float, end: float, ramp: float = 0.6) -> Signal:
    """A smooth window: 0 outside, 1 from start to end, with ramps before and after.

    Args:
        length: number of samples.
        rate: samples a second.
        start: beginning of the plateau, seconds.
        end: end of the plateau, seconds.
        ramp: time of each ramp, seconds.

    Returns:
        float64 (length,) in [0, 1].
    """
    time = np.arange(length) / rate
    away = np.maximum(np.maximum(start - time, time - end), 0.0) / ramp
    return np.asarray(0.5 + 0.5 * np.cos(np.pi * np.clip(away, 0, 1)))


def heading(path: Signal) -> Signal:
    """Direction of travel along a path.

    Args:
        path: float64 (N, 2), N at least 2.

    Returns:
        float64 (N,), rad, continuous (no jumps of 2 pi).
    """
    step = np.gradient(path, axis=0)
    return np.unwrap(np.arctan2(step[:, 1], step[:, 0]))


def along(line: Signal, distances: Signal, offset: float) -> Signal:
    """Points at given distances along a line, shifted sideways.

    Args:
        line: float64 (K, 2) polyline; it is extended straight at both ends.
        distances: float64 (N,), from the line's first point, same unit as the line.
        offset: shift to the right of the direction of travel (y down).

    Returns:
        float64 (N, 2).
    """
    first, last = line[0] - line[1], line[-1] - line[-2]
    far = 10.0 * float(np.hypot(*(line[-1] - line[0])))
    ends = [line[0] + first / np.hypot(*first) * far, line[-1] + last / np.hypot(*last) * far]
    long = np.concatenate([ends[:1], line, ends[1:]])
    steps = np.hypot(*np.diff(long, axis=0).T)
    position = np.concatenate([[0.0], np.cumsum(steps)]) - far
    points = [np.interp(distances, position, long[:, axis]) for axis in range(2)]
    ahead = [np.interp(distances + 1.0, position, long[:, axis]) for axis in range(2)]
    middle = np.stack(points, axis=1)
    forward = np.stack(ahead, axis=1) - middle
    forward /= np.maximum(np.hypot(forward[:, 0], forward[:, 1]), 1e-9)[:, None]
    return np.asarray(middle + offset * np.stack([-forward[:, 1], forward[:, 0]], axis=1))
