# Copyright 2026 mixformer2_ros contributors
# SPDX-License-Identifier: Apache-2.0
"""track.launch.py on the real launch stack, with the real nodes."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

NO_LAUNCH = "launch_ros is not here (the ROS 2 wheels do not carry it)"
launch = pytest.importorskip("launch", reason=NO_LAUNCH)
pytest.importorskip("launch_ros", reason=NO_LAUNCH)
rclpy = pytest.importorskip("rclpy", reason="ROS 2 is not here")
pytest.importorskip("mixformer2_ros.srv", reason="the interfaces are not built")

from launch.actions import IncludeLaunchDescription  # noqa: E402
from launch.launch_description_sources import PythonLaunchDescriptionSource  # noqa: E402
from lifecycle_msgs.srv import GetState  # noqa: E402
from rcl_interfaces.srv import GetParameters  # noqa: E402
from rclpy.executors import SingleThreadedExecutor  # noqa: E402

from mixformer2_ros.msg import TrackerState  # noqa: E402

FILE = Path(__file__).resolve().parents[2] / "launch" / "track.launch.py"
START_TIMEOUT = 90.0


class Observer:
    """A client of the launched tracker, on a context of its own."""

    def __init__(self, tracker: str) -> None:
        self.tracker = tracker
        self.states: list[TrackerState] = []
        self.context = rclpy.context.Context()
        rclpy.init(context=self.context)
        self.node = rclpy.create_node("observer", context=self.context)
        self.executor = SingleThreadedExecutor(context=self.context)
        self.executor.add_node(self.node)
        self.node.create_subscription(TrackerState, f"{tracker}/state", self.states.append, 10)

    def spin_until(self, done: Callable[[], bool]) -> None:
        deadline = self.node.get_clock().now() + rclpy.duration.Duration(seconds=START_TIMEOUT)
        while not done():
            assert self.node.get_clock().now() < deadline, "the launched tracker is silent"
            self.executor.spin_once(timeout_sec=0.1)

    def call(self, kind: Any, name: str, request: Any) -> Any:
        client = self.node.create_client(kind, f"{self.tracker}/{name}")
        assert client.wait_for_service(START_TIMEOUT)
        future = client.call_async(request)
        self.executor.spin_until_future_complete(future, START_TIMEOUT)
        return future.result()

    def close(self) -> None:
        self.executor.shutdown()
        self.node.destroy_node()
        rclpy.shutdown(context=self.context)


@pytest.fixture
def observer(monkeypatch: pytest.MonkeyPatch) -> Iterator[Observer]:
    monkeypatch.setenv("ROS_AUTOMATIC_DISCOVERY_RANGE", "LOCALHOST")
    observer = Observer("/front/tracker")
    yield observer
    observer.close()


@pytest.fixture(scope="module")
def checkpoint(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Weights of no use but of the right shape: what is tested here needs no more."""
    pytest.importorskip("torch", reason="PyTorch is not here")
    from safetensors.torch import save_file

    from mixformer2_ros.model import build_model

    path = tmp_path_factory.mktemp("weights") / "small.safetensors"
    save_file(build_model("small").half().state_dict(), path)
    return path


def description(**arguments: str) -> Any:
    source = PythonLaunchDescriptionSource(str(FILE))
    include = IncludeLaunchDescription(source, launch_arguments=arguments.items())
    return launch.LaunchDescription([include])


def run(launched: Any, while_running: Callable[[], None]) -> int:
    """Runs a launch description until a function, in another thread, is done."""

    async def main() -> int:
        service = launch.LaunchService(noninteractive=True)
        service.include_launch_description(launched)
        running = asyncio.create_task(service.run_async())
        try:
            await asyncio.to_thread(while_running)
        finally:
            await service.shutdown()
            code = await running
        return code

    return asyncio.run(main())


def test_every_argument_is_described() -> None:
    arguments = {
        argument.name: argument.description
        for argument in PythonLaunchDescriptionSource(str(FILE))
        .get_launch_description(launch.LaunchContext())
        .get_launch_arguments()
    }
    assert {
        "image",
        "image_transport",
        "model",
        "checkpoint",
        "device",
        "params_file",
        "namespace",
        "log_level",
        "video_source",
        "debug_view",
    } <= set(arguments)
    assert all(len(text) > 20 for text in arguments.values())


@pytest.mark.timeout(240)
@pytest.mark.parametrize("transport", ["raw", "compressed"])
def test_tracker_comes_up_active_and_sees_the_video_source(
    transport: str, checkpoint: Path, observer: Observer, tmp_path: Path
) -> None:
    parameters = tmp_path / "mine.yaml"
    parameters.write_text(
        "/**/tracker: {ros__parameters: {class_id: boat, model: base, device: cpu, threads: 1}}"
    )
    launched = description(
        namespace="front",
        image="camera/image_raw",
        image_transport=transport,
        model="small",
        checkpoint=str(checkpoint),
        params_file=str(parameters),
        video_source="scene",
        debug_view="true",
        log_level="warn",
    )
    seen: dict[str, Any] = {}

    def check() -> None:
        observer.spin_until(lambda: len(observer.states) >= 3)
        state = observer.call(GetState, "get_state", GetState.Request())
        seen["state"] = state.current_state.label
        names = ["class_id", "model", "device", "threads", "image_transport"]
        answer = observer.call(GetParameters, "get_parameters", GetParameters.Request(names=names))
        seen["values"] = [
            value.integer_value if value.type == 2 else value.string_value
            for value in answer.values
        ]
        seen["publishers"] = {
            topic
            for topic, _ in observer.node.get_publisher_names_and_types_by_node(
                "video_publisher", "/front"
            )
        }

    assert run(launched, check) == 0
    assert seen["state"] == "active"
    assert seen["values"] == ["boat", "small", "cpu", 1, transport]
    assert {"/front/camera/image_raw", "/front/camera/camera_info"} <= seen["publishers"]


def test_missing_parameter_file_is_named_with_the_ones_there_are(
    caplog: pytest.LogCaptureFixture,
) -> None:
    service = launch.LaunchService(noninteractive=True)
    service.include_launch_description(description(params_file="nowhere.yaml"))
    assert asyncio.run(service.run_async()) != 0
    assert "nowhere.yaml" in caplog.text
    assert "cpu.yaml, jetson.yaml" in caplog.text
