# Copyright 2026 mixformer2_ros contributors
# SPDX-License-Identifier: Apache-2.0
"""Bringing a target that was set on an old frame up to the present."""

from __future__ import annotations

import math

from mixformer2_ros.tracking.frame import Frame
from mixformer2_ros.tracking.history import FrameHistory

MAX_ROUNDS = 10
"""Forwards of the network after which every target is live, however old its first frame."""


class CatchUp:
    """Way of one target through the frame history.

    A round takes it as many frames on as it needs to be at the newest one in the last round,
    also while new frames keep coming. Few frames behind, it sees every one of them.

    Args:
        stamp_ns: Stamp in nanoseconds of the frame on which the target was set.
    """

    def __init__(self, stamp_ns: int) -> None:
        self._stamp_ns = stamp_ns
        self._rounds_left = MAX_ROUNDS
        self._done = False

    @property
    def done(self) -> bool:
        """Whether the target has been given the newest frame."""
        return self._done

    def next_frame(self, history: FrameHistory) -> tuple[int, Frame] | None:
        """Return stamp and frame for the next round; None where no newer frame is left."""
        behind = history.after(self._stamp_ns)
        if not behind:
            self._done = True
            return None
        stride = math.ceil(len(behind) / self._rounds_left)
        self._rounds_left -= 1
        self._done = stride == len(behind)
        self._stamp_ns = behind[stride - 1][0]
        return behind[stride - 1]
