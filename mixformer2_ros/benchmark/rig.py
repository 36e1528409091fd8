# Copyright 2026 mixformer2_ros contributors
# SPDX-License-Identifier: Apache-2.0
"""The tracker node in a process of its own; its camera and its operator in this one."""

from __future__ import annotations

import itertools
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import rclpy
from builtin_interfaces.msg import Time
from numpy.typing import NDArray
from rclpy.executors import ExternalShutdownException, SingleThreadedExecutor
from rclpy.qos import QoSProfile
from sensor_msgs.msg import Image
from std_msgs.msg import Header
from vision_msgs.msg import Detection2D

from mixformer2_ros.benchmark import machine
from mixformer2_ros.benchmark.node_process import Entry, count_entries, read_entries
from mixformer2_ros.msg import TrackerState
from mixformer2_ros.ros.images import rgb_to_message
from mixformer2_ros.ros.isolation import isolate, make_room_for_images
from mixformer2_ros.ros.messages import box_to_message, nanoseconds_to_stamp, stamp_to_nanoseconds
from mixformer2_ros.ros.processes import Children, ros_arguments
from mixformer2_ros.sources import open_source
from mixformer2_ros.srv import ClearTarget, SetTarget

NAMESPACE = "mixformer2_benchmark"
START_LIMIT = 120.0
"""Seconds that a node may take until it follows a target."""

_ANSWER_LIMIT = 10.0
_NODE = "tracker_node"


class Shot(NamedTuple):
    """An image and where the target is in it: x, y, w, h in pixels."""

    message: Image
    box: NDArray[np.float64]


def clip(size: tuple[int, int], encoding: str, frames: int, seed: int = 1) -> list[Shot]:
    """Return images of a scene with a visible target, forwards and backwards, ready to be sent."""
    source = open_source(f"scene:{seed}", size=size)
    shots = [
        Shot(rgb_to_message(frame.image, Header(frame_id="camera"), encoding), frame.truth)
        for frame in itertools.islice(source, frames)
        if frame.truth is not None and np.isfinite(frame.truth).all()
    ]
    return [*shots, *shots[-2:0:-1]]


