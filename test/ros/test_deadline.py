# Copyright 2026 mixformer2_ros contributors
# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import pytest

from mixformer2_ros.ros.deadline import Deadline


@pytest.fixture
def deadline() -> Deadline:
    deadline = Deadline(window=5.0)
    deadline.budget = 0.030
    return deadline


def test_late_frames_are_counted_and_explained(deadline: Deadline) -> None:
    for index, seconds in enumerate((0.010, 0.0301, 0.030, 0.0456)):
        deadline.frame(seconds, now=float(index))
    assert deadline.misses == 2
    text = deadline.problem(4.0)
    assert "2 of the last 4 frames took longer than deadline_ms 30" in text
    assert "45.6 ms" in text
    for cure in ("smaller model", "lower precision", "fewer threads", "cpu_affinity"):
        assert cure in text


def test_what_is_long_ago_is_counted_but_no_problem_any_more(deadline: Deadline) -> None:
    deadline.frame(0.1, now=0.0)
    assert deadline.problem(5.0)
    assert not deadline.problem(5.1)
    assert deadline.misses == 1
    deadline.restart()
    assert deadline.misses == 0


def test_without_a_budget_nothing_is_late(deadline: Deadline) -> None:
    deadline.budget = 0.0
    deadline.frame(100.0, now=0.0)
    assert (deadline.misses, deadline.problem(0.0)) == (0, "")


def test_a_new_budget_judges_the_newest_frames_anew(deadline: Deadline) -> None:
    deadline.frame(0.020, now=0.0)
    assert not deadline.problem(0.1)
    deadline.budget = 0.015
    assert "deadline_ms 15" in deadline.problem(0.1)
