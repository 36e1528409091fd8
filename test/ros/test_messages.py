# Copyright 2026 mixformer2_ros contributors
# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import math

import numpy as np
import pytest

pytest.importorskip("vision_msgs.msg", reason="needs vision_msgs")
pytest.importorskip("mixformer2_ros.msg", reason="needs the generated messages")

from builtin_interfaces.msg import Time
from std_msgs.msg import Header

from mixformer2_ros.msg import TargetState as TargetStateMessage
from mixformer2_ros.ros.messages import (
    box_to_message,
    direction_message,
    empty_detection,
    exact_stamp,
    fill_detection,
    nanoseconds_to_stamp,
    stamp_to_nanoseconds,
    target_state_message,
)
from mixformer2_ros.srv import SetTarget
from mixformer2_ros.tracking.commands import SetTargetCode
from mixformer2_ros.tracking.crops import Window
from mixformer2_ros.tracking.types import TargetState, TrackResult

HEADER = Header(stamp=Time(sec=12, nanosec=34), frame_id="camera")


def result(state: TargetState = TargetState.TRACKING) -> TrackResult:
    return TrackResult(
        box=np.array([10.0, 20.0, 30.0, 50.0]),
        score=0.75,
        state=state,
        velocity=np.array([1.0, -2.0, 0.5]),
        last_seen=12.0,
        window=Window(0, 0, 100),
    )


@pytest.mark.parametrize("nanoseconds", [0, 1, 999_999_999, 1_700_000_000_123_456_789, -5])
def test_stamps_round_trip(nanoseconds):
    assert stamp_to_nanoseconds(nanoseconds_to_stamp(nanoseconds)) == nanoseconds


def test_stamps_stay_within_what_a_message_holds():
    assert nanoseconds_to_stamp(1 << 63).sec == (1 << 31) - 1
    assert nanoseconds_to_stamp(-(1 << 63)).sec == -(1 << 31)


def test_stamps_in_float_seconds_are_the_images_own():
    image = Time(sec=1_700_000_000, nanosec=123_456_789)
    seconds = stamp_to_nanoseconds(image) * 1e-9
    assert exact_stamp(seconds, image) == image
    assert exact_stamp(seconds + 0.1, image) != image
    assert stamp_to_nanoseconds(exact_stamp(2.5, None)) == 2_500_000_000
    assert exact_stamp(None, image) == Time()


def test_the_numbers_of_the_interfaces_are_the_trackers():
    for state in TargetState:
        assert getattr(TargetStateMessage, state.name) == state
    for code in SetTargetCode:
        assert getattr(SetTarget.Response, code.name) == code


def test_boxes_become_centre_and_size():
    message = box_to_message(np.array([10.0, 20.0, 30.0, 50.0]))
    assert (message.center.position.x, message.center.position.y) == (25.0, 45.0)
    assert (message.size_x, message.size_y) == (30.0, 50.0)
    assert message.center.theta == 0.0


def test_a_detection_can_be_filled_again_and_again():
    message = fill_detection(empty_detection(), HEADER, "a", "drone", result())
    hypothesis = message.results[0].hypothesis
    assert (message.header, message.id, len(message.results)) == (HEADER, "a", 1)
    assert (hypothesis.class_id, hypothesis.score) == ("drone", 0.75)
    assert message.bbox == box_to_message(result().box)
    again = fill_detection(message, Header(frame_id="other"), "b", "bird", result())
    assert again is message
    assert (again.header.frame_id, again.id, again.results[0].hypothesis.class_id) == (
        "other",
        "b",
        "bird",
    )


def test_a_target_state_has_all_there_is():
    seen = Time(sec=11, nanosec=5)
    message = target_state_message("a", result(TargetState.LOST), seen, (0.1, -0.2))
    assert (message.target_id, message.state) == ("a", TargetStateMessage.LOST)
    assert message.score == pytest.approx(0.75)
    assert (message.velocity.x, message.velocity.y, message.velocity.z) == (1.0, -2.0, 0.5)
    assert (message.azimuth, message.elevation) == pytest.approx((0.1, -0.2))
    assert message.last_seen == seen
    unknown = target_state_message("a", result(), seen, None)
    assert math.isnan(unknown.azimuth)
    assert math.isnan(unknown.elevation)


def test_a_direction_is_stamped_like_the_image():
    message = direction_message(HEADER, np.array([0.0, 0.6, 0.8]))
    assert message.header == HEADER
    assert (message.vector.x, message.vector.y, message.vector.z) == (0.0, 0.6, 0.8)
