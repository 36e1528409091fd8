# Copyright 2026 mixformer2_ros contributors
# SPDX-License-Identifier: Apache-2.0
"""Which crops the network compares with: the published online template policy."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

Crop = NDArray[np.uint8]


class TemplatePolicy:
    """The initial and the online template of one target (arXiv 2305.15896, section 3).

    The best-scoring crop of an interval becomes the online template at its end; an interval
    without a good one falls back to the initial template.

    Args:
        initial: (T, T, 3) uint8 RGB crop around the given box.
    """

    def __init__(self, initial: Crop) -> None:
        self._initial = self._online = self._best = initial
        self._best_score = -1.0
        self._frames = 0

    @property
    def initial(self) -> Crop:
        """The template of the given box."""
        return self._initial

    @property
    def online(self) -> Crop:
        """The template that follows the target's looks."""
        return self._online

    def update(
        self, score: float, cut: Callable[[], Crop], *, threshold: float, interval: int
    ) -> None:
        """Take in one frame.

        Args:
            score: Score of the frame in [0, 1].
            cut: Makes the template crop around the frame's new box; called only when needed.
            threshold: A crop is a candidate when it scores more.
            interval: Frames between changes of the online template.
        """
        self._frames += 1
        if score > threshold and score > self._best_score:
            self._best, self._best_score = cut(), score
        if self._frames % interval == 0:
            self._online = self._best
            self._best, self._best_score = self._initial, -1.0
