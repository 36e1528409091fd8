# Copyright 2026 mixformer2_ros contributors
# SPDX-License-Identifier: Apache-2.0
"""Whatever comes in, the tracker node stays alive, answers, and says what is wrong."""

from __future__ import annotations

import array
import math
import random

import numpy as np
import pytest

pytest.importorskip("rclpy", reason="needs ROS 2")
pytest.importorskip("mixformer2_ros.msg", reason="needs the generated messages")

from builtin_interfaces.msg import Time
from rclpy.qos import QoSProfile, QoSReliabilityPolicy
from rclpy.serialization import serialize_message
from sensor_msgs.msg import CameraInfo, CompressedImage, Image
from std_msgs.msg import Header
from vision_msgs.msg import BoundingBox2D

from mixformer2_ros.ros.images import rgb_to_compressed_message
from mixformer2_ros.ros.messages import stamp_to_nanoseconds as nanoseconds

BOX = (60, 50, 20, 16)


def odd_number(rng: random.Random) -> float:
    return rng.choice(
        [0.0, -1.0, 1e-300, 1e300, -1e300, math.nan, math.inf, -math.inf, rng.uniform(-999, 999)]
    )


def odd_name(rng: random.Random) -> str:
    return rng.choice(["", " ", "\n", "a/b", "~", "ü" * 100, "x" * 100_000, "\x01\x02", "🎯"])


def odd_stamp(rng: random.Random) -> Time:
    return Time(
        sec=rng.choice([0, 1, -1, 2**31 - 1, -(2**31), rng.randrange(10**6)]),
        nanosec=rng.choice([0, 1, 2**32 - 1, rng.randrange(10**9)]),
    )


def odd_image(rng: random.Random) -> Image:
    """A small image with at least one field that does not fit the others."""
    message = Image()
    message.header = Header(stamp=odd_stamp(rng), frame_id=odd_name(rng))
    message.encoding = rng.choice(
        ["", "rgb8", "bgr8", "mono16", "nv12", "yuv422", "bayer_rggb8", "32FC1", "16UC1", "?" * 99]
    )
    message.height = rng.choice([0, 1, 3, 120, 2**32 - 1])
    message.width = rng.choice([0, 1, 3, 160, 2**32 - 1])
    message.step = rng.choice([0, 1, 159, 480, 2**32 - 1])
    message.is_bigendian = rng.choice([0, 1, 255])
    message.data = array.array("B", bytes(rng.choice([0, 1, 100, 5000])))
    return message


def odd_compressed(rng: random.Random) -> CompressedImage:
    good = rgb_to_compressed_message(np.zeros((120, 160, 3), np.uint8), Header()).data.tobytes()
    data = rng.choice([b"", b"\xff\xd8\xff", good[: rng.randrange(len(good))], bytes(99)])
    header = Header(stamp=odd_stamp(rng), frame_id=odd_name(rng))
    return CompressedImage(header=header, format=odd_name(rng), data=array.array("B", data))


def odd_request(rng: random.Random) -> dict[str, object]:
    bbox = BoundingBox2D(size_x=odd_number(rng), size_y=odd_number(rng))
    bbox.center.position.x, bbox.center.position.y = odd_number(rng), odd_number(rng)
    bbox.center.theta = odd_number(rng)
    return {
        "header": Header(stamp=odd_stamp(rng), frame_id=odd_name(rng)),
        "target_id": odd_name(rng),
        "bbox": bbox,
        "normalized": rng.random() < 0.5,
    }


def odd_camera_info(rng: random.Random) -> CameraInfo:
    info = CameraInfo(width=rng.choice([0, 160]), height=rng.choice([0, 120]))
    info.k = [odd_number(rng) for _ in range(9)]
    info.d = [odd_number(rng) for _ in range(rng.randrange(9))]
    info.distortion_model = rng.choice(["", "plumb_bob", "equidistant", "odd"])
    return info


