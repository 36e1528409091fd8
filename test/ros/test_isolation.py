# Copyright 2026 mixformer2_ros contributors
# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import importlib.util
import os
import socket
from pathlib import Path

import pytest

from mixformer2_ros.ros.isolation import free_domain, isolate, make_room_for_images


def test_a_free_domain_is_one_whose_discovery_port_nobody_holds() -> None:
    domain = free_domain()
    assert 1 <= domain <= 100
    with socket.socket(type=socket.SOCK_DGRAM) as taken:
        taken.bind(("", 7400 + 250 * domain + 10))
        assert free_domain() != domain


def test_isolation_leaves_no_way_to_others(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("ROS_DOMAIN_ID", "ROS_AUTOMATIC_DISCOVERY_RANGE", "ROS_STATIC_PEERS"):
        monkeypatch.setenv(name, "other")  # so that what is set below is undone
    isolate()
    assert 1 <= int(os.environ["ROS_DOMAIN_ID"]) <= 100
    assert os.environ["ROS_AUTOMATIC_DISCOVERY_RANGE"] == "LOCALHOST"
    assert "ROS_STATIC_PEERS" not in os.environ


def test_the_fast_dds_profile_is_used_unless_the_user_has_one(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    pytest.importorskip("rclpy", reason="ROS 2 is not here: source it or use make test")
    modern = importlib.util.find_spec("rclpy.event_handler") is not None
    name = "FASTDDS_DEFAULT_PROFILES_FILE" if modern else "FASTRTPS_DEFAULT_PROFILES_FILE"
    monkeypatch.setenv(name, "")  # so that what is set below is undone
    monkeypatch.delenv(name)
    monkeypatch.setattr("mixformer2_ros.ros.isolation._LEAST_SHARED_MEMORY", 0)
    assert make_room_for_images()
    assert Path(os.environ[name]).name == "fastdds.xml"
    monkeypatch.setenv(name, "own.xml")
    assert make_room_for_images()
    assert os.environ[name] == "own.xml"
    monkeypatch.delenv(name)
    monkeypatch.setattr("mixformer2_ros.ros.isolation._LEAST_SHARED_MEMORY", 1 << 60)
    assert not make_room_for_images()
    assert name not in os.environ
