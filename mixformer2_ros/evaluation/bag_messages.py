# Copyright 2026 mixformer2_ros contributors
# SPDX-License-Identifier: Apache-2.0
"""The messages of bags without ROS: types, and boxes and stamps in and out of them.

Needs the extra `bags` (rosbags).
"""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import ArrayLike, NDArray
from rosbags.typesys import Stores, get_types_from_msg, get_typestore

if TYPE_CHECKING:
    from rosbags.typesys.store import Typestore

IMAGE = "sensor_msgs/msg/Image"
COMPRESSED_IMAGE = "sensor_msgs/msg/CompressedImage"
CAMERA_INFO = "sensor_msgs/msg/CameraInfo"
DETECTION = "vision_msgs/msg/Detection2D"
DETECTIONS = "vision_msgs/msg/Detection2DArray"

NANOSECONDS = 1_000_000_000


class BagError(ValueError):
    """A bag cannot be read or written as asked; the message says what to do."""


# vision_msgs 4.1 (Humble and newer). Names, types and order are the wire format.
_VISION_MSGS = {
    "Point2D": "float64 x\nfloat64 y\n",
    "Pose2D": "vision_msgs/Point2D position\nfloat64 theta\n",
    "BoundingBox2D": "vision_msgs/Pose2D center\nfloat64 size_x\nfloat64 size_y\n",
    "ObjectHypothesis": "string class_id\nfloat64 score\n",
    "ObjectHypothesisWithPose": (
        "vision_msgs/ObjectHypothesis hypothesis\ngeometry_msgs/PoseWithCovariance pose\n"
    ),
    "Detection2D": (
        "std_msgs/Header header\nvision_msgs/ObjectHypothesisWithPose[] results\n"
        "vision_msgs/BoundingBox2D bbox\nstring id\n"
    ),
    "Detection2DArray": "std_msgs/Header header\nvision_msgs/Detection2D[] detections\n",
}


@cache
def message_types() -> Typestore:
    """Return the standard messages and those of vision_msgs.

    They are the same in all distributions since Humble as far as they are used here. Bags since
    Iron hold their own definitions, which go before these.
    """
    types = get_typestore(Stores.LATEST)
    added: dict[str, Any] = {}
    for name, text in _VISION_MSGS.items():
        added |= get_types_from_msg(text, f"vision_msgs/msg/{name}")
    types.register(added)
    return types


def nanoseconds(stamp: Any) -> int:
    """Return the nanoseconds of a `builtin_interfaces/Time`."""
    return int(stamp.sec) * NANOSECONDS + int(stamp.nanosec)


def header(types: Typestore, stamp_ns: int, frame_id: str) -> Any:
    """Return a `std_msgs/Header`."""
    seconds, rest = divmod(stamp_ns, NANOSECONDS)
    time = types.types["builtin_interfaces/msg/Time"](sec=seconds, nanosec=rest)
    return types.types["std_msgs/msg/Header"](stamp=time, frame_id=frame_id)


def detection(
    types: Typestore,
    message_header: Any,
    box: ArrayLike,
    score: float | None = None,
    class_id: str = "target",
) -> Any:
    """Return a `vision_msgs/Detection2D`.

    Args:
        types: From `message_types`.
        message_header: The image's header.
        box: x, y, w, h in pixels; NaN for a target that is not there: an empty box without
            hypotheses.
        score: Of the only hypothesis; None for a box that is known to be right (1).
        class_id: Class of the hypothesis.
    """
    made = types.types
    x, y, width, height = (float(value) for value in np.nan_to_num(np.asarray(box, np.float64)))
    centre = made["vision_msgs/msg/Pose2D"](
        position=made["vision_msgs/msg/Point2D"](x=x + width / 2, y=y + height / 2), theta=0.0
    )
    present = bool(np.isfinite(np.asarray(box, np.float64)).all())
    hypothesis = made["vision_msgs/msg/ObjectHypothesisWithPose"](
        hypothesis=made["vision_msgs/msg/ObjectHypothesis"](
            class_id=class_id, score=1.0 if score is None else float(score)
        ),
        pose=_no_pose(types),
    )
    return made[DETECTION](
        header=message_header,
        results=[hypothesis] if present else [],
        bbox=made["vision_msgs/msg/BoundingBox2D"](center=centre, size_x=width, size_y=height),
        id=class_id if present else "",
    )


def _no_pose(types: Typestore) -> Any:
    made = types.types
    return made["geometry_msgs/msg/PoseWithCovariance"](
        pose=made["geometry_msgs/msg/Pose"](
            position=made["geometry_msgs/msg/Point"](x=0.0, y=0.0, z=0.0),
            orientation=made["geometry_msgs/msg/Quaternion"](x=0.0, y=0.0, z=0.0, w=1.0),
        ),
        covariance=np.zeros(36),
    )


def box_of(message: Any) -> NDArray[np.float64]:
    """Return the box of a detection message.

    Args:
        message: `vision_msgs/Detection2D`, or `Detection2DArray`, of which the first counts.

    Returns:
        (4,) x, y, w, h in pixels; NaN where there is no detection or its box has no area (the
        target is not visible).
    """
    if hasattr(message, "detections"):
        if not len(message.detections):
            return np.full(4, np.nan)
        message = message.detections[0]
    width, height = message.bbox.size_x, message.bbox.size_y
    if not (width > 0 and height > 0):
        return np.full(4, np.nan)
    centre = message.bbox.center.position
    return np.array([centre.x - width / 2, centre.y - height / 2, width, height], np.float64)
