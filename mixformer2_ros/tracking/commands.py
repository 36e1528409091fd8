# Copyright 2026 mixformer2_ros contributors
# SPDX-License-Identifier: Apache-2.0
"""What clients may ask of a tracking session, and what they are told."""

from __future__ import annotations

from dataclasses import dataclass
from enum import IntEnum

from mixformer2_ros.tracking.geometry import Box


class SetTargetCode(IntEnum):
    """Outcome of setting a target; the numbers of srv/SetTarget."""

    OK = 0
    INVALID_BOX = 1
    NO_IMAGE = 2
    STAMP_TOO_OLD = 3
    STAMP_IN_FUTURE = 4
    TOO_MANY_TARGETS = 5
    NOT_ACTIVE = 6
    INTERNAL_ERROR = 7


@dataclass(frozen=True)
class SetTargetCommand:
    """A wish to start or restart a target.

    Attributes:
        target_id: Name of the target; empty lets the session choose; a known one restarts it.
        cx: Column of the box centre, pixels of the frame or fraction of its width.
        cy: Row of the box centre, likewise.
        width: Width of the box, likewise.
        height: Height of the box, likewise.
        normalized: Whether the four are fractions of the frame's width and height.
        stamp_ns: Stamp in nanoseconds of the frame the box was drawn on; 0 is the newest frame.
    """

    target_id: str
    cx: float
    cy: float
    width: float
    height: float
    normalized: bool = False
    stamp_ns: int = 0

    def box_in(self, width: int, height: int) -> Box:
        """Return the box in pixels of a frame of this size; nothing is checked."""
        sx, sy = (width, height) if self.normalized else (1, 1)
        return Box.around(self.cx * sx, self.cy * sy, self.width * sx, self.height * sy)


@dataclass(frozen=True)
class SetTargetReply:
    """What became of a `SetTargetCommand`.

    Attributes:
        code: OK, or the reason why not.
        message: What happened, and what to do about it.
        target_id: Name of the target; where it was refused, the name asked for.
        stamp_ns: Stamp in nanoseconds of the frame that is used; 0 where it was refused.
    """

    code: SetTargetCode
    message: str
    target_id: str
    stamp_ns: int = 0

    @property
    def success(self) -> bool:
        """Whether the target was accepted."""
        return self.code is SetTargetCode.OK


class RefusedError(Exception):
    """A command cannot be carried out.

    Args:
        code: The reason.
        message: What is wrong with which value, and the cure.
    """

    def __init__(self, code: SetTargetCode, message: str) -> None:
        super().__init__(message)
        self.code = code


def seconds(stamp_ns: int) -> str:
    """Return a stamp in words: seconds with all their nanoseconds."""
    return f"{stamp_ns // 1_000_000_000}.{stamp_ns % 1_000_000_000:09d} s"
