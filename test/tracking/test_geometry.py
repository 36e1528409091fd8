# Copyright 2026 mixformer2_ros contributors
# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import math

import pytest

from mixformer2_ros.tracking.geometry import Box, checked_box, clip_box, visible_part


def test_box_knows_its_centre_and_side() -> None:
    box = Box.around(50, 40, 9, 4)
    assert box == (45.5, 38, 9, 4)
    assert (box.cx, box.cy, box.side) == (50, 40, 6)
    assert box.scaled(2, 0.5) == (91, 19, 18, 2)


@pytest.mark.parametrize(
    ("box", "expected"),
    [
        ((50, 40, 20, 10), (50, 40, 20, 10)),
        ((-30, -5, 60, 35), (0, 0, 30, 30)),
        ((80, 70, 60, 60), (80, 70, 20, 10)),
        ((200, 200, 30, 30), (90, 70, 10, 10)),
        ((-90, -90, 30, 30), (0, 0, 10, 10)),
        ((50, 40, -20, 3), (50, 40, 10, 10)),
    ],
)
def test_clip_keeps_a_margin_inside(box, expected) -> None:
    assert clip_box(Box(*box), 100, 80, 10) == expected


def test_clip_in_an_image_smaller_than_the_margin() -> None:
    assert clip_box(Box(2, 3, 50, 50), 6, 8, 10) == (0, 2, 6, 6)


@pytest.mark.parametrize(
    ("box", "touches"),
    [
        ((10, 10, 20, 20), False),
        ((1, 10, 20, 20), True),
        ((10, 2, 20, 20), True),
        ((79, 10, 20, 20), True),
        ((10, 58.5, 20, 20), True),
    ],
)
def test_touches_border(box, touches: bool) -> None:
    assert Box(*box).touches_border(100, 80) is touches


def test_visible_part() -> None:
    assert visible_part(Box(-10, 70, 30, 30), 100, 80) == (0, 70, 20, 10)
    assert visible_part(Box(150, 10, 30, 30), 100, 80).w == 0


def test_checked_box_accepts_a_box_partly_outside() -> None:
    assert checked_box([-10, 10, 30, 20], 100, 80) == (-10, 10, 30, 20)


@pytest.mark.parametrize(
    ("box", "message"),
    [
        ((1, 2, 3), "3 values; give x, y, w, h"),
        ((math.nan, 2, 3, 4), r"\(nan, 2, 3, 4\) is not finite"),
        ((1, 2, math.inf, 4), "is not finite"),
        ((1, 2, 0, 4), "is empty"),
        ((1, 2, 3, -4), "is empty"),
        ((200, 10, 20, 20), "0% of the box .* inside the 100x80 image; draw it"),
        ((-17, 10, 20, 20), "15% of the box"),
        ((10, 10, 1, 20), "2 pixels each way"),
        ((-1e300, -1e300, 2e300, 2e300), "0% of the box"),
    ],
)
def test_checked_box_says_what_is_wrong(box, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        checked_box(box, 100, 80)
