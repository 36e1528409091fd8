# Copyright 2026 mixformer2_ros contributors
# SPDX-License-Identifier: Apache-2.0
"""The topics on which the tracker node publishes its results, and what goes on them."""

from __future__ import annotations

from typing import Any, TypeGuard

import numpy as np
from builtin_interfaces.msg import Time
from geometry_msgs.msg import Vector3Stamped
from numpy.typing import NDArray
from rclpy.lifecycle import LifecycleNode
from sensor_msgs.msg import Image
from vision_msgs.msg import Detection2D, Detection2DArray

from mixformer2_ros.msg import TrackerState
from mixformer2_ros.ros.camera import direction_angles
from mixformer2_ros.ros.messages import (
    BELIEVED_STATES,
    direction_message,
    empty_detection,
    exact_stamp,
    fill_detection,
    target_state_message,
)
from mixformer2_ros.ros.qos import image_result_qos, overridable, result_qos
from mixformer2_ros.tracking.session import FrameReport
from mixformer2_ros.tracking.types import TargetState

_COUNTER = 1 << 32

Rays = dict[str, NDArray[np.float64]]
"""Unit vectors to the targets in the camera's optical frame, of those that have one."""


class Outputs:
    """Lifecycle publishers of the results; silent while the node is not active.

    Args:
        node: The publishing node.
    """

    def __init__(self, node: LifecycleNode) -> None:
        self._node = node
        self._created: list[Any] = []
        self._last_seen: dict[str, Time] = {}
        self._kept: dict[str, Detection2D] = {}
        try:
            self.detection = self._create(Detection2D, "detection")
            self.detections = self._create(Detection2DArray, "detections")
            self.state = self._create(TrackerState, "state")
            self.direction = self._create(Vector3Stamped, "target_direction")
            self.debug_image = self._create(Image, "debug_image", image_result_qos())
        except Exception:
            self.destroy()
            raise

    def destroy(self) -> None:
        """Remove the publishers from the node."""
        while self._created:
            self._node.destroy_lifecycle_publisher(self._created.pop())

    def publish_detection(self, header: Any, report: FrameReport, class_id: str) -> None:
        """Publish the primary target's detection: what a controller waits for goes first.

        Args:
            header: The image's header.
            report: What the tracker says.
            class_id: Class name in the detection.
        """
        self._kept = {name: self._kept.get(name) or empty_detection() for name in report.results}
        if _is_believed(report.primary, report):
            self.detection.publish(self._detection(header, report, report.primary, class_id))

    def publish_rest(
        self, header: Any, report: FrameReport, class_id: str, rays: Rays
    ) -> TrackerState:
        """Publish all else about the same frame but the debug image.

        Args:
            header: The image's header.
            report: What the tracker says.
            class_id: Class name in the detections.
            rays: Directions of the targets.

        Returns:
            The published state.
        """
        detections = [
            self._detection(header, report, name, class_id)
            for name in report.results
            if _is_believed(name, report)
        ]
        self.detections.publish(Detection2DArray(header=header, detections=detections))
        primary = report.primary
        if _is_believed(primary, report) and primary in rays:
            self.direction.publish(direction_message(header, rays[primary]))
        state = self._state_message(header, report, rays)
        self.state.publish(state)
        return state

    def _detection(self, header: Any, report: FrameReport, name: str, class_id: str) -> Detection2D:
        return fill_detection(self._kept[name], header, name, class_id, report.results[name])

    def _create(self, message_type: type[Any], name: str, profile: Any = None) -> Any:
        publisher = self._node.create_lifecycle_publisher(
            message_type,
            f"~/{name}",
            profile or result_qos(),
            qos_overriding_options=overridable(),
        )
        self._created.append(publisher)
        return publisher

    def _state_message(self, header: Any, report: FrameReport, rays: Rays) -> TrackerState:
        state = TrackerState(header=header)
        last_seen = {}
        for target_id, result in report.results.items():
            known = header.stamp if result.state is TargetState.TRACKING else None
            stamp = exact_stamp(result.last_seen, known or self._last_seen.get(target_id))
            last_seen[target_id] = stamp
            angles = direction_angles(rays[target_id]) if target_id in rays else None
            state.targets.append(target_state_message(target_id, result, stamp, angles))
        self._last_seen = last_seen
        state.inference_time = float(report.inference_time)
        state.frames_received = report.frames_received % _COUNTER
        state.frames_processed = report.frames_processed % _COUNTER
        state.frames_dropped = report.frames_dropped % _COUNTER
        state.latency = (self._node.get_clock().now().nanoseconds - report.stamp_ns) * 1e-9
        return state


def _is_believed(name: str | None, report: FrameReport) -> TypeGuard[str]:
    return name in report.results and report.results[name].state in BELIEVED_STATES
