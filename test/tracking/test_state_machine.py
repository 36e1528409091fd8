# Copyright 2026 mixformer2_ros contributors
# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import pytest

from mixformer2_ros.tracking.config import TrackerConfig
from mixformer2_ros.tracking.state_machine import StateMachine
from mixformer2_ros.tracking.types import TargetState

T, U, L = TargetState.TRACKING, TargetState.UNCERTAIN, TargetState.LOST
CONFIG = TrackerConfig(doubt_score=0.35, confirm_score=0.55, lost_timeout=0.5, reacquire_frames=3)

# Frames 0.1 s apart: score, whether the box continues the track, whether it agrees with the last
# confident one, and the state expected after it.
TABLES = {
    "confident": [(0.9, True, True, T), (0.55, True, True, T)],
    "between the thresholds TRACKING stays": [(0.4, True, False, T), (0.35, False, False, T)],
    "a jump is followed while TRACKING": [(0.9, False, False, T)],
    "between the thresholds UNCERTAIN stays": [
        (0.34, True, False, U),
        (0.54, True, False, U),
        (0.55, True, False, T),
    ],
    "time-out": [(0.1, True, False, U)] + 4 * [(0.5, True, False, U)] + [(0.5, True, False, L)],
    "the time-out starts anew with every doubt": [
        *([(0.1, True, False, U)] * 5),
        (0.6, True, False, T),
        *([(0.1, True, False, U)] * 5),
        (0.1, True, False, L),
    ],
    "a jump in doubt needs agreement": [
        (0.1, True, False, U),
        (0.9, False, False, U),
        (0.9, False, True, U),
        (0.9, False, True, T),
    ],
    "a jump back in doubt does not": [
        (0.1, True, False, U),
        (0.9, False, False, U),
        (0.9, True, False, T),
    ],
    "found again": [
        *([(0.1, True, False, U)] * 5),
        (0.1, True, False, L),
        (0.9, True, False, L),
        (0.9, True, True, L),
        (0.6, True, True, T),
    ],
    "agreement must not be interrupted by a low score": [
        *([(0.1, True, False, U)] * 5),
        (0.1, True, False, L),
        (0.9, True, False, L),
        (0.9, True, True, L),
        (0.5, True, True, L),
        (0.9, True, False, L),
        (0.9, True, True, L),
        (0.9, True, True, T),
    ],
    "nor by another box": [
        *([(0.1, True, False, U)] * 5),
        (0.1, True, False, L),
        (0.9, True, False, L),
        (0.9, True, True, L),
        (0.9, True, False, L),
        (0.9, True, True, L),
        (0.9, True, True, T),
    ],
    "agreement survives the time-out": [
        *([(0.1, True, False, U)] * 4),
        (0.9, False, False, U),
        (0.9, False, True, L),
        (0.9, False, True, T),
    ],
}


@pytest.mark.parametrize("table", TABLES.values(), ids=TABLES.keys())
def test_transitions(table) -> None:
    machine = StateMachine()
    assert machine.state is T
    for index, (score, continues, agrees, expected) in enumerate(table):
        state = machine.update(CONFIG, score, 0.1000001, continues=continues, agrees=agrees)
        assert state is machine.state
        assert state is expected, f"frame {index}"


def test_lose_counts_its_time_from_zero() -> None:
    machine = StateMachine()
    machine.lose()
    assert (machine.state, machine.seconds) == (L, 0.0)
    machine.update(CONFIG, 0.0, 0.25, continues=False, agrees=False)
    assert machine.seconds == 0.25
