# Copyright 2026 mixformer2_ros contributors
# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import pytest

pytest.importorskip("diagnostic_msgs.msg", reason="needs the ROS 2 messages")

from diagnostic_msgs.msg import DiagnosticStatus

from mixformer2_ros.ros.diagnostics import FrameTiming, Monitor
from mixformer2_ros.tracking.types import TargetState

TIMING = FrameTiming(latency=0.030, inference=0.010, overhead=0.001)


@pytest.fixture
def monitor() -> Monitor:
    monitor = Monitor()
    monitor.configured("a network on a device")
    monitor.activated(now=100.0)
    return monitor


def status(monitor: Monitor, now: float, publishers: int = 1):
    return monitor.status("name", now, "/image", publishers)


def figures(monitor: Monitor, now: float) -> dict[str, str]:
    return {value.key: value.value for value in status(monitor, now).values}


def run(monitor, frames, states=None, drop=0, start=100.0, rate=30.0):
    """Frames at a rate, of which ``drop`` more than each processed one are dropped."""
    for index in range(frames):
        now = start + index / rate
        monitor.image_received(now)
        counts = (index + 1) * (1 + drop), (index + 1) * drop
        monitor.frame_published(TIMING, states or {}, counts, now)
    return now


def test_all_is_well(monitor):
    now = run(monitor, 300, {"a": TargetState.TRACKING})
    assert (status(monitor, now).level, status(monitor, now).message) == (
        DiagnosticStatus.OK,
        "tracking",
    )
    values = figures(monitor, now)
    assert values["model"] == "a network on a device"
    assert values["targets"] == "a: TRACKING"
    assert float(values["image rate (Hz)"]) == pytest.approx(30, abs=0.5)
    assert float(values["result rate (Hz)"]) == pytest.approx(30, abs=0.5)
    assert float(values["latency, median (ms)"]) == pytest.approx(30)
    assert float(values["inference, median (ms)"]) == pytest.approx(10)
    assert float(values["overhead, median (ms)"]) == pytest.approx(1)
    assert values["frames received"] == "300"
    assert values["last error"] == "none"


def test_rates_are_right_from_the_first_second_on(monitor):
    now = run(monitor, 31)
    assert float(figures(monitor, now)["image rate (Hz)"]) == pytest.approx(30, abs=1.1)


def test_idle_says_what_to_do(monitor):
    assert "~/set_target" in status(monitor, run(monitor, 3)).message


@pytest.mark.parametrize(("publishers", "words"), [(0, "nobody publishes"), (2, "2 publisher(s)")])
def test_silence_is_a_warning(monitor, publishers, words):
    now = run(monitor, 3)
    assert status(monitor, now + 1.9).level == DiagnosticStatus.OK
    silent = status(monitor, now + 2.1, publishers)
    assert silent.level == DiagnosticStatus.WARN
    assert "no image on /image for 2 s" in silent.message
    assert words in silent.message


def test_a_mismatch_explains_silence_until_images_come(monitor):
    monitor.qos_mismatch("make the publisher reliable", 100.1)
    assert status(monitor, 103.0).message == "make the publisher reliable"
    now = run(monitor, 3, start=103.0)
    assert "reliable" not in status(monitor, now).message
    assert "make the publisher" not in status(monitor, now + 3).message


def test_refused_images_are_an_error_unless_others_come(monitor):
    monitor.image_rejected("odd encoding", 100.1)
    assert status(monitor, 100.2).level == DiagnosticStatus.ERROR
    run(monitor, 3, start=100.3)
    mixed = status(monitor, 100.5)
    assert mixed.level == DiagnosticStatus.WARN
    assert "odd encoding" in mixed.message
    assert figures(monitor, 100.5)["images refused"] == "1"
    now = run(monitor, 3, start=106.0)
    assert status(monitor, now).level == DiagnosticStatus.OK
    assert figures(monitor, now)["last error"] == "odd encoding"


def test_dropping_most_frames_is_a_warning(monitor):
    assert status(monitor, run(monitor, 60, drop=1)).level == DiagnosticStatus.OK
    slow = status(monitor, run(monitor, 60, drop=3, start=110.0))
    assert slow.level == DiagnosticStatus.WARN
    assert "75%" in slow.message
    assert "smaller model" in slow.message


def test_lost_targets_are_named(monitor):
    states = {"a": TargetState.LOST, "b": TargetState.TRACKING, "c": TargetState.LOST}
    lost = status(monitor, run(monitor, 3, states))
    assert lost.level == DiagnosticStatus.WARN
    assert "target lost: a, c" in lost.message


def test_errors_come_first(monitor):
    now = run(monitor, 3, {"a": TargetState.LOST})
    monitor.camera_problem("not calibrated")
    monitor.tracking_error("out of memory", now)
    worst = status(monitor, now)
    assert worst.level == DiagnosticStatus.ERROR
    texts = worst.message.split("; ")
    assert "out of memory" in texts[0]
    assert "not calibrated" in texts[-1]
    monitor.camera_problem("")
    assert "not calibrated" not in status(monitor, now).message
    now = run(monitor, 3, start=now + 6)
    assert status(monitor, now).level == DiagnosticStatus.OK


def test_a_failed_setup_is_an_error_until_it_succeeds():
    monitor = Monitor()
    assert status(monitor, 0.0).level == DiagnosticStatus.OK
    assert "configure" in status(monitor, 0.0).message
    monitor.setup_failed("no weights: give a checkpoint")
    failed = status(monitor, 0.0)
    assert (failed.level, failed.message) == (
        DiagnosticStatus.ERROR,
        "no weights: give a checkpoint",
    )
    monitor.configured("a network")
    assert status(monitor, 0.0).level == DiagnosticStatus.OK


def test_activation_forgets_and_deactivation_silences(monitor):
    monitor.tracking_error("out of memory", 100.0)
    now = run(monitor, 90, {"a": TargetState.LOST})
    monitor.deactivated()
    quiet = status(monitor, now + 60)
    assert quiet.level == DiagnosticStatus.OK
    assert "not active" in quiet.message
    assert figures(monitor, now)["image rate (Hz)"] == "0.0"
    monitor.activated(now + 60)
    assert figures(monitor, now + 60)["frames received"] == "0"
    assert figures(monitor, now + 60)["last error"] == "none"
    monitor.unconfigured()
    assert figures(monitor, now + 60)["model"] == "none"


def test_missed_deadlines_are_counted_until_the_next_activation(monitor):
    assert figures(monitor, 100.0)["deadline misses"] == "no deadline"
    monitor.set_deadline(TIMING.frame / 2)
    now = run(monitor, 30)
    late = status(monitor, now)
    assert late.level == DiagnosticStatus.WARN
    assert "30 of the last 30 frames" in late.message
    assert figures(monitor, now)["deadline misses"] == "30"
    monitor.set_deadline(TIMING.frame * 2)
    assert status(monitor, now).level == DiagnosticStatus.OK
    monitor.activated(now)
    assert figures(monitor, now)["deadline misses"] == "0"
