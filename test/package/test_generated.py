# Copyright 2026 mixformer2_ros contributors
# SPDX-License-Identifier: Apache-2.0
"""The generated interfaces, and the numbers that plain Python shares with them."""

from __future__ import annotations

import pytest

interfaces = pytest.importorskip(
    "mixformer2_ros.srv", reason="the interfaces are not built (needs ROS 2 and colcon)"
)


def test_set_target_codes_equal_the_session_s() -> None:
    from mixformer2_ros.tracking.session import SetTargetCode

    response = interfaces.SetTarget.Response
    assert {code.name: code.value for code in SetTargetCode} == {
        code.name: getattr(response, code.name) for code in SetTargetCode
    }
    assert len(SetTargetCode) == 8


def test_target_states_equal_the_tracker_s() -> None:
    from mixformer2_ros.msg import TargetState as Message
    from mixformer2_ros.tracking import TargetState

    assert {state.name: state.value for state in TargetState} == {
        state.name: getattr(Message, state.name) for state in TargetState
    }
    assert len(TargetState) == 4


def test_vision_msgs_has_the_fields_of_4_1() -> None:
    from vision_msgs.msg import BoundingBox2D, Detection2D, ObjectHypothesisWithPose, Pose2D

    assert Pose2D.get_fields_and_field_types() == {
        "position": "vision_msgs/Point2D",
        "theta": "double",
    }
    assert BoundingBox2D.get_fields_and_field_types() == {
        "center": "vision_msgs/Pose2D",
        "size_x": "double",
        "size_y": "double",
    }
    assert ObjectHypothesisWithPose.get_fields_and_field_types() == {
        "hypothesis": "vision_msgs/ObjectHypothesis",
        "pose": "geometry_msgs/PoseWithCovariance",
    }
    assert Detection2D.get_fields_and_field_types() == {
        "header": "std_msgs/Header",
        "results": "sequence<vision_msgs/ObjectHypothesisWithPose>",
        "bbox": "vision_msgs/BoundingBox2D",
        "id": "string",
    }
