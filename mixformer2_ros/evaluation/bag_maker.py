# Copyright 2026 mixformer2_ros contributors
# SPDX-License-Identifier: Apache-2.0
"""ROS 2 bags out of videos, image folders, annotated sequences and scenes, without ROS.

Needs the extra `bags` (rosbags).
"""

from __future__ import annotations

import math
import shutil
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, Protocol

import cv2
import numpy as np
from numpy.typing import NDArray
from rosbags.rosbag2 import StoragePlugin, Writer, WriterError

from mixformer2_ros.evaluation.bag_messages import (
    CAMERA_INFO,
    COMPRESSED_IMAGE,
    DETECTION,
    IMAGE,
    NANOSECONDS,
    BagError,
    detection,
    header,
    message_types,
)
from mixformer2_ros.tracking.types import TargetState

if TYPE_CHECKING:
    from rosbags.interfaces import Connection
    from rosbags.typesys.store import Typestore

    from mixformer2_ros.evaluation.bags import BagRun

IMAGE_TOPIC = "/image"
CAMERA_INFO_TOPIC = "/camera_info"
TRUTH_TOPIC = "/truth"
DETECTION_TOPIC = "/tracker/detection"

STORAGES = ("mcap", "sqlite3")
COMPRESSIONS = ("jpeg", "png")

FIRST_STAMP_NS = 1000 * NANOSECONDS
"""Stamp of the first frame: fixed, so that the same source makes the same bag, and not zero,
which means "the newest frame" in requests to the tracker."""

FRAME_ID = "camera"
JPEG_QUALITY = 90

_RESULT_FIELDS = ("boxes", "scores", "states")

# The newest layout that rosbag2 of all distributions since Humble reads.
_BAG_VERSION: Literal[8] = 8


class TimedImage(Protocol):
    """A frame of a source; see `mixformer2_ros.sources`."""

    @property
    def image(self) -> NDArray[np.uint8]:
        """(H, W, 3) RGB."""
        ...

    @property
    def time(self) -> float:
        """Seconds since the first frame."""
        ...

    @property
    def truth(self) -> NDArray[np.float64] | None:
        """(4,) x, y, w, h in pixels, NaN where the target is not visible; None where unknown."""
        ...


def make_bag(
    frames: Iterable[TimedImage],
    out: Path,
    storage: str = "mcap",
    compressed: str | None = None,
    field_of_view: float | None = None,
) -> int:
    """Write a bag: images, camera_info and, where it is known, the truth.

    The topics are `/image` (or `/image/compressed`), `/camera_info` (a pinhole camera without
    distortion) and `/truth`, a Detection2D for every frame with a known box, empty while the target
    is not visible.

    Args:
        frames: The source.
        out: Folder of the bag, which must not exist.
        storage: "mcap" or "sqlite3".
        compressed: None for raw images, "jpeg" or "png" (lossless).
        field_of_view: Horizontal, degrees; None where it is not known: the camera_info then says
            that the camera is not calibrated (all zero, REP 104).

    Returns:
        Number of frames written.

    Raises:
        BagError: The folder exists, or the source has no frames.
    """
    with new_bag(out, storage) as bag:
        count = _write(bag, frames, compressed, field_of_view)
        if not count:
            raise BagError("the source has no frames, so there is no bag to make of it")
    return count


def write_detections(out: Path, run: BagRun) -> int:
    """Write a bag with what a tracker found, as the live node would have published it.

    Args:
        out: Folder of the bag, which must not exist.
        run: From `bags.track_bag`.

    Returns:
        Number of Detection2D messages on `DETECTION_TOPIC`, stamped as the images are. While the
        target is lost there are none.

    Raises:
        BagError: The folder exists.
    """
    count = 0
    with new_bag(out) as bag:
        for i, stamp in enumerate(run.stamps.tolist()):
            box, score, state = (getattr(run.result, name)[i] for name in _RESULT_FIELDS)
            if state in (TargetState.IDLE, TargetState.LOST) or not np.isfinite(box).all():
                continue
            head = header(bag.types, stamp, run.frame_ids[i])
            known_score = float(score) if np.isfinite(score) else None
            message = detection(bag.types, head, box, known_score)
            bag.write(DETECTION_TOPIC, DETECTION, stamp, message)
            count += 1
    return count


