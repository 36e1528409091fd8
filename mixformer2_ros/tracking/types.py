# Copyright 2026 mixformer2_ros contributors
# SPDX-License-Identifier: Apache-2.0
"""What a tracker tells about a target."""

from __future__ import annotations

from dataclasses import dataclass
from enum import IntEnum

import numpy as np
from numpy.typing import NDArray

from mixformer2_ros.tracking.crops import Window


class TargetState(IntEnum):
    """How much a target's box can be trusted; the numbers of msg/TargetState."""

    IDLE = 0
    TRACKING = 1
    UNCERTAIN = 2
    LOST = 3


@dataclass(frozen=True)
class TrackResult:
    """One target in one frame.

    Attributes:
        box: (4,) float64, x, y, w, h in pixels of the frame: the last believed box. While LOST it
            stays where the target was last believed to be; it is never a guess. (The published
            procedure believes every box.)
        score: Probability in [0, 1] that the target is in the search region of this frame.
        state: TRACKING, UNCERTAIN or LOST.
        velocity: (3,) float64, motion of the box as it was last believed: centre in px/s right and
            down, relative growth of the side in 1/s.
        last_seen: Stamp in seconds of the newest frame with state TRACKING; None while no stamp
            was ever given.
        window: The search region of this frame.
    """

    box: NDArray[np.float64]
    score: float
    state: TargetState
    velocity: NDArray[np.float64]
    last_seen: float | None
    window: Window
