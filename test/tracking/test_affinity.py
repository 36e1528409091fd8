# Copyright 2026 mixformer2_ros contributors
# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import os
import threading

import pytest

from mixformer2_ros.tracking import affinity
from mixformer2_ros.tracking.affinity import on_cores, parse_cores

pytestmark = pytest.mark.skipif(
    not hasattr(os, "sched_setaffinity"), reason="this system cannot keep threads on cores"
)


def available() -> list[int]:
    return sorted(os.sched_getaffinity(0))


@pytest.mark.parametrize(
    ("text", "cores"),
    [("", set()), (" ", set()), ("3", {3}), ("0, 2-4", {0, 2, 3, 4}), ("1-1,1", {1})],
)
def test_lists_are_read_as_taskset_writes_them(monkeypatch, text: str, cores: set[int]) -> None:
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: set(range(8)))
    assert parse_cores(text) == cores


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("two", "neither a core"),
        ("-1", "neither"),
        ("3-1", "is empty"),
        ("0-99999999", "more cores"),
    ],
)
def test_other_texts_are_refused(text: str, reason: str) -> None:
    with pytest.raises(ValueError, match=reason):
        parse_cores(text)


def test_cores_that_are_not_there_are_named_with_those_that_are(monkeypatch) -> None:
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: {0, 5})
    with pytest.raises(ValueError, match=r"core 4; choose among 0,5"):
        parse_cores("0,4-5")


def test_systems_that_cannot_pin_say_so(monkeypatch) -> None:
    monkeypatch.delattr(affinity.os, "sched_setaffinity")
    assert parse_cores("") == set()
    with pytest.raises(ValueError, match="cannot keep threads"):
        parse_cores("0")


def test_started_threads_stay_and_the_calling_one_may_go_anywhere_again() -> None:
    before, first = available(), {available()[0]}
    leave, seen = threading.Event(), []

    def work() -> None:
        leave.wait(10)
        seen.append(os.sched_getaffinity(0))

    thread = threading.Thread(target=work)
    with on_cores(first):
        assert os.sched_getaffinity(0) == first
        thread.start()
    assert available() == before
    leave.set()
    thread.join(10)
    assert seen == [first]


def test_no_cores_means_any() -> None:
    before = available()
    with on_cores(()):
        assert available() == before
