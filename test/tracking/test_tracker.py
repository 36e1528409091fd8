# Copyright 2026 mixformer2_ros contributors
# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import numpy as np
import pytest

from mixformer2_ros.tracking.config import TrackerConfig
from mixformer2_ros.tracking.frame import ArrayFrame
from mixformer2_ros.tracking.tracker import Tracker
from mixformer2_ros.tracking.types import TargetState

T, U, L = TargetState.TRACKING, TargetState.UNCERTAIN, TargetState.LOST


def overlap(a, b) -> float:
    w = min(a[0] + a[2], b[0] + b[2]) - max(a[0], b[0])
    h = min(a[1] + a[3], b[1] + b[3]) - max(a[1], b[1])
    common = max(w, 0) * max(h, 0)
    return common / (a[2] * a[3] + b[2] * b[3] - common)


@pytest.mark.parametrize("config", [TrackerConfig(), TrackerConfig.paper()])
def test_follows_a_moving_and_growing_target(doubles, world, config) -> None:
    tracker = Tracker(doubles.Colour(), config)
    tracker.init(world.paint((100, 100, 40, 30)), (100, 100, 40, 30))
    for step in range(1, 40):
        box = (100 + 6 * step, 100 + 3 * step, 40 + step, 30 + step)
        result = tracker.update(world.paint(box))
        assert overlap(result.box, box) > 0.85
        assert result.state is T
    np.testing.assert_allclose(result.velocity, [195, 105, 0.42], rtol=0.15)
    assert result.last_seen is None


def test_frames_and_arrays_give_the_same(doubles, world) -> None:
    boxes = []
    for wrap in (np.asarray, ArrayFrame):
        tracker = Tracker(doubles.Colour())
        tracker.init(wrap(world.paint((100, 100, 40, 30))), (100, 100, 40, 30))
        boxes.append(tracker.update(wrap(world.paint((110, 105, 40, 30)))).box)
    np.testing.assert_array_equal(*boxes)


def test_target_that_leaves_is_lost_and_found_when_it_returns(doubles, world) -> None:
    tracker = Tracker(doubles.Colour())
    tracker.init(world.paint((500, 200, 40, 40)), (500, 200, 40, 40), 0.0)
    there = [(500 + 8 * i, 200, 40, 40) for i in range(1, 20)]
    states, last = [], None
    for i in range(90):
        time = (i + 1) / 30
        if i < len(there):
            image = world.paint(there[i])
        elif i < 60:
            image = world.paint()
        else:
            image = world.paint((640 - 4 * (i - 59), 210, 40, 40))
        last = tracker.update(image, time)
        states.append(last.state)
        if last.state is L:
            assert last.last_seen < time
    changes = [state for i, state in enumerate(states) if i == 0 or state is not states[i - 1]]
    assert changes == [T, U, L, T]
    assert overlap(last.box, (520, 210, 40, 40)) > 0.8


def test_box_of_a_lost_target_does_not_move(doubles, world) -> None:
    tracker = Tracker(doubles.Colour())
    tracker.init(world.paint((300, 200, 40, 40)), (300, 200, 40, 40), 0.0)
    results = [tracker.update(world.paint(), i / 30) for i in range(1, 60)]
    lost = [result.box for result in results if result.state is L]
    np.testing.assert_array_equal(lost, [(300, 200, 40, 40)] * len(lost))
    assert len(lost) > 40


def test_distractor_that_flashes_is_not_taken(doubles, world) -> None:
    tracker = Tracker(doubles.Colour())
    tracker.init(world.paint((300, 200, 40, 40)), (300, 200, 40, 40), 0.0)
    time = 0.0
    for _ in range(30):
        time += 1 / 30
        tracker.update(world.paint(), time)
    # Two frames here, two there: never the three in a row that agree.
    for i in range(24):
        time += 1 / 30
        box = (340, 240, 40, 40) if i // 2 % 2 else (270, 160, 40, 40)
        assert tracker.update(world.paint(box), time).state is L
    for _ in range(3):
        time += 1 / 30
        result = tracker.update(world.paint((340, 240, 40, 40)), time)
    assert result.state is T


def test_update_changes_the_online_template_before_it_returns(doubles, world) -> None:
    engine = doubles.Scripted(lambda call: ((0.5, 0.5, 1 / 4.5, 1 / 4.5), 0.9))
    tracker = Tracker(engine, TrackerConfig.paper(update_interval=3))
    tracker.init(world.paint((300, 200, 40, 40)), (300, 200, 40, 40))
    for level in range(1, 7):
        tracker.update(np.full((480, 640, 3), 10 * level, np.uint8))
        assert len(engine.templates) == 1 + level // 3
    initial = [templates[0] for templates in engine.templates]
    assert initial[0] is not initial[1]
    np.testing.assert_array_equal(initial[0], initial[2])
    # All scores are equal: the first frame of every interval is kept.
    assert [int(online[50, 50, 0]) for _, online in engine.templates[1:]] == [10, 40]


def test_init_starts_over(doubles, world) -> None:
    tracker = Tracker(doubles.Colour())
    tracker.init(world.paint((300, 200, 40, 40)), (300, 200, 40, 40))
    for _ in range(60):
        result = tracker.update(world.paint())
    assert result.state is L
    tracker.init(world.paint((50, 60, 30, 30)), (50, 60, 30, 30))
    result = tracker.update(world.paint((52, 60, 30, 30)))
    assert result.state is T
    assert overlap(result.box, (52, 60, 30, 30)) > 0.85


def test_update_before_init_says_what_to_do(doubles, world) -> None:
    with pytest.raises(RuntimeError, match=r"call init\(image, box\) first"):
        Tracker(doubles.Colour()).update(world.paint())


def test_bad_box_and_bad_image_are_refused(doubles, world) -> None:
    tracker = Tracker(doubles.Colour())
    with pytest.raises(ValueError, match="is empty"):
        tracker.init(world.paint(), (10, 10, 0, 5))
    with pytest.raises(ValueError, match="uint8 RGB"):
        tracker.init(world.paint()[..., 0], (10, 10, 5, 5))
