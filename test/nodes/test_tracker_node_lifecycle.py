# Copyright 2026 mixformer2_ros contributors
# SPDX-License-Identifier: Apache-2.0
"""Lifecycle, parameters and names of the tracker node."""

from __future__ import annotations

import gc
import os
import signal
import subprocess
import sys

import pytest

pytest.importorskip("rclpy", reason="needs ROS 2")
pytest.importorskip("mixformer2_ros.msg", reason="needs the generated messages")

import rclpy
from lifecycle_msgs.msg import Transition
from rclpy.parameter import Parameter

from mixformer2_ros.inference import ModelError
from mixformer2_ros.nodes.tracker_node import TrackerNode
from mixformer2_ros.ros.images import rgb_to_compressed_message
from mixformer2_ros.ros.parameters import ParameterError

BOX = (60, 50, 20, 16)


def test_with_autostart_the_node_activates_itself(bench):
    assert bench.lifecycle_state() == "active"


def test_without_autostart_it_waits_for_its_manager(make_bench):
    bench = make_bench({"autostart": False})
    assert bench.lifecycle_state() == "unconfigured"
    reply = bench.set_target(BOX)
    assert (reply.success, reply.code) == (False, reply.NOT_ACTIVE)
    assert "ros2 lifecycle set /tracker" in reply.message
    assert not bench.call("clear_target", target_id="").success
    assert bench.lifecycle("configure")
    assert bench.lifecycle_state() == "inactive"
    assert bench.set_target(BOX).code == reply.NOT_ACTIVE
    assert bench.lifecycle("activate")
    bench.connect()
    assert bench.track(BOX)


def test_the_first_inference_is_done_while_it_configures(make_bench):
    bench = make_bench({"autostart": False})
    assert bench.engine.batches == []
    assert bench.lifecycle("configure")
    assert bench.engine.batches == [1]
    assert bench.lifecycle("activate")
    assert bench.engine.batches == [1]


def test_deactivated_it_is_silent_and_forgets(bench, draw):
    bench.track(BOX)
    assert bench.lifecycle("deactivate")
    assert bench.set_target(BOX).code == bench.set_target(BOX).NOT_ACTIVE
    heard = {name: len(messages) for name, messages in bench.heard.items()}
    assert bench.tracker.count_subscribers("/image") == 0
    bench.publishers["image"].publish(bench.message(draw(BOX)))
    status = bench.diagnostics(lambda s: "not active" in s.message, "the diagnostics")
    assert status.level == status.OK
    for name in ("detection", "detections", "state"):
        assert len(bench.heard[name]) == heard[name]

    assert bench.lifecycle("activate")
    bench.heard["state"].clear()
    bench.connect()
    state = bench.show(draw(BOX))
    assert not state.targets
    assert bench.track(BOX)


def test_while_active_garbage_collections_have_nothing_old_to_look_at(bench):
    assert gc.get_freeze_count() > 0
    assert bench.lifecycle("deactivate")
    assert gc.get_freeze_count() == 0


def test_every_transition_can_be_repeated(make_bench):
    bench = make_bench({"autostart": False})
    for _ in range(3):
        for name in ("configure", "activate", "deactivate", "cleanup"):
            assert bench.lifecycle(name)
    assert bench.lifecycle("configure")
    assert bench.lifecycle("activate")
    transition = Transition(id=Transition.TRANSITION_ACTIVE_SHUTDOWN)
    assert bench.call("change_state", transition=transition).success
    assert bench.lifecycle_state() == "finalized"
    assert bench.set_target(BOX).code == bench.set_target(BOX).NOT_ACTIVE


def test_impossible_transitions_are_refused(bench):
    assert not bench.lifecycle("configure")
    assert not bench.lifecycle("cleanup")
    assert bench.lifecycle_state() == "active"
    assert bench.track(BOX)


def test_a_model_that_cannot_be_loaded_can_be_corrected(make_bench):
    asked = []

    def factory(**options):
        asked.append(options)
        if options["checkpoint"] != "good.pth":
            raise ModelError(f"no file {options['checkpoint']}: give the path of a checkpoint")
        return bench.engine

    bench = make_bench({"checkpoint": "bad.pth", "threads": 3}, factory=factory)
    status = bench.diagnostics(lambda s: "no file bad.pth" in s.message, "the reason")
    assert status.level == status.ERROR
    assert "give the path" in status.message
    assert bench.lifecycle_state() == "unconfigured"
    assert not bench.lifecycle("configure")
    assert bench.set_parameters(checkpoint="good.pth").successful
    assert bench.lifecycle("configure")
    assert bench.lifecycle("activate")
    bench.connect()
    assert asked[-1] == {
        "variant": "small",
        "checkpoint": "good.pth",
        "backend": "auto",
        "device": "auto",
        "precision": "auto",
        "threads": 3,
    }
    assert asked[0]["checkpoint"] == "bad.pth"