class Rig:
    """Runs the node with parameters and talks to it, apart from every other ROS 2 system.

    Use it in a `with`.

    Args:
        folder: For logs and what the node writes down.
        parameters: Of the node.
        rate: Images a second.
    """

    def __init__(self, folder: Path, parameters: dict[str, object], rate: float) -> None:
        self.answer_seconds: list[float] = []
        """How long each service call took."""
        self.newest_state: TrackerState | None = None
        self._parameters = parameters
        self._period = 1.0 / rate
        self._file = folder / "frames"
        self._next = 0.0
        self._first_box = threading.Event()
        self._states = threading.Condition()
        self._stack = ExitStack()
        isolate()
        make_room_for_images()
        self._children = Children(folder)

    def __enter__(self) -> Rig:
        """Start ROS here; the node is started by `start`."""
        with ExitStack() as stack:
            rclpy.init(args=[])
            stack.callback(rclpy.try_shutdown)
            stack.enter_context(self._children)
            self._node = rclpy.create_node("camera", namespace=NAMESPACE)
            self._images = self._node.create_publisher(Image, "image", QoSProfile(depth=10))
            self._node.create_subscription(
                Detection2D, "tracker/detection", lambda _: self._first_box.set(), 10
            )
            self._node.create_subscription(TrackerState, "tracker/state", self._on_state, 10)
            self._set = self._node.create_client(SetTarget, "tracker/set_target")
            self._clear = self._node.create_client(ClearTarget, "tracker/clear_target")
            executor = SingleThreadedExecutor()
            executor.add_node(self._node)
            spinner = threading.Thread(target=_spin, args=(executor,), daemon=True)
            spinner.start()
            stack.callback(self._node.destroy_node)
            stack.callback(spinner.join)
            stack.callback(executor.shutdown)
            self._stack = stack.pop_all()
        return self

    def __exit__(self, *_: object) -> None:
        """Stop everything."""
        self._stack.close()

    # The node's process

    def start(self, shots: Iterator[Shot]) -> float:
        """Start the node and set a target as soon as it takes one.

        Returns:
            Seconds from the start of the process to the first published box.

        Raises:
            RuntimeError: No box came in time.
        """
        began = time.monotonic()
        command = [sys.executable, "-m", "mixformer2_ros.benchmark.node_process", str(self._file)]
        self._children.start(_NODE, [*command, *ros_arguments(self._parameters, NAMESPACE)])
        is_set = False
        while not self._first_box.is_set():
            shot = next(shots)
            stamp = self.show(shot.message)
            if not is_set and self._set.service_is_ready() and self.newest_state is not None:
                is_set = self.set_target(shot.box, stamp, "first") == SetTarget.Response.OK
            self.check()
            if time.monotonic() > began + START_LIMIT:
                words = self._children.last_words(_NODE)
                raise RuntimeError(f"no box within {START_LIMIT:g} s{words}")
        return time.monotonic() - began

    def stop(self) -> None:
        """Stop the node, so that it can be started again."""
        self._children.stop(_NODE)
        self._first_box.clear()
        self.newest_state = None

    def check(self) -> None:
        """Raise ChildError with the end of its log if the node has died."""
        if self._children.check(_NODE):
            words = self._children.last_words(_NODE)
            raise RuntimeError(f"the node ended by itself{words}")

    def memory(self, peak: bool = False) -> int:
        """Return the bytes that the node holds, or the most it has held."""
        return machine.resident_memory(self._children.pid(_NODE), peak)

    def entries(self) -> list[Entry]:
        """Return the times of all frames so far."""
        return read_entries(self._file)

    def count(self) -> int:
        """Return the number of `entries`."""
        return count_entries(self._file)

    # The camera

    def show(self, message: Image, stamp_ns: int | None = None) -> int:
        """Publish an image when it is time for the next one; return its stamp in nanoseconds."""
        now = time.monotonic()
        if now < self._next:
            time.sleep(self._next - now)
        self._next = max(self._next, now - self._period) + self._period
        stamp_ns = self._node.get_clock().now().nanoseconds if stamp_ns is None else stamp_ns
        message.header.stamp = nanoseconds_to_stamp(stamp_ns)
        self._images.publish(message)
        return stamp_ns

    def wait_for_state(self, stamp_ns: int, seconds: float) -> bool:
        """Wait for the state of a frame or a newer one; return whether it came in time."""
        with self._states:
            return self._states.wait_for(lambda: self._is_known(stamp_ns), seconds)

    # The operator

    def set_target(self, box: NDArray[np.float64], stamp_ns: int, target_id: str) -> int:
        """Set a target, x, y, w, h in pixels; return the code of the answer."""
        header = Header(stamp=nanoseconds_to_stamp(stamp_ns) if stamp_ns else Time())
        request = SetTarget.Request(header=header, target_id=target_id, bbox=box_to_message(box))
        return self._call(self._set, request).code

    def clear_target(self, target_id: str) -> bool:
        """Clear a target, or all; return whether there was one."""
        return self._call(self._clear, ClearTarget.Request(target_id=target_id)).success

    def _call(self, client: Any, request: Any) -> Any:
        done = threading.Event()
        began = time.perf_counter()
        future = client.call_async(request)
        future.add_done_callback(lambda _: done.set())
        if not done.wait(_ANSWER_LIMIT):
            raise RuntimeError(f"no answer from {client.srv_name} within {_ANSWER_LIMIT:g} s")
        self.answer_seconds.append(time.perf_counter() - began)
        return future.result()

    def _on_state(self, message: TrackerState) -> None:
        with self._states:
            self.newest_state = message
            self._states.notify_all()

    def _is_known(self, stamp_ns: int) -> bool:
        state = self.newest_state
        return state is not None and stamp_to_nanoseconds(state.header.stamp) >= stamp_ns


def _spin(executor: SingleThreadedExecutor) -> None:
    try:
        executor.spin()
    except ExternalShutdownException:
        return
