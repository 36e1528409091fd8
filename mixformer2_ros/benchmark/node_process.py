# Copyright 2026 mixformer2_ros contributors
# SPDX-License-Identifier: Apache-2.0
"""The tracker node, as a process of its own that also writes down how long each frame took."""

from __future__ import annotations

import struct
import sys
from pathlib import Path
from typing import Any, BinaryIO, NamedTuple

from mixformer2_ros.ros.diagnostics import FrameTiming

_ENTRY = struct.Struct("<4d")


class Entry(NamedTuple):
    """One processed frame with at least one target; times in seconds.

    Attributes:
        latency: From the image's stamp to the publication.
        inference: Inside the engine.
        overhead: From the image callback to the published detection, less `inference`.
        targets: How many there were.
    """

    latency: float
    inference: float
    overhead: float
    targets: float

    @property
    def frame(self) -> float:
        """From the image callback to the published detection."""
        return self.inference + self.overhead


def read_entries(path: Path) -> list[Entry]:
    """Return what has been written so far."""
    data = path.read_bytes()
    whole = len(data) - len(data) % _ENTRY.size
    return [Entry(*values) for values in _ENTRY.iter_unpack(data[:whole])]


def count_entries(path: Path) -> int:
    """Return how many frames have been written down so far."""
    return path.stat().st_size // _ENTRY.size if path.is_file() else 0


def _record(node: Any, file: BinaryIO) -> None:
    publish = node.monitor.frame_published

    def frame_published(timing: FrameTiming, states: dict[str, Any], *rest: Any) -> None:
        publish(timing, states, *rest)
        if states:
            times = timing.latency, timing.inference, timing.overhead
            file.write(_ENTRY.pack(*times, len(states)))

    node.monitor.frame_published = frame_published


def main() -> None:
    """Run the node; the first argument is the file to write to, the rest are ROS's."""
    from mixformer2_ros.nodes.running import ros, spin
    from mixformer2_ros.nodes.tracker_node import TrackerNode

    path = Path(sys.argv.pop(1))
    with path.open("wb", buffering=0) as file, ros("tracker_node", None):
        node = TrackerNode()
        _record(node, file)
        spin(node)


if __name__ == "__main__":
    main()
