# Copyright 2026 mixformer2_ros contributors
# SPDX-License-Identifier: Apache-2.0
"""Scores a live tracker node by what it really publishes.

Waits for the tracker, says `evaluator: ready`, sets the target on the first processed frame whose
truth is known, records until nothing comes any more, and writes results and a report.
"""

from __future__ import annotations

import sys
import time
from pathlib import Path
from typing import Any

import numpy as np
from lifecycle_msgs.msg import State
from lifecycle_msgs.srv import GetState
from numpy.typing import NDArray
from rcl_interfaces.msg import ParameterDescriptor
from rclpy.node import Node
from rclpy.qos import QoSProfile, QoSReliabilityPolicy
from rclpy.task import Future
from vision_msgs.msg import Detection2D

from mixformer2_ros.evaluation.live import LiveRecord, Report, write_scores
from mixformer2_ros.msg import TrackerState
from mixformer2_ros.nodes.running import ros, spin
from mixformer2_ros.ros.messages import (
    box_to_message,
    nanoseconds_to_stamp,
    stamp_to_nanoseconds,
)
from mixformer2_ros.srv import SetTarget
from mixformer2_ros.tracking.types import TargetState

READY = "evaluator: ready"
"""Line on stdout after which frames may be played."""

_EVERYTHING = QoSProfile(depth=1000, reliability=QoSReliabilityPolicy.RELIABLE)
_PERIOD = 0.1


class Evaluator(Node):
    """Records one run of the node `tracker` in its own namespace.

    Attributes:
        record: What was heard.
        finished: Done when the run is over.
    """

    def __init__(self, **node_options: Any) -> None:
        super().__init__("evaluator", **node_options)
        self.record = LiveRecord()
        self.finished: Future = Future()
        self._quiet: float = self._declare(
            "quiet_time", 5.0, "Seconds without a message after which the run is over."
        )
        self.out = Path(self._declare("out", "evaluation", "Folder of the results."))
        self.run_name: str = self._declare("name", "live", "Name of the run in the results.")
        self._state = self.create_client(GetState, "tracker/get_state")
        self._set_target = self.create_client(SetTarget, "tracker/set_target")
        self._answer: Future | None = None
        self._is_ready = False
        self._heard: float | None = None
        self.create_subscription(Detection2D, "truth", self._on_truth, _EVERYTHING)
        self.create_subscription(TrackerState, "tracker/state", self._on_state, _EVERYTHING)
        self._timer = self.create_timer(_PERIOD, self._tick)

    def _declare(self, name: str, default: Any, description: str) -> Any:
        descriptor = ParameterDescriptor(description=description, read_only=True)
        return self.declare_parameter(name, default, descriptor).value

    def _tick(self) -> None:
        if not self._is_ready:
            self._ask_whether_active()
        elif self._heard is not None and time.monotonic() - self._heard > self._quiet:
            self._timer.cancel()
            self.finished.set_result(None)

    def _ask_whether_active(self) -> None:
        if self._answer is not None and self._answer.done():
            answer, self._answer = self._answer.result(), None
            if answer is not None and answer.current_state.id == State.PRIMARY_STATE_ACTIVE:
                self._is_ready = True
                print(READY, flush=True)
        elif self._answer is None and self._state.service_is_ready():
            self._answer = self._state.call_async(GetState.Request())

    def _on_truth(self, message: Detection2D) -> None:
        self._heard = time.monotonic()
        stamp = stamp_to_nanoseconds(message.header.stamp)
        self.record.add_truth(stamp, _box(message), self._heard)

    def _on_state(self, message: TrackerState) -> None:
        arrival = self._heard = time.monotonic()
        stamp = stamp_to_nanoseconds(message.header.stamp)
        if self.record.start is None:
            self._start_on(stamp)
        for target in message.targets[:1]:
            box = _box(target)
            state = TargetState(target.state)
            self.record.reports[stamp] = Report(box, float(target.score), state, arrival)

    def _start_on(self, stamp: int) -> None:
        if self._answer is not None or not self.record.visible(stamp):
            return
        request = SetTarget.Request()
        request.header.stamp = nanoseconds_to_stamp(stamp)
        request.bbox = box_to_message(self.record.truths[stamp])
        self._answer = self._set_target.call_async(request)
        self._answer.add_done_callback(self._on_set)

    def _on_set(self, future: Future) -> None:
        self._answer = None
        answer = future.result()
        if answer.success:
            self.record.start = stamp_to_nanoseconds(answer.stamp)
        else:
            self.get_logger().warning(f"set_target, code {answer.code}: {answer.message}")


def _box(message: Any) -> NDArray[np.float64]:
    """Box x, y, w, h of a message; NaN where it has no area (target not visible)."""
    centre, width, height = message.bbox.center.position, message.bbox.size_x, message.bbox.size_y
    if not (width > 0 and height > 0):
        return np.full(4, np.nan)
    return np.array([centre.x - width / 2, centre.y - height / 2, width, height], np.float64)


def main(args: list[str] | None = None) -> None:
    """Run until the run is over; exit code 1 when there is nothing to score.

    Args:
        args: Command line with ROS arguments; None takes the process's own.
    """
    try:
        with ros("evaluator", args):
            node = Evaluator()
            spin(node, node.finished)
            print(write_scores(node.record, node.out, node.run_name), flush=True)
    except (ValueError, OSError) as error:
        sys.exit(f"evaluator: {error}")


if __name__ == "__main__":
    main()
