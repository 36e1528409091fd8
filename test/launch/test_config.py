# Copyright 2026 mixformer2_ros contributors
# SPDX-License-Identifier: Apache-2.0
"""The parameter files are read by the node they are meant for."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

rclpy = pytest.importorskip("rclpy", reason="ROS 2 is not here")
pytest.importorskip("mixformer2_ros.srv", reason="the interfaces are not built")

from mixformer2_ros.nodes.tracker_node import TrackerNode  # noqa: E402

CONFIG = Path(__file__).resolve().parents[2] / "config"
FILES = sorted(CONFIG.glob("*.yaml"))


@pytest.fixture
def context() -> Iterator[Any]:
    context = rclpy.context.Context()
    rclpy.init(context=context)
    yield context
    rclpy.shutdown(context=context)


def test_there_is_one_for_a_cpu_and_one_for_a_jetson() -> None:
    assert {"cpu.yaml", "jetson.yaml"} <= {file.name for file in FILES}


@pytest.mark.parametrize("namespace", ["", "/front/camera"])
@pytest.mark.parametrize("file", FILES, ids=lambda file: file.name)
def test_node_takes_every_value_in_any_namespace(file: Path, namespace: str, context: Any) -> None:
    (entry,) = yaml.safe_load(file.read_text()).values()
    wanted = entry["ros__parameters"]
    arguments = ["--ros-args", "--params-file", str(file), "-p", "autostart:=false"]
    node = TrackerNode(cli_args=arguments, namespace=namespace, context=context)
    try:
        assert {name: node.get_parameter(name).value for name in wanted} == wanted
    finally:
        node.destroy_node()
