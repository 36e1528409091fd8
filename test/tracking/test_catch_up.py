# Copyright 2026 mixformer2_ros contributors
# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import numpy as np

from mixformer2_ros.tracking.catch_up import MAX_ROUNDS, CatchUp
from mixformer2_ros.tracking.frame import ArrayFrame
from mixformer2_ros.tracking.history import FrameHistory

FRAME = ArrayFrame(np.zeros((1, 1, 3), np.uint8))


def rounds(behind: int, new_per_round: int = 0) -> list[int]:
    """Return the stamps that a target visits, with new frames arriving after every round."""
    history = FrameHistory(1 << 20)
    for stamp in range(behind + 1):
        history.add(stamp, FRAME)
    catch_up, visited, newest = CatchUp(0), [], behind
    while not catch_up.done:
        job = catch_up.next_frame(history)
        if job is not None:
            visited.append(job[0])
        if catch_up.done:
            break
        for _ in range(new_per_round):
            newest += 1
            history.add(newest, FRAME)
    assert not visited or visited[-1] == newest
    return visited


def test_few_frames_are_all_visited() -> None:
    assert rounds(0) == []
    assert rounds(1) == [1]
    assert rounds(MAX_ROUNDS) == list(range(1, MAX_ROUNDS + 1))


def test_many_frames_are_visited_in_even_strides() -> None:
    assert rounds(30) == list(range(3, 31, 3))
    visited = rounds(1000)
    assert len(visited) == MAX_ROUNDS
    assert set(np.diff(visited)) == {100}


def test_new_frames_do_not_delay_the_end() -> None:
    for new_per_round in (1, 3, 20):
        assert len(rounds(30, new_per_round)) <= MAX_ROUNDS


def test_history_that_was_reset_ends_it() -> None:
    history = FrameHistory(1 << 20)
    history.add(5, FRAME)
    catch_up = CatchUp(1000)
    assert catch_up.next_frame(history) is None
    assert catch_up.done
