# Copyright 2026 mixformer2_ros contributors
# SPDX-License-Identifier: Apache-2.0
"""Frames that took longer than they may: counted, and explained with what helps."""

from __future__ import annotations

from collections import deque


class Deadline:
    """Compares the time of every frame with a budget.

    Args:
        window: Seconds over which misses are a problem to report.

    Attributes:
        budget: Longest time of a frame in seconds; 0 for none.
        misses: Frames that took longer, since `restart`.
    """

    def __init__(self, window: float) -> None:
        self.budget = 0.0
        self.misses = 0
        self._window = window
        self._frames: deque[tuple[float, float]] = deque()

    def restart(self) -> None:
        """Forget what was counted."""
        self.misses = 0
        self._frames.clear()

    def frame(self, seconds: float, now: float) -> None:
        """Take in a frame.

        Args:
            seconds: How long it took.
            now: When it was done, by any clock that never goes back.
        """
        self.misses += self._is_late(seconds)
        self._frames.append((now, seconds))
        self._trim(now)

    def problem(self, now: float) -> str:
        """Return what is wrong and what helps; empty when the newest frames were in time."""
        self._trim(now)
        late = [seconds for _, seconds in self._frames if self._is_late(seconds)]
        if not late:
            return ""
        return (
            f"{len(late)} of the last {len(self._frames)} frames took longer than deadline_ms "
            f"{self.budget * 1e3:g} (the slowest {max(late) * 1e3:.1f} ms): use a smaller model, a "
            "lower precision or fewer targets; where other processes take the cores, fewer threads "
            "or cores of its own (cpu_affinity); or raise deadline_ms"
        )

    def _is_late(self, seconds: float) -> bool:
        return 0.0 < self.budget < seconds

    def _trim(self, now: float) -> None:
        while self._frames and self._frames[0][0] < now - self._window:
            self._frames.popleft()
