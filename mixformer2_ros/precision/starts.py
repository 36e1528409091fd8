# Copyright 2026 mixformer2_ros contributors
# SPDX-License-Identifier: Apache-2.0
"""Slightly different first boxes, because one run of a tracker says little.

Tracking is chaotic: a thousandth of a pixel can decide which of two look-alikes is followed, and
one sequence that goes the other way moves a mean by points. Means over several starts can be
compared.
"""

from __future__ import annotations

from collections.abc import Sequence as Several
from dataclasses import replace
from itertools import product

import numpy as np

from mixformer2_ros.evaluation.datasets import Sequence

SHIFTS = tuple(
    sorted(product((0.0, 0.02, -0.02), repeat=2), key=lambda shift: float(np.abs(shift).sum()))
)
"""Shares of width and height by which first boxes are moved, the nearest first: an operator's is no
more exact."""


def shifted(sequence: Sequence, shift: Several[float]) -> Sequence:
    """Return a sequence whose first box is moved by shares of its size."""
    truth = sequence.truth.copy()
    truth[sequence.start, :2] += np.multiply(shift, truth[sequence.start, 2:])
    return replace(sequence, truth=truth)
