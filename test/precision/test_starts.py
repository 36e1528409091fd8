# Copyright 2026 mixformer2_ros contributors
# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

from pathlib import Path

import numpy as np

from mixformer2_ros.evaluation.datasets import Sequence
from mixformer2_ros.precision.starts import SHIFTS, shifted


def test_the_first_start_is_the_box_as_given_and_no_two_are_alike():
    assert SHIFTS[0] == (0.0, 0.0)
    assert len(set(SHIFTS)) == len(SHIFTS) == 9


def test_another_start_moves_the_first_box_only():
    truth = np.array([[10.0, 20, 50, 100], [12, 20, 50, 100]])
    frames = [Path("0.png"), Path("1.png")]
    sequence = Sequence("s", frames, truth, np.zeros(2, bool))
    moved = shifted(sequence, (0.02, -0.02))
    assert moved.truth.tolist() == [[11, 18, 50, 100], [12, 20, 50, 100]]
    assert sequence.truth[0, 0] == 10
