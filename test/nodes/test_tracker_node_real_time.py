# Copyright 2026 mixformer2_ros contributors
# SPDX-License-Identifier: Apache-2.0
"""The tracker node's deadline and its cores."""

from __future__ import annotations

import os
import threading

import pytest

pytest.importorskip("rclpy", reason="needs ROS 2")
pytest.importorskip("mixformer2_ros.msg", reason="needs the generated messages")

from mixformer2_ros.ros.parameters import ParameterError

BOX = (60, 50, 20, 16)


def figures(status) -> dict[str, str]:
    return {value.key: value.value for value in status.values}


def test_frames_beyond_the_deadline_are_a_warning_with_the_cure(bench, draw):
    status = bench.diagnostics(lambda s: True, "a status")
    assert figures(status)["deadline misses"] == "no deadline"
    assert bench.set_parameters(deadline_ms=0.001).successful  # nothing is so fast
    bench.track(BOX)
    status = bench.diagnostics(lambda s: "deadline_ms 0.001" in s.message, "the warning")
    assert status.level == status.WARN
    assert "fewer threads" in status.message
    assert int(figures(status)["deadline misses"]) > 0
    assert bench.set_parameters(deadline_ms=60000.0).successful
    bench.show(draw(BOX))
    bench.diagnostics(lambda s: s.level == s.OK, "all to be well again")


def test_a_negative_deadline_is_refused(bench):
    assert not bench.set_parameters(deadline_ms=-1.0).successful


@pytest.mark.skipif(not hasattr(os, "sched_setaffinity"), reason="no cores to choose")
def test_network_and_tracking_stay_on_their_cores(make_bench, draw):
    first = min(os.sched_getaffinity(0))
    asked = []

    def factory(**options):
        asked.append((options["threads"], os.sched_getaffinity(0)))
        return bench.engine

    bench = make_bench({"cpu_affinity": str(first), "autostart": False}, factory=factory)
    assert bench.lifecycle("configure")
    assert bench.lifecycle("activate")
    bench.connect().track(BOX)
    assert asked == [(1, {first})]
    cores = {
        thread.name: os.sched_getaffinity(thread.native_id)
        for thread in threading.enumerate()
        if thread.native_id is not None
    }
    assert cores["tracking"] == {first}
    everywhere = os.sched_getaffinity(0)
    assert all(cores[thread.name] == everywhere for thread in bench.threads)
    assert bench.lifecycle("deactivate")
    assert bench.lifecycle("cleanup")
    refused = bench.set_parameters(cpu_affinity="all")
    assert not refused.successful
    assert "give a list such as 0,2-3" in refused.reason


def test_a_core_that_does_not_exist_ends_the_start(make_bench):
    with pytest.raises(ParameterError, match="cpu_affinity is '4095'"):
        make_bench({"cpu_affinity": "4095"})
