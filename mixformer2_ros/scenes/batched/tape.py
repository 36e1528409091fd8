# Copyright 2026 mixformer2_ros contributors
# SPDX-License-Identifier: Apache-2.0
"""Random numbers that depend on a counter alone, drawn for many samples at once."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Indices = NDArray[np.int64]

_GOLDEN = np.uint64(0x9E3779B97F4A7C15)
_MASK = 0xFFFFFFFFFFFFFFFF


def _mix(bits: NDArray[np.uint64]) -> NDArray[np.uint64]:
    """The finaliser of SplitMix64 (Steele, Lea, Flood 2014)."""
    bits = (bits ^ (bits >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    bits = (bits ^ (bits >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return bits ^ (bits >> np.uint64(31))


class Tape:
    """A tape of random numbers for each sample of a batch.

    What sample g of batch i reads depends on (seed, i, g) and on how much was read before, not on
    which other samples are drawn beside it: ranks and chunks may split a batch as they like.

    Args:
        seed: Seed of the stream.
        index: Number of the batch.
        samples: (G,) numbers of the samples in that batch.
    """

    def __init__(self, seed: int, index: int, samples: Indices) -> None:
        keys = np.asarray(samples, np.uint64) * _GOLDEN
        for number in (index, seed):
            keys = _mix(keys + np.uint64((number * 2 + 1) & _MASK)) * _GOLDEN
        self._keys = keys
        self._read = 0

    @property
    def samples(self) -> int:
        """Number of samples G."""
        return len(self._keys)

    def uniform(self, *shape: int, low: float = 0.0, high: float = 1.0) -> Floats:
        """Return (G, *shape) float64 in [low, high)."""
        count = math.prod(shape)
        counters = np.arange(self._read + 1, self._read + count + 1, dtype=np.uint64) * _GOLDEN
        self._read += count
        bits = _mix(self._keys[:, None] + counters) >> np.uint64(11)
        unit = bits.astype(np.float64).reshape(-1, *shape) * 2.0**-53
        return np.asarray(unit * (high - low) + low)

    def normal(self, *shape: int) -> Floats:
        """Return (G, *shape) float64 of the standard normal distribution (Box-Muller)."""
        radius = np.sqrt(-2.0 * np.log1p(-self.uniform(*shape)))
        return np.asarray(radius * np.cos(2 * np.pi * self.uniform(*shape)))

    def chance(self, probability: float, *shape: int) -> NDArray[np.bool_]:
        """Return (G, *shape) bool, true with a probability."""
        return np.asarray(self.uniform(*shape) < probability)

    def integers(self, count: int, *shape: int) -> Indices:
        """Return (G, *shape) int64 in [0, count)."""
        return np.asarray((self.uniform(*shape) * count).astype(np.int64))

    def pick(self, weights: Floats, *shape: int) -> Indices:
        """Return (G, *shape) int64 indices, drawn in proportion to weights (n,)."""
        share = np.cumsum(weights) / np.sum(weights)
        # Never past the last positive weight, whatever the rounding of the sum.
        last = int(np.flatnonzero(weights)[-1])
        found = np.searchsorted(share, self.uniform(*shape), side="right")
        return np.asarray(np.minimum(found, last).astype(np.int64))

    def choose(self, values: Sequence[float], *shape: int) -> Floats:
        """Return (G, *shape) float64, one of the values each."""
        return np.asarray(np.asarray(values, np.float64)[self.integers(len(values), *shape)])

    def log_uniform(self, low: float, high: float, *shape: int) -> Floats:
        """Return (G, *shape) float64 in [low, high), uniform in the logarithm."""
        return np.exp(self.uniform(*shape, low=math.log(low), high=math.log(high)))
