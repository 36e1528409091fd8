# Copyright 2026 mixformer2_ros contributors
# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import numpy as np

from mixformer2_ros.evaluation.events import (
    failures,
    frames_to_declare_loss,
    frames_to_reacquire,
    runs,
)
from mixformer2_ros.tracking.types import TargetState

ON, OFF = 0.8, 0.05


def test_runs():
    mask = np.array([True, True, False, True, False, False, True])
    assert runs(mask).tolist() == [[0, 2], [3, 4], [6, 7]]
    assert runs(np.zeros(3, bool)).shape == (0, 2)


def test_a_failure_is_ten_frames_in_a_row():
    overlaps = np.array([ON] * 3 + [OFF] * 9 + [ON] * 2 + [OFF] * 10 + [ON] + [OFF] * 30)
    assert failures(overlaps, np.zeros(len(overlaps), bool)).tolist() == [14, 25]


def test_absent_frames_neither_make_nor_break_a_failure():
    overlaps = np.array([ON] + [0.0] * 8 + [OFF] * 5 + [0.0] * 4 + [OFF] * 5)
    absent = np.zeros(len(overlaps), bool)
    absent[1:9] = absent[14:18] = True
    assert failures(overlaps, absent).tolist() == [9]


def test_time_to_declare_a_loss():
    overlaps = np.array([ON] * 2 + [OFF] * 12 + [ON] * 3 + [0.0] * 10 + [ON] * 2 + [OFF] * 5)
    states = np.full(len(overlaps), TargetState.TRACKING, np.int8)
    states[6:15] = TargetState.LOST
    assert frames_to_declare_loss(overlaps, states).tolist() == [4, np.inf]


def test_time_to_find_a_target_again():
    absent = np.array([True] + [False] * 3 + [True] * 2 + [False] * 4 + [True] + [False] * 2)
    overlaps = np.array([0, ON, ON, ON, 0, 0, 0.2, ON, ON, ON, 0, 0.3, 0.4])
    states = np.full(len(overlaps), TargetState.TRACKING, np.int8)
    states[7] = TargetState.LOST  # it covers the target but says that it has lost it
    assert frames_to_reacquire(overlaps, absent, states).tolist() == [0, 2, np.inf]


def test_trackers_without_states_are_taken_by_their_boxes():
    absent = np.array([False, True, False, False])
    overlaps = np.array([ON, 0, 0, ON])
    assert frames_to_reacquire(overlaps, absent, np.full(4, -1, np.int8)).tolist() == [1]
