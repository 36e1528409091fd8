# Copyright 2026 mixformer2_ros contributors
# SPDX-License-Identifier: Apache-2.0
"""What differs between distributions and middlewares, each side of it on every one of them."""

from __future__ import annotations

from types import SimpleNamespace

import pytest

pytest.importorskip("rclpy", reason="needs ROS 2")

from mixformer2_ros.ros import qos
from mixformer2_ros.ros.lifecycle import answer_impossible_transitions


class Log:
    def __init__(self):
        self.errors = []

    def error(self, text):
        self.errors.append(text)


def managed_node(change_state):
    log = Log()
    service = SimpleNamespace(callback=change_state)
    return SimpleNamespace(_service_change_state=service, get_logger=lambda: log), log


def test_an_impossible_transition_is_answered_where_rclpy_raises():
    def change_state(request, response):
        raise RuntimeError("no transition from active")

    node, log = managed_node(change_state)
    answer_impossible_transitions(node)
    response = node._service_change_state.callback("activate", SimpleNamespace(success=True))
    assert response.success is False
    assert "no transition from active" in log.errors[0]


def test_possible_transitions_are_answered_by_rclpy():
    node, log = managed_node(lambda request, response: (request, response))
    answer_impossible_transitions(node)
    assert node._service_change_state.callback("activate", "response") == ("activate", "response")
    assert not log.errors


def test_nodes_without_the_service_stay_as_they_are():
    node = SimpleNamespace()
    answer_impossible_transitions(node)
    assert not vars(node)


def test_middlewares_without_qos_events_can_be_subscribed_to():
    asked = []

    def create_subscription(*arguments, **options):
        asked.append(options)
        if "event_callbacks" in options:
            raise qos.UnsupportedEventTypeError("no such event")
        return "subscription"

    node = SimpleNamespace(create_subscription=create_subscription)
    made = qos.create_watched_subscription(node, object, "image", print, print)
    assert made == "subscription"
    assert len(asked) == 2


def test_profiles_are_new_each_time():
    # rclpy writes overrides into them.
    for profile in (qos.sensor_qos, qos.result_qos, qos.image_result_qos):
        assert profile() is not profile()
    assert qos.sensor_qos().depth == 1
