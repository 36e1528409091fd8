# Copyright 2026 mixformer2_ros contributors
# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import numpy as np
import pytest

from mixformer2_ros.tracking.frame import ArrayFrame
from mixformer2_ros.tracking.history import FrameHistory


def frame(nbytes: int = 300) -> ArrayFrame:
    return ArrayFrame(np.zeros((1, nbytes // 3, 3), np.uint8))


@pytest.fixture
def history() -> FrameHistory:
    history = FrameHistory(900)
    for stamp in (10, 20, 30):
        history.add(stamp, frame())
    return history


def test_is_empty_at_first() -> None:
    history = FrameHistory(900)
    assert (len(history), history.oldest, history.newest) == (0, None, None)
    assert history.nearest(5) is None
    assert history.after(5) == []


def test_bytes_are_bounded_and_the_oldest_go_first(history: FrameHistory) -> None:
    assert (len(history), history.nbytes) == (3, 900)
    oldest = [kept for _, kept in history.after(0)][:2]
    assert history.add(40, frame(600)) == oldest
    assert (history.oldest, history.newest, history.nbytes) == (30, 40, 900)


def test_newest_frame_is_kept_even_when_it_is_too_large(history: FrameHistory) -> None:
    history.add(40, frame(3000))
    assert (len(history), history.newest, history.nbytes) == (1, 40, 3000)
    history.add(50, frame())
    assert (len(history), history.newest, history.nbytes) == (1, 50, 300)


@pytest.mark.parametrize(
    ("stamp", "expected"),
    [(-5, 10), (10, 10), (14, 10), (16, 20), (20, 20), (29, 30), (10**18, 30)],
)
def test_nearest(history: FrameHistory, stamp: int, expected: int) -> None:
    assert history.nearest(stamp)[0] == expected


def test_after_is_oldest_first(history: FrameHistory) -> None:
    assert [stamp for stamp, _ in history.after(10)] == [20, 30]
    assert [stamp for stamp, _ in history.after(0)] == [10, 20, 30]
    assert history.after(30) == []


@pytest.mark.parametrize("stamp", [29, 0, -(10**9)])
def test_time_that_jumps_back_clears(history: FrameHistory, stamp: int) -> None:
    newest = frame()
    assert len(history.add(stamp, newest)) == 3
    assert history.after(stamp - 1) == [(stamp, newest)]
    assert (len(history), history.nbytes) == (1, 300)


def test_same_stamp_replaces(history: FrameHistory) -> None:
    newest = frame(600)
    before = history.nearest(30)[1]
    assert history.add(30, newest)[0] is before
    assert history.nearest(30) == (30, newest)
    assert (len(history), history.nbytes) == (2, 900)


def test_clear(history: FrameHistory) -> None:
    history.clear()
    assert (len(history), history.nbytes, history.newest) == (0, 0, None)