def test_an_engine_that_fails_its_first_inference_is_not_used(make_bench):
    bench = make_bench({"autostart": False})
    bench.engine.failure = ValueError("bad weights")
    assert not bench.lifecycle("configure")
    assert bench.lifecycle_state() == "unconfigured"
    bench.engine.failure = None
    assert bench.lifecycle("configure")


def test_an_activation_that_fails_can_be_repeated(make_bench, monkeypatch):
    bench = make_bench({"autostart": False})
    assert bench.lifecycle("configure")

    def fail(parameters):
        raise RuntimeError("no such middleware")

    monkeypatch.setattr(bench.tracker, "_subscribe", fail)
    assert not bench.lifecycle("activate")
    assert bench.lifecycle_state() == "inactive"
    status = bench.diagnostics(lambda s: "no such middleware" in s.message, "the reason")
    assert status.level == status.ERROR
    monkeypatch.undo()
    assert bench.lifecycle("activate")
    bench.connect()


def test_parameters_change_all_or_nothing(bench):
    before = bench.tracker._settings.current
    result = bench.set_parameters(class_id="drone", tracker__margin=20.0, tracker__doubt_score=1.0)
    assert not result.successful
    assert "confirm_score" in result.reason
    assert bench.tracker._settings.current == before
    assert bench.tracker.get_parameter("class_id").value == "target"
    assert bench.tracker.get_parameter("tracker.margin").value == 10.0
    result = bench.set_parameters(
        class_id="drone", tracker__doubt_score=0.6, tracker__confirm_score=0.7
    )
    assert result.successful
    bench.track(BOX)
    assert bench.heard["detection"][-1].results[0].hypothesis.class_id == "drone"
    assert bench.tracker._session._config.doubt_score == 0.6


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"tracker.margin": 0.5}, ["tracker.margin", "0.5"]),
        ({"tracker.margin": float("nan")}, ["tracker.margin", "nan"]),
        ({"tracker.update_interval": 0}, ["tracker.update_interval", "0"]),
        ({"tracker.search_factor": 0.5}, ["tracker.search_factor", "0.5", "1 to 20"]),
        ({"tracker.robust": 1}, ["type"]),
        ({"class_id": " "}, ["class_id", "empty"]),
        ({"model": "base"}, ["model", "'base'", "deactivate and clean up first"]),
        ({"class_id": "drone", "image_transport": "compressed"}, ["image_transport"]),
        ({"autostart": False}, ["autostart", "read-only"]),
    ],
)
def test_refused_parameters_are_explained(bench, changes, words):
    result = bench.set_parameters(**changes)
    assert not result.successful
    for word in words:
        assert word in result.reason
    assert bench.tracker._settings.current.class_id == "target"


def test_unconfigured_everything_may_be_set_within_its_choices(make_bench):
    bench = make_bench({"autostart": False})
    refused = bench.set_parameters(model="huge")
    assert not refused.successful
    assert "'huge'" in refused.reason
    assert "base, small" in refused.reason
    assert bench.set_parameters(model="base", max_targets=3).successful
    assert bench.tracker._settings.current.max_targets == 3
    # The same value again is no change.
    assert bench.lifecycle("configure")
    assert bench.set_parameters(model="base", class_id="drone").successful


def test_every_parameter_is_described(bench):
    names = [
        name
        for name in bench.tracker._parameters
        if not name.startswith(("qos", "use_sim", "start"))
    ]
    assert "tracker.robust" in names
    descriptors = bench.call("describe_parameters", names=names).descriptors
    runtime = [d.name for d in descriptors if "at any time" in d.description]
    assert {name for name in runtime if not name.startswith("tracker.")} == {
        "class_id",
        "deadline_ms",
    }
    assert len(runtime) == 16
    for descriptor in descriptors:
        assert descriptor.description.endswith(".")
        if type(bench.tracker.get_parameter(descriptor.name).value) in (int, float):
            assert descriptor.integer_range or descriptor.floating_point_range, descriptor.name


