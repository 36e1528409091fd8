# Copyright 2026 mixformer2_ros contributors
# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

from mixformer2_ros.tracking.commands import (
    SetTargetCode,
    SetTargetCommand,
    SetTargetReply,
    seconds,
)


def test_codes_are_those_of_the_service() -> None:
    assert [(code.name, code.value) for code in SetTargetCode] == [
        ("OK", 0),
        ("INVALID_BOX", 1),
        ("NO_IMAGE", 2),
        ("STAMP_TOO_OLD", 3),
        ("STAMP_IN_FUTURE", 4),
        ("TOO_MANY_TARGETS", 5),
        ("NOT_ACTIVE", 6),
        ("INTERNAL_ERROR", 7),
    ]


def test_box_of_centre_and_size() -> None:
    assert SetTargetCommand("", 50, 40, 20, 10).box_in(640, 480) == (40, 35, 20, 10)
    normalized = SetTargetCommand("", 0.5, 0.25, 0.25, 0.5, normalized=True)
    assert normalized.box_in(640, 480) == (240, 0, 160, 240)


def test_only_ok_is_success() -> None:
    assert [code for code in SetTargetCode if SetTargetReply(code, "", "").success] == [
        SetTargetCode.OK
    ]


def test_stamps_keep_their_nanoseconds() -> None:
    assert seconds(1_700_000_000_123_456_789) == "1700000000.123456789 s"
    assert seconds(5) == "0.000000005 s"
