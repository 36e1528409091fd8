# Copyright 2026 mixformer2_ros contributors
# SPDX-License-Identifier: Apache-2.0
"""The tracker's results as ROS messages, and requests as the tracker's commands."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from builtin_interfaces.msg import Time
from geometry_msgs.msg import Vector3, Vector3Stamped
from numpy.typing import NDArray
from vision_msgs.msg import (
    BoundingBox2D,
    Detection2D,
    ObjectHypothesisWithPose,
)

from mixformer2_ros.msg import TargetState as TargetStateMessage
from mixformer2_ros.tracking.types import TargetState, TrackResult

_NANOSECONDS = 1_000_000_000
_SAME_STAMP = 1000

BELIEVED_STATES = (TargetState.TRACKING, TargetState.UNCERTAIN)
"""States in which a box may be acted on; a lost target is never published as a detection."""


def stamp_to_nanoseconds(stamp: Any) -> int:
    """Nanoseconds of a ``builtin_interfaces/Time``."""
    return int(stamp.sec) * _NANOSECONDS + int(stamp.nanosec)


def nanoseconds_to_stamp(nanoseconds: int) -> Time:
    """``builtin_interfaces/Time`` of nanoseconds, within what its fields can hold."""
    seconds, rest = divmod(nanoseconds, _NANOSECONDS)
    return Time(sec=min(max(seconds, -(1 << 31)), (1 << 31) - 1), nanosec=rest)


def exact_stamp(seconds: float | None, known: Time | None) -> Time:
    """Stamp of float seconds: the image stamp they were made of, if it is that one.

    Float seconds since 1970 are exact to a quarter of a microsecond only, and clients compare
    stamps for equality.

    Args:
        seconds: The time; ``None`` for never, which is a stamp of zero.
        known: The stamp it probably comes from.

    Returns:
        ``known`` if it is less than a microsecond off, else the stamp nearest to ``seconds``.
    """
    if seconds is None:
        return Time()
    nanoseconds = round(seconds * _NANOSECONDS)
    if known is not None and abs(stamp_to_nanoseconds(known) - nanoseconds) < _SAME_STAMP:
        return known
    return nanoseconds_to_stamp(nanoseconds)


def box_to_message(box: NDArray[np.float64]) -> BoundingBox2D:
    """Bounding box message of x, y, w, h in pixels (left upper corner and size)."""
    message = BoundingBox2D()
    _fill_box(message, box)
    return message


def empty_detection() -> Detection2D:
    """A detection with one hypothesis, to be filled by ``fill_detection``."""
    return Detection2D(results=[ObjectHypothesisWithPose()])


def fill_detection(
    message: Detection2D, header: Any, target_id: str, class_id: str, result: TrackResult
) -> Detection2D:
    """Make a detection that of one target in one image: several times faster than a new one.

    Args:
        message: Made by ``empty_detection``; everything in it is overwritten.
        header: The image's header.
        target_id: The target's name.
        class_id: Class name of the hypothesis.
        result: What the tracker knows of the target.

    Returns:
        The same message.
    """
    message.header = header
    message.id = target_id
    _fill_box(message.bbox, result.box)
    hypothesis = message.results[0].hypothesis
    hypothesis.class_id = class_id
    hypothesis.score = float(result.score)
    return message


def target_state_message(
    target_id: str,
    result: TrackResult,
    last_seen: Time,
    angles: tuple[float, float] | None,
) -> TargetStateMessage:
    """All there is to know of one target.

    Args:
        target_id: The target's name.
        result: What the tracker knows of it.
        last_seen: Stamp of the newest image on which it was TRACKING.
        angles: Azimuth and elevation in rad, ``None`` where they are unknown (NaN in the message).

    Returns:
        The message.
    """
    azimuth, elevation = angles or (math.nan, math.nan)
    x, y, scale = result.velocity.tolist()
    return TargetStateMessage(
        target_id=target_id,
        state=int(result.state),
        bbox=box_to_message(result.box),
        score=float(result.score),
        velocity=Vector3(x=x, y=y, z=scale),
        azimuth=azimuth,
        elevation=elevation,
        last_seen=last_seen,
    )


def _fill_box(message: BoundingBox2D, box: NDArray[np.float64]) -> None:
    x, y, width, height = box.tolist()
    message.center.position.x = x + 0.5 * width
    message.center.position.y = y + 0.5 * height
    message.size_x = width
    message.size_y = height


def direction_message(header: Any, ray: NDArray[np.float64]) -> Vector3Stamped:
    """Unit vector in the camera's optical frame, stamped with the image's header."""
    x, y, z = ray.tolist()
    return Vector3Stamped(header=header, vector=Vector3(x=x, y=y, z=z))
