# Copyright 2026 mixformer2_ros contributors
# SPDX-License-Identifier: Apache-2.0
"""The client of the demo: sets the target like an operator would, and records the answers."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import rclpy
from diagnostic_msgs.msg import DiagnosticArray, DiagnosticStatus
from lifecycle_msgs.msg import State
from lifecycle_msgs.srv import GetState
from numpy.typing import NDArray
from rclpy.executors import SingleThreadedExecutor
from rclpy.qos import QoSDurabilityPolicy, QoSProfile, QoSReliabilityPolicy
from rclpy.signals import SignalHandlerOptions
from sensor_msgs.msg import CameraInfo
from vision_msgs.msg import Detection2D

from mixformer2_ros.demo.errors import DemoError
from mixformer2_ros.demo.recording import Detection, Observation, Recording
from mixformer2_ros.msg import TrackerState
from mixformer2_ros.ros.messages import (
    box_to_message,
    nanoseconds_to_stamp,
    stamp_to_nanoseconds,
)
from mixformer2_ros.srv import SetTarget
from mixformer2_ros.tracking.types import TargetState

_EVERYTHING = QoSProfile(depth=1000, reliability=QoSReliabilityPolicy.RELIABLE)
# The first ones may come before this node has noticed their publisher.
_FROM_THE_FIRST = QoSProfile(
    depth=1000,
    reliability=QoSReliabilityPolicy.RELIABLE,
    durability=QoSDurabilityPolicy.TRANSIENT_LOCAL,
)
_TURN = 0.1
_ANSWER_LIMIT = 20.0


class Client:
    """A node that talks to `/tracker` and `/video_publisher`.

    Args:
        watch: called again and again while waiting; raises when a process has died.
    """

    def __init__(self, watch: Callable[[], None]) -> None:
        self.recording = Recording()
        self._watch = watch
        self._problem = ""
        self._changed = time.monotonic()

    def __enter__(self) -> Client:
        """Start ROS and subscribe."""
        # Python keeps its own signal handlers: interrupts have to reach the cleaning up.
        rclpy.init(signal_handler_options=SignalHandlerOptions.NO)
        self._node = rclpy.create_node("demo")
        self._executor = SingleThreadedExecutor()
        self._executor.add_node(self._node)
        subscribe = self._node.create_subscription
        subscribe(CameraInfo, "camera_info", self._on_camera_info, _FROM_THE_FIRST)
        subscribe(Detection2D, "video_publisher/truth", self._on_truth, _FROM_THE_FIRST)
        subscribe(TrackerState, "tracker/state", self._on_state, _EVERYTHING)
        subscribe(Detection2D, "tracker/detection", self._on_detection, _EVERYTHING)
        subscribe(DiagnosticArray, "/diagnostics", self._on_diagnostics, 10)
        self._get_state = self._node.create_client(GetState, "tracker/get_state")
        self._set_target = self._node.create_client(SetTarget, "tracker/set_target")
        return self

    def __exit__(self, *_: object) -> None:
        """Leave ROS."""
        self._executor.shutdown()
        self._node.destroy_node()
        rclpy.try_shutdown()

    def wait_for(self, condition: Callable[[], bool], limit: float, what: str) -> None:
        """Take messages in until a condition holds.

        Args:
            condition: asked after every message.
            limit: seconds without any message of a frame after which it is given up.
            what: what is waited for, in words.

        Raises:
            DemoError: in vain, or what `watch` raises.
        """
        self.drain(condition, limit)
        if not condition():
            raise DemoError(f"waited {limit:.0f} s in vain for {what}")

    def drain(self, condition: Callable[[], bool], limit: float) -> None:
        """Take messages in until a condition holds or none has come for a while.

        Args:
            condition: asked after every message.
            limit: seconds without any message of a frame.
        """
        self._changed = time.monotonic()
        while not condition() and time.monotonic() - self._changed < limit:
            self._watch()
            self._executor.spin_once(timeout_sec=_TURN)

    def wait_until_active(self, limit: float) -> None:
        """Wait until the tracker has loaded its model and is active.

        Raises:
            DemoError: in vain, or the tracker reports a problem.
        """
        self.wait_for(self._get_state.service_is_ready, limit, "the tracker node to appear")
        while self._call(self._get_state, GetState.Request(), limit).current_state.id != (
            State.PRIMARY_STATE_ACTIVE
        ):
            if self._problem:
                raise DemoError(f"the tracker reports: {self._problem}")

    def set_target(self, box: Sequence[float] | None, limit: float) -> str:
        """Set the target as soon as the tracker has processed an image.

        Args:
            box: x, y, w, h in pixels of the source's first frame; None takes the truth of the
                first processed frame that shows the target.
            limit: seconds to wait for an image.

        Returns:
            What the tracker answered.

        Raises:
            DemoError: no image came, or the request was refused or not answered.
        """
        recording = self.recording

        def visible() -> list[int]:
            return [
                stamp
                for stamp in sorted(recording.processed)
                if np.isfinite(recording.truths.get(stamp, np.nan)).all()
            ]

        request = SetTarget.Request()
        if box is None:
            self.wait_for(lambda: bool(visible()), limit, "an image of the target to be processed")
            stamp = visible()[0]
            given = recording.truths[stamp]
        else:
            what = "the first image to be processed"
            self.wait_for(lambda: bool(recording.stamps and recording.processed), limit, what)
            stamp, given = recording.stamps[0], np.array(box, np.float64)
        request.header.stamp = nanoseconds_to_stamp(stamp)
        request.bbox = box_to_message(given)
        answer = self._call(self._set_target, request, _ANSWER_LIMIT)
        if not answer.success:
            raise DemoError(f"the target was not set (code {answer.code}): {answer.message}")
        recording.start = stamp_to_nanoseconds(answer.stamp)
        return str(answer.message)

    def _call(self, client: Any, request: Any, limit: float) -> Any:
        future = client.call_async(request)
        self.wait_for(future.done, limit, f"an answer of {client.srv_name}")
        return future.result()

    def _on_camera_info(self, message: CameraInfo) -> None:
        self._changed = time.monotonic()
        self.recording.stamps.append(stamp_to_nanoseconds(message.header.stamp))

    def _on_truth(self, message: Detection2D) -> None:
        box = _box_of(message) if message.results else np.full(4, np.nan)
        self.recording.truths[stamp_to_nanoseconds(message.header.stamp)] = box

    def _on_detection(self, message: Detection2D) -> None:
        stamp = stamp_to_nanoseconds(message.header.stamp)
        age = self._node.get_clock().now().nanoseconds - stamp
        box = _box_of(message)
        self.recording.detections[stamp] = Detection(box, age * 1e-9)

    def _on_state(self, message: TrackerState) -> None:
        self._changed = time.monotonic()
        recording = self.recording
        stamp = stamp_to_nanoseconds(message.header.stamp)
        recording.processed.add(stamp)
        recording.received = message.frames_received
        recording.dropped = message.frames_dropped
        for target in message.targets:
            recording.observations[stamp] = Observation(
                TargetState(target.state), target.score, _box_of(target)
            )

    def _on_diagnostics(self, message: DiagnosticArray) -> None:
        errors = [one.message for one in message.status if one.level == DiagnosticStatus.ERROR]
        self._problem = errors[0] if errors else ""


def _box_of(message: Any) -> NDArray[np.float64]:
    """x, y, w, h of a message with a bounding box."""
    centre, box = message.bbox.center.position, message.bbox
    left, top = centre.x - box.size_x / 2, centre.y - box.size_y / 2
    return np.array([left, top, box.size_x, box.size_y], np.float64)