@pytest.mark.parametrize("transport", ["raw", "compressed"])
def test_200_malformed_messages_leave_the_node_tracking(make_bench, draw, transport):
    rng = random.Random(4)
    topic = "image" if transport == "raw" else "image/compressed"
    bench = make_bench({"image_transport": transport, "max_targets": 64}).connect(topic)

    def show(box):
        message = bench.message(draw(box))
        if transport == "compressed":
            message = rgb_to_compressed_message(draw(box), message.header)
        return bench.send(message, topic)

    show(BOX)
    for _ in range(100):
        odd = odd_image(rng) if transport == "raw" else odd_compressed(rng)
        bench.publishers[topic].publish(odd)
        bench.publishers["camera_info"].publish(odd_camera_info(rng))
        reply = bench.call("set_target", **odd_request(rng))
        assert reply.success == (reply.code == reply.OK)
        assert reply.message
        assert bench.call("clear_target", target_id=odd_name(rng)).message
    bench.call("clear_target", target_id="")
    assert bench.lifecycle_state() == "active"
    show(BOX)
    assert bench.set_target(BOX, target_id="survivor").success
    state = bench.wait(lambda: show(BOX).targets, "a target after all that")[0]
    assert (state.target_id, state.state) == ("survivor", state.TRACKING)


def test_texts_that_are_not_utf_8_are_survived(bench, draw):
    message = bench.message(draw(BOX), frame_id="camera")
    for text in (b"camera", b"rgb8"):
        raw = serialize_message(message)
        assert raw.count(text) == 1
        bench.publishers["image"].publish(
            raw.replace(text, b"\xff\xfe\xfd\x80\x80\x80"[: len(text)])
        )
    bench.publishers["image"].publish(message)
    assert bench.track(BOX)


def test_refused_images_are_an_error_with_the_cure(bench, draw):
    message = bench.message(draw(BOX))
    message.encoding = "odd7"
    bench.publishers["image"].publish(message)
    status = bench.diagnostics(lambda s: "odd7" in s.message, "the encoding in the diagnostics")
    assert status.level == status.ERROR
    assert "publish one of rgb8" in status.message


def test_services_answer_while_the_network_runs(bench, draw):
    bench.track(BOX, target_id="a")
    bench.engine.gate.clear()
    bench.engine.entered.clear()
    message = bench.message(draw(BOX))
    bench.publishers["image"].publish(message)
    assert bench.engine.entered.wait(10)
    # All of these answer although the network does not come back.
    assert bench.set_target(BOX, target_id="b").success
    assert bench.call("clear_target", target_id="b").success
    assert bench.set_parameters(tracker__margin=12.0).successful
    assert bench.lifecycle_state() == "active"
    assert bench.diagnostics(lambda s: True, "diagnostics") is not None
    assert bench.with_stamp("state", nanoseconds(message.header.stamp)) is None
    bench.engine.gate.set()
    bench.wait(lambda: bench.with_stamp("state", nanoseconds(message.header.stamp)), "the frame")


def test_a_failing_network_is_reported_and_survived(bench, draw):
    bench.track(BOX)
    bench.engine.failure = RuntimeError("the accelerator is on fire")
    bench.publishers["image"].publish(bench.message(draw(BOX)))
    status = bench.diagnostics(lambda s: "on fire" in s.message, "the failure")
    assert status.level == status.ERROR
    bench.engine.failure = None
    state = bench.show(draw(BOX)).targets[0]
    assert state.state == state.TRACKING


def test_the_size_of_the_images_may_change(bench, draw):
    bench.track(BOX)
    box = tuple(2 * value for value in BOX)
    for _ in range(40):
        state = bench.show(draw(box, size=(240, 320))).targets[0]
    centre = state.bbox.center.position
    tracked = state.state == state.TRACKING
    assert state.state == state.LOST or tracked
    if tracked:
        assert (centre.x, centre.y) == pytest.approx((140, 116), abs=3)
    for _ in range(40):
        state = bench.show(draw(BOX)).targets[0]
    assert state.state in (state.TRACKING, state.LOST)


@pytest.mark.parametrize("encoding", ["bgr8", "rgba8", "bgra8"])
def test_the_encoding_may_change(bench, draw, encoding):
    bench.track(BOX)
    for shown in (encoding, "rgb8"):
        state = bench.show(draw(BOX), encoding=shown).targets[0]
        assert state.state == state.TRACKING
        assert state.score == pytest.approx(0.95)