@pytest.mark.parametrize(
    ("parameters", "words"),
    [
        ({"tracker.margin": 5}, "tracker.margin.*float.*decimal point"),
        ({"max_targets": 0}, "max_targets.*0"),
        ({"model": "huge"}, "model.*'huge'.*base, small"),
        ({"tracker.confirm_score": 0.1}, "tracker.confirm_score.*0.1"),
    ],
)
def test_bad_start_up_values_end_the_start_with_the_reason(domain_id, parameters, words):
    context = rclpy.Context()
    rclpy.init(context=context, domain_id=domain_id)
    overrides = [Parameter(name, value=value) for name, value in parameters.items()]
    try:
        with pytest.raises(ParameterError, match=words):
            TrackerNode(context=context, parameter_overrides=overrides)
    finally:
        context.try_shutdown()


def test_namespaces_hold_everything(make_bench):
    bench = make_bench(namespace="left")
    assert bench.tracker.get_fully_qualified_name() == "/left/tracker"
    bench.connect()
    assert bench.track(BOX)
    status = bench.diagnostics(lambda s: True, "diagnostics")
    assert status.name == "left/tracker: tracking"


@pytest.mark.parametrize("transport", ["raw", "compressed"])
def test_remapping_image_moves_every_transport(make_bench, draw, transport):
    bench = make_bench(
        {"image_transport": transport},
        cli_args=["--ros-args", "-r", "image:=/camera/image_raw"],
        reliable=False,
    )
    topic = "/camera/image_raw" + ("/compressed" if transport == "compressed" else "")
    message = bench.message(draw(BOX))
    if transport == "compressed":
        message = rgb_to_compressed_message(draw(BOX), message.header)
    bench.publishers[topic] = bench.client.create_publisher(type(message), topic, 10)

    def answered():
        bench.publishers[topic].publish(message)
        bench._changed.wait(0.1)
        return bench.heard["state"]

    state = bench.wait(answered, "the state of an image")[0]
    assert state.header == message.header


def test_the_real_network_runs_in_the_node(make_bench, draw, tmp_path):
    torch = pytest.importorskip("torch", reason="needs PyTorch")
    from mixformer2_ros.inference import load_engine
    from mixformer2_ros.model import build_model

    torch.manual_seed(0)
    checkpoint = tmp_path / "random.pt"
    torch.save(build_model("small").state_dict(), checkpoint)
    bench = make_bench({"checkpoint": str(checkpoint), "threads": 1}, factory=load_engine).connect()
    bench.show(draw(BOX))
    reply = bench.set_target(BOX)
    assert reply.success, reply.message
    state = bench.wait(lambda: (s := bench.show(draw(BOX))).targets and s, "a result")
    assert state.inference_time > 0
    assert 0 <= state.targets[0].score <= 1
    status = bench.diagnostics(lambda s: True, "diagnostics")
    figures = {value.key: value.value for value in status.values}
    assert figures["model"].startswith("MixFormerV2-S")


START = "import sys; from mixformer2_ros.nodes import tracker_node as t; "
RUN = "sys.exit(t.main())"


def start_process(domain_id, *arguments, before=""):
    return subprocess.Popen(
        [sys.executable, "-c", START + before + RUN, "--ros-args", *arguments],
        stderr=subprocess.PIPE,
        text=True,
        env={**os.environ, "ROS_DOMAIN_ID": str(domain_id), "RCUTILS_LOGGING_USE_STDOUT": "0"},
    )


@pytest.mark.parametrize("stop", [signal.SIGINT, signal.SIGTERM])
def test_the_process_ends_cleanly_when_asked_to(domain_id, stop):
    process = start_process(domain_id, "-p", "checkpoint:=/nonexistent.pth")
    line = process.stderr.readline()
    assert "cannot configure" in line
    process.send_signal(stop)
    _, rest = process.communicate(timeout=30)
    assert process.returncode == 0
    assert "Traceback" not in rest


@pytest.mark.parametrize(
    ("argument", "words"),
    [
        (("-p", "model:=huge"), "parameter model is 'huge'; give one of: base, small"),
        (("-r", "image:="), "'-r image:='"),
    ],
)
def test_the_process_says_which_argument_is_wrong(domain_id, argument, words):
    process = start_process(domain_id, *argument)
    _, log = process.communicate(timeout=30)
    assert process.returncode == 1
    assert words in log
    assert "Traceback" not in log


def test_the_process_outlives_a_callback_that_fails(domain_id):
    process = start_process(
        domain_id,
        *("-p", "autostart:=false", "-p", "diagnostics_period:=0.1"),
        before="t.TrackerNode._publish_diagnostics = lambda self: 1 / 0; ",
    )
    for _ in range(2):
        assert "a callback failed: ZeroDivisionError" in process.stderr.readline()
    process.send_signal(signal.SIGINT)
    _, rest = process.communicate(timeout=30)
    assert process.returncode == 0
    assert "Traceback" not in rest
