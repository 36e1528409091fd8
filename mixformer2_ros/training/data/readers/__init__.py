# Copyright 2026 mixformer2_ros contributors
# SPDX-License-Identifier: Apache-2.0
"""The training sets as they are published, one target at a time.

A reader lists its targets at the start and reads files only when a target is asked for.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from mixformer2_ros.annotations import AnnotationError
from mixformer2_ros.training.data.readers.coco import CocoReader
from mixformer2_ros.training.data.readers.got10k import Got10kReader
from mixformer2_ros.training.data.readers.lasot import LasotReader
from mixformer2_ros.training.data.readers.reader import Reader, Track
from mixformer2_ros.training.data.readers.trackingnet import TrackingNetReader

__all__ = ["KINDS", "Reader", "Track", "open_reader"]

_READERS: dict[str, Callable[[Path], Reader]] = {
    "got10k": Got10kReader,
    "lasot": LasotReader,
    "trackingnet": TrackingNetReader,
    "coco": CocoReader,
}
KINDS = tuple(_READERS)
"""Training sets that `open_reader` reads."""


def open_reader(kind: str, root: str | Path) -> Reader:
    """Open a training set.

    Args:
        kind: One of `KINDS`.
        root: The folder it was unpacked to.

    Raises:
        AnnotationError: The kind is unknown, or the folder does not hold what it should.
    """
    if kind not in _READERS:
        raise AnnotationError(f"training set {kind!r} is unknown; choose one of {', '.join(KINDS)}")
    root = Path(root).expanduser()
    if not root.is_dir():
        raise AnnotationError(f"{root}: no such folder; give the folder {kind} was unpacked to")
    return _READERS[kind](root)
