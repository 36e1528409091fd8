# Copyright 2026 mixformer2_ros contributors
# SPDX-License-Identifier: Apache-2.0
"""The tracker node on real images over DDS: what it adds to the network's own time."""

from __future__ import annotations

import argparse
import tempfile
import threading
import time
from pathlib import Path
from typing import Any

from mixformer2_ros.benchmark.summary import Row, row
from mixformer2_ros.demo.children import (
    Children,
    isolate,
    make_room_for_images,
    python_command,
)
from mixformer2_ros.inference import Engine, load_engine

NAMESPACE = "mixformer2_benchmark"
_START_LIMIT = 120.0
_WARM_UP = 20


def measure_node(args: argparse.Namespace) -> tuple[str, list[Row]]:
    """Run the node and a publisher in another process, and time every frame.

    Returns:
        A title with the conditions, and rows: inference, overhead (image callback to published
        detection, less the engine's time), latency (image stamp to publication).

    Raises:
        RuntimeError: ROS 2 is missing, or a process did not do its part in time.
    """
    try:
        import rclpy
        from rclpy.executors import SingleThreadedExecutor
        from rclpy.parameter import Parameter

        from mixformer2_ros.nodes.tracker_node import TrackerNode
    except ImportError as error:
        raise RuntimeError(
            f"ROS 2 is not in this environment ({error}): source it first"
        ) from error
    values = {
        "model": args.model,
        "checkpoint": args.checkpoint or "",
        "backend": args.backend,
        "threads": args.threads,
        # The target is to be held whatever the weights are worth: time is measured, not accuracy.
        "tracker.doubt_score": 0.0,
    }
    overrides = [Parameter(name, value=value) for name, value in values.items()]
    engines: list[Engine] = []

    def load(**options: Any) -> Engine:
        engines.append(load_engine(**options))
        return engines[-1]

    isolate()
    make_room_for_images()
    rclpy.init(args=[])
    try:
        node = TrackerNode(load, namespace=NAMESPACE, parameter_overrides=overrides)
        executor = SingleThreadedExecutor()
        executor.add_node(node)
        spinner = threading.Thread(target=executor.spin, daemon=True)
        spinner.start()
        try:
            with tempfile.TemporaryDirectory() as logs, Children(Path(logs)) as children:
                _start_publisher(children, args)
                _set_target(rclpy)
                timings = _timings(node, args.frames)
        finally:
            executor.shutdown()
            spinner.join()
            node.destroy_node()
    finally:
        rclpy.try_shutdown()
    width, height = args.size
    title = (
        f"Node, {width}x{height} {args.encoding} at {args.rate:g} Hz over DDS, "
        f"{len(timings)} frames, {engines[-1].description}"
    )
    return title, [
        row("inference", [timing.inference for timing in timings]),
        row("overhead", [timing.overhead for timing in timings]),
        row("latency, image stamp to publication", [timing.latency for timing in timings]),
    ]


def _start_publisher(children: Children, args: argparse.Namespace) -> None:
    width, height = args.size
    parameters: dict[str, object] = {
        "source": "scene:1",
        "loop": True,
        "rate": float(args.rate),
        "width": width,
        "height": height,
        "encoding": args.encoding,
        "wait_for_subscribers": 1,
    }
    command = python_command("mixformer2_ros.nodes.video_publisher", parameters)
    children.start("video_publisher", [*command, "-r", f"__ns:=/{NAMESPACE}"])


def _set_target(rclpy: Any) -> None:
    """Set the first box of the truth as target, on its own frame."""
    from rclpy.executors import SingleThreadedExecutor
    from vision_msgs.msg import Detection2D

    from mixformer2_ros.srv import SetTarget

    client = rclpy.create_node("benchmark_client", namespace=NAMESPACE)
    executor = SingleThreadedExecutor()
    executor.add_node(client)
    truths: list[Detection2D] = []
    client.create_subscription(Detection2D, "video_publisher/truth", truths.append, 10)
    service = client.create_client(SetTarget, "tracker/set_target")
    deadline = time.monotonic() + _START_LIMIT
    try:
        while time.monotonic() < deadline:
            executor.spin_once(timeout_sec=0.5)
            if not truths or not service.service_is_ready():
                continue
            truth = truths.pop()
            request = SetTarget.Request(header=truth.header, bbox=truth.bbox)
            answer = service.call_async(request)
            executor.spin_until_future_complete(answer, timeout_sec=5.0)
            if answer.done() and answer.result().success:
                return
    finally:
        client.destroy_node()
    raise RuntimeError(f"no target could be set within {_START_LIMIT:g} s: see the log above")


def _timings(node: Any, frames: int) -> list[Any]:
    """Wait until the node has timed enough frames with a target; return the newest ones."""
    collected: list[Any] = []
    record, done = node.monitor.frame_published, threading.Event()

    def frame_published(timing: Any, states: Any, *rest: Any) -> None:
        record(timing, states, *rest)
        if states:
            collected.append(timing)
        if len(collected) >= frames + _WARM_UP:
            done.set()

    node.monitor.frame_published = frame_published
    if not done.wait(_START_LIMIT + frames):
        raise RuntimeError(f"only {len(collected)} of {frames} frames were processed in time")
    return collected[_WARM_UP : _WARM_UP + frames]
