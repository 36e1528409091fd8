# Copyright 2026 mixformer2_ros contributors
# SPDX-License-Identifier: Apache-2.0
"""Trackers of white squares; a module of its own, so that worker processes can import it."""

from __future__ import annotations

import os
import signal
from dataclasses import dataclass

import numpy as np

from mixformer2_ros.evaluation.playback import TrackerLike
from mixformer2_ros.tracking.types import TargetState


@dataclass(frozen=True)
class Answer:
    box: np.ndarray
    score: float
    state: TargetState


class SquareTracker:
    """Finds white pixels; says LOST when there are none. Follows perfectly."""

    def __init__(self) -> None:
        self.seen: list[float] = []
        self.box: np.ndarray | None = None

    def init(self, image, box, stamp=None):
        assert image.dtype == np.uint8
        assert image[0, 0].tolist() == [0, 0, 60], "images must be RGB"
        self.box = box
        self.seen = [stamp]

    def update(self, image, stamp=None):
        self.seen.append(stamp)
        ys, xs = np.nonzero(image.min(axis=2) > 128)
        if len(ys):
            self.box = np.array([xs[0], ys[0], np.ptp(xs) + 1, np.ptp(ys) + 1], float)
        state = TargetState.TRACKING if len(ys) else TargetState.LOST
        return Answer(self.box, 0.9 if len(ys) else 0.1, state)


class StillTracker:
    """Answers the box it was given, as a plain list."""

    def init(self, image, box):
        self.box = box.tolist()

    def update(self, image):
        return self.box


@dataclass(frozen=True)
class FailsOn:
    """Factory of a tracker that raises, or kills its process, in the sequence of some length."""

    frames: int
    kill: bool = False

    def __call__(self) -> TrackerLike:
        return _Failing(self.frames, self.kill)


class _Failing(SquareTracker):
    def __init__(self, frames: int, kill: bool) -> None:
        super().__init__()
        self._frames, self._kill = frames, kill

    def update(self, image, stamp=None):
        answer = super().update(image, stamp)
        if len(self.seen) == self._frames:
            if self._kill:
                os.kill(os.getpid(), signal.SIGKILL)
            raise RuntimeError("out of luck")
        return answer


def not_a_tracker():
    return 42