@contextmanager
def new_bag(out: Path, storage: str = "mcap") -> Iterator[Channels]:
    """Open a new bag for writing; when something fails, nothing of it stays behind.

    Args:
        out: Folder of the bag, which must not exist.
        storage: "mcap" or "sqlite3".

    Raises:
        BagError: The folder exists.
    """
    try:
        writer = Writer(out, version=_BAG_VERSION, storage_plugin=_plugin(storage))
        writer.open()
    except WriterError as error:
        raise BagError(f"{out} exists already: remove it or choose another folder") from error
    try:
        yield Channels(writer, message_types())
        writer.close()
    except BaseException:
        writer.abort()
        shutil.rmtree(out)
        raise


def _plugin(storage: str) -> StoragePlugin:
    if storage not in STORAGES:
        raise BagError(f"storage {storage!r} is unknown: use {' or '.join(STORAGES)}")
    return StoragePlugin[storage.upper()]


def _write(
    bag: Channels, frames: Iterable[TimedImage], compressed: str | None, field_of_view: float | None
) -> int:
    types = bag.types
    encode = _image_encoder(types, compressed)
    topic, kind = IMAGE_TOPIC, IMAGE
    if compressed is not None:
        topic, kind = f"{IMAGE_TOPIC}/compressed", COMPRESSED_IMAGE
    count = 0
    for frame in frames:
        stamp = FIRST_STAMP_NS + round(frame.time * NANOSECONDS)
        head = header(types, stamp, FRAME_ID)
        bag.write(topic, kind, stamp, encode(frame.image, head))
        height, width = frame.image.shape[:2]
        camera = _pinhole(types, head, height, width, field_of_view)
        bag.write(CAMERA_INFO_TOPIC, CAMERA_INFO, stamp, camera)
        if frame.truth is not None:
            bag.write(TRUTH_TOPIC, DETECTION, stamp, detection(types, head, frame.truth))
        count += 1
    return count


class Channels:
    """Topics of a bag that is being written, each added with its first message.

    Args:
        writer: An open writer.
        types: Definitions of all message types that are written.

    Attributes:
        types: The same.
    """

    def __init__(self, writer: Writer, types: Typestore) -> None:
        self.types = types
        self._writer = writer
        self._connections: dict[str, Connection] = {}

    def write(self, topic: str, message_type: str, stamp_ns: int, message: Any) -> None:
        """Append a message, received at its stamp."""
        if topic not in self._connections:
            self._connections[topic] = self._writer.add_connection(
                topic, message_type, typestore=self.types
            )
        data = self.types.serialize_cdr(message, message_type)
        self._writer.write(self._connections[topic], stamp_ns, data)


def _image_encoder(
    types: Typestore, compressed: str | None
) -> Callable[[NDArray[np.uint8], Any], Any]:
    if compressed is None:
        return lambda rgb, head: types.types[IMAGE](
            header=head,
            height=rgb.shape[0],
            width=rgb.shape[1],
            encoding="rgb8",
            is_bigendian=0,
            step=3 * rgb.shape[1],
            data=np.ascontiguousarray(rgb).reshape(-1),
        )
    if compressed not in COMPRESSIONS:
        raise BagError(f"compression {compressed!r} is unknown: use {' or '.join(COMPRESSIONS)}")
    suffix, flags = (
        (".jpg", [cv2.IMWRITE_JPEG_QUALITY, JPEG_QUALITY]) if compressed == "jpeg" else (".png", [])
    )

    def encode(rgb: NDArray[np.uint8], head: Any) -> Any:
        _, data = cv2.imencode(suffix, cv2.cvtColor(rgb, cv2.COLOR_RGB2BGR), flags)
        return types.types[COMPRESSED_IMAGE](
            header=head,
            format=f"rgb8; {compressed} compressed bgr8",
            data=np.asarray(data, np.uint8).reshape(-1),
        )

    return encode


def _pinhole(
    types: Typestore, head: Any, height: int, width: int, field_of_view: float | None
) -> Any:
    """Return a `sensor_msgs/CameraInfo` without distortion."""
    matrix, rotation = np.zeros((3, 3)), np.zeros((3, 3))
    if field_of_view is not None:
        focal = 0.5 * width / math.tan(0.5 * math.radians(field_of_view))
        matrix = np.array([[focal, 0, (width - 1) / 2], [0, focal, (height - 1) / 2], [0, 0, 1]])
        rotation = np.eye(3)
    return types.types[CAMERA_INFO](
        header=head,
        height=height,
        width=width,
        distortion_model="plumb_bob",
        d=np.zeros(5),
        k=matrix.reshape(-1),
        r=rotation.reshape(-1),
        p=np.hstack([matrix, np.zeros((3, 1))]).reshape(-1),
        binning_x=0,
        binning_y=0,
        roi=types.types["sensor_msgs/msg/RegionOfInterest"](
            x_offset=0, y_offset=0, height=0, width=0, do_rectify=False
        ),
    )
