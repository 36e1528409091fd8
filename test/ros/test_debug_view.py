# Copyright 2026 mixformer2_ros contributors
# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import threading

import numpy as np
import pytest

pytest.importorskip("sensor_msgs.msg", reason="needs the ROS 2 messages")

from std_msgs.msg import Header

from mixformer2_ros.ros.debug_view import DebugView
from mixformer2_ros.tracking.crops import Window
from mixformer2_ros.tracking.frame import ArrayFrame
from mixformer2_ros.tracking.types import TargetState, TrackResult

TIMEOUT = 20.0
RESULT = TrackResult(
    box=np.array([40.0, 40.0, 20.0, 20.0]),
    score=0.1,
    state=TargetState.LOST,
    velocity=np.zeros(3),
    last_seen=None,
    window=Window(10, 12, 80),
)


class Audience:
    """Takes what a view publishes and reports; it may be slow or clumsy."""

    def __init__(self):
        self.images, self.errors = [], []
        self.watching = True
        self.failure = None
        self.entered, self.go_on, self.done = (threading.Event() for _ in range(3))
        self.go_on.set()
        self.view = DebugView(lambda: self.watching, self._take, self._complain)

    def _take(self, image):
        self.entered.set()
        assert self.go_on.wait(TIMEOUT)
        if self.failure:
            raise self.failure
        self.images.append(image)
        self.done.set()

    def _complain(self, text):
        self.errors.append(text)
        self.done.set()

    def show(self, name="", image=None):
        image = np.zeros((120, 160, 3), np.uint8) if image is None else image
        self.view.show(Header(frame_id=name), ArrayFrame(image), {"a": RESULT})

    def wait(self):
        assert self.done.wait(TIMEOUT)
        self.done.clear()


@pytest.fixture
def audience():
    audience = Audience()
    yield audience
    audience.go_on.set()
    audience.view.stop()


def test_a_lost_targets_search_region_is_drawn_and_the_frame_stays_as_it_is(audience):
    image = np.zeros((120, 160, 3), np.uint8)
    audience.show("camera", image)
    audience.wait()
    message = audience.images[0]
    pixels = np.frombuffer(message.data, np.uint8).reshape(120, 160, 3)
    assert message.header.frame_id == "camera"
    assert pixels[60, 10].any()
    assert pixels[92, 50].any()
    assert not image.any()


def test_nothing_is_drawn_without_a_watcher(audience):
    audience.watching = False
    audience.show("unseen")
    audience.watching = True
    audience.show("seen")
    audience.wait()
    assert [image.header.frame_id for image in audience.images] == ["seen"]


def test_of_waiting_frames_only_the_newest_is_drawn(audience):
    audience.go_on.clear()
    audience.show("1")
    assert audience.entered.wait(TIMEOUT)
    for name in "234":
        audience.show(name)
    audience.go_on.set()
    audience.wait()
    if len(audience.images) < 2:
        audience.wait()
    assert [image.header.frame_id for image in audience.images] == ["1", "4"]


def test_errors_are_reported_and_the_next_frame_is_drawn(audience):
    audience.failure = RuntimeError("no more memory")
    audience.show()
    audience.wait()
    assert "no more memory" in audience.errors[0]
    audience.failure = None
    audience.show()
    audience.wait()
    assert len(audience.images) == 1
