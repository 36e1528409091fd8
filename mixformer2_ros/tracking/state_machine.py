# Copyright 2026 mixformer2_ros contributors
# SPDX-License-Identifier: Apache-2.0
"""When a target is believed: TRACKING <-> UNCERTAIN -> LOST -> TRACKING, with hysteresis."""

from __future__ import annotations

from mixformer2_ros.tracking.config import TrackerConfig
from mixformer2_ros.tracking.types import TargetState


class StateMachine:
    """State of one target.

    | from | to | when |
    |---|---|---|
    | TRACKING | UNCERTAIN | score < doubt_score |
    | UNCERTAIN | TRACKING | score >= confirm_score and the box continues the track |
    | UNCERTAIN | LOST | UNCERTAIN for lost_timeout |
    | UNCERTAIN, LOST | TRACKING | reacquire_frames confident frames that agree in a row |
    """

    def __init__(self) -> None:
        self._state = TargetState.TRACKING
        self._seconds = 0.0
        self._agreement = 0

    @property
    def state(self) -> TargetState:
        """The state after the newest update."""
        return self._state

    @property
    def seconds(self) -> float:
        """Seconds spent in this state; not counted while TRACKING."""
        return self._seconds

    def update(
        self, config: TrackerConfig, score: float, step: float, *, continues: bool, agrees: bool
    ) -> TargetState:
        """Take in one frame.

        Args:
            config: Thresholds and time-outs.
            score: Probability in [0, 1] that the target is in the search region.
            step: Seconds since the last frame, positive.
            continues: The box continues the track (it does not jump).
            agrees: The box agrees with the last confident one.

        Returns:
            The new state.
        """
        if self._state is TargetState.TRACKING:
            if score < config.doubt_score:
                self._enter(TargetState.UNCERTAIN)
            return self._state
        self._seconds += step
        confident = score >= config.confirm_score
        self._agreement = (self._agreement + 1 if agrees else 1) if confident else 0
        resumes = self._state is TargetState.UNCERTAIN and confident and continues
        if resumes or self._agreement >= config.reacquire_frames:
            self._enter(TargetState.TRACKING)
        elif self._state is TargetState.UNCERTAIN and self._seconds >= config.lost_timeout:
            agreement = self._agreement
            self._enter(TargetState.LOST)
            self._agreement = agreement
        return self._state

    def lose(self) -> None:
        """Make the target LOST, whatever its score."""
        self._enter(TargetState.LOST)

    def _enter(self, state: TargetState) -> None:
        self._state, self._seconds, self._agreement = state, 0.0, 0
