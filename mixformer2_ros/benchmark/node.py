# Copyright 2026 mixformer2_ros contributors
# SPDX-License-Identifier: Apache-2.0
"""The tracker node on real images over DDS: what it adds to the network's own time."""

from __future__ import annotations

import argparse
import itertools
from collections.abc import Iterator
from typing import TYPE_CHECKING

from mixformer2_ros.benchmark import machine
from mixformer2_ros.benchmark.tables import Table, median, p99

if TYPE_CHECKING:
    from mixformer2_ros.benchmark.rig import Rig, Shot

_CLIP_FRAMES = 40
_WARM_UP = 20
_CALLS = 50
_FRAMES_BETWEEN_CALLS = 3


def measure_node(args: argparse.Namespace) -> list[Table]:
    """Run the node and time every frame, its services and its start.

    Returns:
        Two tables: times of frames and calls; start and memory.

    Raises:
        RuntimeError: ROS 2 is missing, or the node did not do its part in time.
    """
    require_ros()
    from mixformer2_ros.benchmark.rig import Rig, clip

    with machine.empty_cache() as folder, Rig(folder, node_parameters(args), args.rate) as rig:
        shots = itertools.cycle(clip(args.size, args.encoding, _CLIP_FRAMES))
        first = rig.start(shots)
        rig.stop()
        again = rig.start(shots)
        at_start = rig.memory(peak=True)
        _track(rig, shots, args.frames + _WARM_UP)
        entries = rig.entries()[_WARM_UP:][: args.frames]
        calls = _call(rig, shots)
        at_end = rig.memory(peak=True)
    width, height = args.size
    times = {
        "network": [entry.inference for entry in entries],
        "what the node adds": [entry.overhead for entry in entries],
        "whole frame, image callback to published box": [entry.frame for entry in entries],
        "latency, image stamp to publication": [entry.latency for entry in entries],
        f"answer to set_target while tracking, {len(calls)} calls": calls,
    }
    rows = [
        (name, median(values), p99(values), 1e3 * max(values), p99(values) / median(values))
        for name, values in times.items()
    ]
    conditions = f"{width}x{height} {args.encoding} at {args.rate:g} Hz over DDS"
    return [
        Table(
            f"node-{width}x{height}",
            f"Node, {conditions}, {len(entries)} frames, threads {args.threads or 'auto'}, "
            f"backend {args.backend}, precision {args.precision}",
            ("what", "median, ms", "p99, ms", "longest, ms", "p99 over median"),
            rows,
        ),
        Table(
            f"node-start-{width}x{height}",
            "Start of the node's process to its first published box, and its memory",
            ("what", "value"),
            [
                ("first start, s", first),
                ("later start, s", again),
                ("most memory until the first box, MB", at_start >> 20),
                ("most memory in the end, with the images of history_megabytes, MB", at_end >> 20),
            ],
        ),
    ]


def require_ros() -> None:
    """Raise RuntimeError with the cure where ROS 2 or the package's messages are missing."""
    try:
        import rclpy  # noqa: F401

        from mixformer2_ros import msg  # noqa: F401
    except ImportError as error:
        raise RuntimeError(
            f"ROS 2 is not in this environment ({error}): source it first"
        ) from error


def node_parameters(args: argparse.Namespace) -> dict[str, object]:
    """Return the parameters of the node that is measured."""
    return {
        "model": args.model,
        "checkpoint": args.checkpoint or "",
        "backend": args.backend,
        "precision": args.precision,
        "threads": args.threads,
        # The target is to be held whatever the weights are worth: time is measured, not accuracy.
        "tracker.doubt_score": 0.0,
    }


def _track(rig: Rig, shots: Iterator[Shot], frames: int) -> None:
    """Show images until the node has followed a target through so many."""
    for shown in itertools.count(1):
        if rig.count() >= frames:
            return
        rig.show(next(shots).message)
        rig.check()
        if shown > 4 * frames + 1000:
            raise RuntimeError(f"only {rig.count()} of {shown} frames were processed")


def _call(rig: Rig, shots: Iterator[Shot]) -> list[float]:
    """Restart the target again and again; return how long the answers took."""
    rig.answer_seconds.clear()
    while len(rig.answer_seconds) < _CALLS:
        for _ in range(_FRAMES_BETWEEN_CALLS):
            shot = next(shots)
            stamp = rig.show(shot.message)
        rig.set_target(shot.box, stamp, "first")
    return list(rig.answer_seconds)