def test_time_may_jump_back(bench, draw):
    bench.track(BOX)
    bench.show(draw(BOX), 900_000_000_000)
    for step in range(20):
        stamp = 5_000_000_000 + step * 33_333_333
        state = bench.show(draw(BOX), stamp)
        assert nanoseconds(state.header.stamp) == stamp
    target = state.targets[0]
    assert target.state == target.TRACKING
    # The history begins anew, too: what was before the jump is in the future now.
    reply = bench.set_target(BOX, 900_000_000_000)
    assert reply.code == reply.STAMP_IN_FUTURE


def test_images_without_stamps_are_tracked(bench, draw):
    bench.track(BOX)
    processed = bench.heard["state"][-1].frames_processed
    for _ in range(5):
        bench.publishers["image"].publish(bench.message(draw(BOX), 0))
        processed += 1
        bench.wait(
            lambda count=processed: bench.heard["state"][-1].frames_processed == count, "a state"
        )
    state = bench.heard["state"][-1]
    assert nanoseconds(state.header.stamp) == 0
    assert state.targets[0].state == state.targets[0].TRACKING
    assert bench.set_target(BOX).success


def test_the_publisher_may_restart(bench, draw):
    bench.track(BOX)
    bench.client.destroy_publisher(bench.publishers["image"])
    bench.wait(lambda: bench.tracker.count_publishers("/image") == 0, "the publisher to go")
    bench.publishers["image"] = bench.client.create_publisher(Image, "image", 10)
    heard = len(bench.heard["state"])

    def answered():
        bench.publishers["image"].publish(bench.message(draw(BOX)))
        bench._changed.wait(0.1)
        return len(bench.heard["state"]) > heard

    bench.wait(answered, "an image from the new publisher")
    state = bench.show(draw(BOX)).targets[0]
    assert state.state == state.TRACKING


def test_silence_is_a_warning_with_what_to_check(make_bench):
    bench = make_bench()
    status = bench.diagnostics(lambda s: "no image on /image" in s.message, "the warning")
    assert status.level == status.WARN
    assert "1 publisher(s)" in status.message
    bench.client.destroy_publisher(bench.publishers["image"])
    status = bench.diagnostics(lambda s: "nobody publishes" in s.message, "the warning")
    assert "remap 'image'" in status.message


def test_a_mismatch_of_qos_says_which_side_must_change(make_bench):
    bench = make_bench()
    weak = QoSProfile(depth=1, reliability=QoSReliabilityPolicy.BEST_EFFORT)
    bench.client.destroy_publisher(bench.publishers["image"])
    bench.publishers["image"] = bench.client.create_publisher(Image, "image", weak)
    status = bench.diagnostics(lambda s: "reliability" in s.message, "the mismatch")
    assert status.level == status.WARN
    assert "qos_overrides./image.subscription.reliability" in status.message


def test_a_mismatch_of_camera_info_costs_the_directions_only(make_bench, draw):
    name = "qos_overrides./camera_info.subscription.reliability"
    bench = make_bench({name: "reliable"})
    weak = QoSProfile(depth=1, reliability=QoSReliabilityPolicy.BEST_EFFORT)
    bench.publishers["weak"] = bench.client.create_publisher(CameraInfo, "camera_info", weak)
    bench.connect()
    bench.show(draw(BOX))
    status = bench.diagnostics(lambda s: name in s.message, "the mismatch")
    assert "no directions" in status.message


@pytest.mark.parametrize("reliability", list(QoSReliabilityPolicy)[1:3])
def test_by_default_both_kinds_of_publishers_are_heard(make_bench, reliability):
    bench = make_bench(reliable=False)
    bench.client.destroy_publisher(bench.publishers["image"])
    profile = QoSProfile(depth=10, reliability=reliability)
    bench.publishers["image"] = bench.client.create_publisher(Image, "image", profile)
    bench.connect()


def test_a_lost_target_is_a_warning(bench, draw):
    bench.track(BOX, target_id="a")
    for _ in range(30):
        bench.show(draw())
    status = bench.diagnostics(lambda s: "target lost: a" in s.message, "the warning")
    assert status.level == status.WARN
    assert "~/set_target" in status.message
