# Copyright 2026 mixformer2_ros contributors
# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import numpy as np
import pytest

from mixformer2_ros.tracking.config import TrackerConfig
from mixformer2_ros.tracking.frame import ArrayFrame
from mixformer2_ros.tracking.multi import MultiTracker

RED_BOX, BLUE_BOX = (100, 100, 40, 40), (400, 300, 50, 30)
BLUE = (20, 40, 230)


@pytest.fixture
def engine(doubles):
    return doubles.Colour()


@pytest.fixture
def image(world) -> np.ndarray:
    image = world.paint(RED_BOX)
    x, y, w, h = BLUE_BOX
    image[y : y + h, x : x + w] = BLUE
    return image


@pytest.fixture
def tracker(engine, image) -> MultiTracker:
    tracker = MultiTracker(engine)
    tracker.add("red", image, RED_BOX)
    tracker.add("blue", image, BLUE_BOX)
    return tracker


def test_all_targets_share_one_forward(tracker, engine, image) -> None:
    results = tracker.update(image)
    assert engine.located == [2]
    assert list(results) == ["red", "blue"]
    np.testing.assert_allclose(results["red"].box, RED_BOX, atol=1.5)
    np.testing.assert_allclose(results["blue"].box, BLUE_BOX, atol=1.5)
    assert tracker.inference_time > 0


def test_same_as_each_target_alone(tracker, doubles, image) -> None:
    together = tracker.update(image)
    for name, box in (("red", RED_BOX), ("blue", BLUE_BOX)):
        alone = MultiTracker(doubles.Colour())
        alone.add(name, image, box)
        np.testing.assert_array_equal(alone.update(image)[name].box, together[name].box)


def test_step_takes_every_target_on_its_own_frame(tracker, engine, image, world) -> None:
    other = ArrayFrame(world.paint((110, 100, 40, 40)))
    results = tracker.step([("blue", ArrayFrame(image), 1.0), ("red", other, 0.5)])
    assert engine.located == [2]
    assert list(results) == ["blue", "red"]
    np.testing.assert_allclose(results["red"].box, (110, 100, 40, 40), atol=1.5)
    assert (results["blue"].last_seen, results["red"].last_seen) == (1.0, 0.5)


def test_nothing_is_computed_without_targets(engine, image) -> None:
    tracker = MultiTracker(engine)
    assert tracker.update(image) == {}
    tracker.refresh_templates()
    assert (engine.located, engine.encoded, tracker.inference_time) == ([], [], 0.0)


def test_restart_keeps_the_place_in_the_order(tracker, image) -> None:
    tracker.add("red", image, BLUE_BOX)
    assert tracker.ids == ("red", "blue")
    np.testing.assert_allclose(tracker.update(image)["red"].box, BLUE_BOX, atol=1.5)


def test_remove_and_clear(tracker, image) -> None:
    assert tracker.remove("red")
    assert not tracker.remove("red")
    assert list(tracker.update(image)) == ["blue"]
    tracker.clear()
    assert tracker.ids == ()


def test_templates_are_refreshed_together_and_only_on_request(engine, image) -> None:
    tracker = MultiTracker(engine, TrackerConfig(update_interval=2))
    tracker.add("red", image, RED_BOX)
    tracker.add("blue", image, BLUE_BOX)
    assert engine.encoded == [1, 1]
    for _ in range(2):
        tracker.update(image)
    assert engine.encoded == [1, 1]
    tracker.refresh_templates()
    tracker.refresh_templates()
    assert engine.encoded == [1, 1, 2]


def test_configure_reaches_every_target(tracker, image) -> None:
    tracker.configure(TrackerConfig(search_factor=3.0))
    results = tracker.update(image)
    assert [result.window.side for result in results.values()] == [120, 117]


def test_failure_leaves_the_targets_as_they_were(tracker, doubles, image) -> None:
    class Broken(ArrayFrame):
        def region(self, x1, y1, x2, y2):
            raise OSError("cannot read")

    good, broken = ArrayFrame(image), Broken(image)
    with pytest.raises(OSError, match="cannot read"):
        tracker.step([("red", good, 1.0), ("blue", broken, 1.0)])
    untouched = MultiTracker(doubles.Colour())
    untouched.add("red", image, RED_BOX)
    untouched.add("blue", image, BLUE_BOX)
    results, expected = tracker.update(image, 0.5), untouched.update(image, 0.5)
    for name in ("red", "blue"):
        assert results[name].last_seen == expected[name].last_seen == 0.5
        np.testing.assert_array_equal(results[name].box, expected[name].box)
        np.testing.assert_array_equal(results[name].velocity, expected[name].velocity)


def test_target_that_cannot_be_encoded_is_not_added(doubles, image) -> None:
    class Failing(doubles.Colour):
        def encode_templates(self, templates, online_templates):
            raise RuntimeError("out of memory")

    tracker = MultiTracker(Failing())
    with pytest.raises(RuntimeError, match="out of memory"):
        tracker.add("red", image, RED_BOX)
    assert tracker.ids == ()
