# Copyright 2026 mixformer2_ros contributors
# SPDX-License-Identifier: Apache-2.0
"""The tracker node's topics and services, frame by frame, over real middleware."""

from __future__ import annotations

import math

import cv2
import numpy as np
import pytest

pytest.importorskip("rclpy", reason="needs ROS 2")
pytest.importorskip("mixformer2_ros.msg", reason="needs the generated messages")

from sensor_msgs.msg import CameraInfo, Image

from mixformer2_ros.ros.images import rgb_to_compressed_message
from mixformer2_ros.ros.messages import stamp_to_nanoseconds as nanoseconds
from mixformer2_ros.srv import SetTarget

BOX = (60, 50, 20, 16)
Reply = SetTarget.Response


def box_of(message) -> tuple[float, float, float, float]:
    """x, y, w, h of a message's bounding box."""
    bbox = message.bbox
    centre = bbox.center.position
    return centre.x - bbox.size_x / 2, centre.y - bbox.size_y / 2, bbox.size_x, bbox.size_y


def newest(bench, name):
    return bench.heard[name][-1]


def test_headers_are_the_images_own(bench, draw):
    bench.track(BOX)
    message = bench.message(draw(BOX), stamp=123_456_789_012, frame_id="front optical")
    bench.send(message)
    for name in ("detection", "detections", "state"):
        heard = bench.wait(lambda name=name: bench.with_stamp(name, 123_456_789_012), name)
        assert heard.header == message.header
    detection = bench.with_stamp("detections", 123_456_789_012).detections[0]
    assert detection == bench.with_stamp("detection", 123_456_789_012)
    assert detection.header == message.header


def test_a_detection_says_what_and_how_sure(bench):
    state = bench.track(BOX, target_id="the red one")
    detection = newest(bench, "detection")
    assert detection.id == "the red one"
    assert detection.results[0].hypothesis.class_id == "target"
    assert detection.results[0].hypothesis.score == pytest.approx(0.95)
    assert state.score == pytest.approx(0.95)
    assert box_of(state) == box_of(detection)


def padded(message: Image, padding: int) -> Image:
    """The same image with random bytes after each row."""
    rows = np.frombuffer(message.data, np.uint8).reshape(message.height, -1)
    junk = np.random.default_rng(0).integers(0, 256, (len(rows), padding), dtype=np.uint8)
    message.data = np.hstack([rows, junk]).tobytes()
    message.step += padding
    return message


@pytest.mark.parametrize("encoding", ["rgb8", "bgr8", "bgra8"])
def test_boxes_are_in_pixels_of_a_padded_image(bench, draw, encoding):
    bench.track(BOX)
    for step in range(1, 6):
        box = (60 + 3 * step, 50 - 2 * step, 20, 16)
        state = bench.send(padded(bench.message(draw(box), encoding=encoding), 13))
        assert box_of(state.targets[0]) == pytest.approx(box, abs=1.5)


def test_boxes_are_in_pixels_of_the_image_however_the_operator_saw_it(bench, draw):
    """The operator drew on a half-size copy, so the request is in fractions."""
    image = draw(BOX)
    sent = bench.message(image)
    bench.send(sent)
    height, width = image.shape[:2]
    fractions = [v / s for v, s in zip(BOX, (width, height, width, height), strict=True)]
    reply = bench.set_target(fractions, nanoseconds(sent.header.stamp), normalized=True)
    assert reply.success, reply.message
    state = bench.wait(lambda: bench.show(image).targets, "the target")[0]
    assert box_of(state) == pytest.approx(BOX, abs=1.5)


def test_boxes_are_in_pixels_of_a_compressed_image(make_bench, draw):
    bench = make_bench({"image_transport": "compressed"}).connect("image/compressed")

    def show(box):
        header = bench.message(draw(box)).header
        return bench.send(rgb_to_compressed_message(draw(box), header), "image/compressed")

    show(BOX)
    assert bench.set_target(BOX).success
    bench.wait(lambda: show(BOX).targets, "the target")
    for step in range(1, 6):
        box = (60 + 3 * step, 50, 20, 16)
        assert box_of(show(box).targets[0]) == pytest.approx(box, abs=2)


def test_without_a_target_there_are_states_but_no_detections(bench, draw):
    states = [bench.show(draw(BOX)) for _ in range(3)]
    assert all(list(state.targets) == [] for state in states)
    stamps = [nanoseconds(state.header.stamp) for state in states]
    bench.wait(lambda: bench.with_stamp("detections", stamps[-1]), "the detections")
    assert all(not bench.with_stamp("detections", stamp).detections for stamp in stamps)
    assert not bench.heard["detection"]


def test_a_lost_target_is_silence_and_an_explicit_state(bench, draw):
    bench.track(BOX)
    seen = newest(bench, "state").header.stamp
    states = [bench.show(draw()).targets[0] for _ in range(30)]
    lost = [state for state in states if state.state == state.LOST]
    assert states[0].state == states[0].UNCERTAIN
    assert states[-1].state == states[-1].LOST
    assert all(state.last_seen == seen for state in states)
    believed = nanoseconds(bench.heard["detection"][-1].header.stamp)
    newest_stamp = nanoseconds(newest(bench, "state").header.stamp)
    assert newest_stamp - believed >= (len(lost) - 1) * 33_333_333
    bench.wait(lambda: bench.with_stamp("detections", newest_stamp), "the detections")
    assert not newest(bench, "detections").detections

    for _ in range(20):
        bench.show(draw(BOX))
    state = newest(bench, "state").targets[0]
    assert state.state == state.TRACKING
    assert state.last_seen == newest(bench, "state").header.stamp
    bench.wait(
        lambda: bench.with_stamp("detection", nanoseconds(state.last_seen)), "a detection again"
    )


def test_one_state_for_every_processed_frame(bench, draw):
    before = newest(bench, "state")
    for index in range(20):
        if index == 5:
            bench.set_target(BOX)
        if index == 15:
            bench.call("clear_target", target_id="")
        bench.show(draw(BOX) if index < 10 else draw())
    states = [s for s in bench.heard["state"] if nanoseconds(s.header.stamp) > 1_000_000_000]
    assert len({nanoseconds(state.header.stamp) for state in states}) == len(states) == 20
    assert [s.frames_processed - before.frames_processed for s in states] == list(range(1, 21))
    assert states[-1].frames_received - before.frames_received == 20
    assert states[-1].frames_dropped == before.frames_dropped


def test_frames_that_a_newer_one_replaced_are_counted(bench, draw):
    bench.track(BOX)
    before = newest(bench, "state")
    bench.engine.gate.clear()
    bench.engine.entered.clear()
    messages = [bench.message(draw(BOX)) for _ in range(6)]
    bench.publishers["image"].publish(messages[0])
    assert bench.engine.entered.wait(10)
    for message in messages[1:]:
        bench.publishers["image"].publish(message)
    received = bench.tracker._session
    bench.wait(lambda: received._received == before.frames_received + 6, "the frames")
    bench.engine.gate.set()
    stamp = nanoseconds(messages[-1].header.stamp)
    state = bench.wait(lambda: bench.with_stamp("state", stamp), "the newest frame")
    assert state.frames_received - before.frames_received == 6
    assert state.frames_processed - before.frames_processed == 2
    assert state.frames_dropped - before.frames_dropped == 4


def test_latency_and_inference_time_are_measured(bench, draw):
    bench.track(BOX)
    stamp = bench.tracker.get_clock().now().nanoseconds - 500_000_000
    state = bench.show(draw(BOX), stamp)
    assert 0.5 <= state.latency < 30
    assert 0 < state.inference_time < 30


def test_several_targets_share_one_forward(bench, draw):
    first, second = (30, 40, 16, 16), (110, 60, 20, 16)
    image = draw(first, second)
    bench.show(image)
    assert bench.set_target(first, target_id="a").success
    assert bench.set_target(second, target_id="b").success
    bench.wait(lambda: len(bench.show(image).targets) == 2, "both targets")
    forwards = len(bench.engine.batches)
    state = bench.show(image)
    assert bench.engine.batches[forwards:] == [2]
    assert [target.target_id for target in state.targets] == ["a", "b"]
    assert box_of(state.targets[0]) == pytest.approx(first, abs=1.5)
    assert box_of(state.targets[1]) == pytest.approx(second, abs=1.5)
    stamp = nanoseconds(state.header.stamp)
    detections = bench.wait(lambda: bench.with_stamp("detections", stamp), "detections")
    assert [detection.id for detection in detections.detections] == ["a", "b"]
    assert bench.wait(lambda: bench.with_stamp("detection", stamp), "detection").id == "a"

    # The primary target is silent while it is lost, also when another one is tracked ...
    for _ in range(30):
        state = bench.show(draw((0, 0, 1, 1), second))
    stamp = nanoseconds(state.header.stamp)
    detections = bench.wait(lambda: bench.with_stamp("detections", stamp), "detections")
    assert [detection.id for detection in detections.detections] == ["b"]
    assert bench.with_stamp("detection", stamp) is None
    # ... and the next one takes its place when it is cleared.
    assert bench.call("clear_target", target_id="a").success
    stamp = nanoseconds(bench.show(image).header.stamp)
    assert bench.wait(lambda: bench.with_stamp("detection", stamp), "detection").id == "b"


def test_a_target_set_on_a_frame_one_second_old_is_caught_up(bench, draw):
    def box(index):
        return (10 + 4 * index, 50, 16, 16)

    stamps = []
    for index in range(31):
        stamps.append(nanoseconds(bench.show(draw(box(index))).header.stamp))
    old = stamps[0]
    assert stamps[-1] - old >= 999_000_000
    # Nowhere near the target any more in the newest image: only the old one has it there.
    reply = bench.set_target(box(0), old)
    assert reply.success, reply.message
    assert nanoseconds(reply.stamp) == old
    state = bench.wait(lambda: bench.show(draw(box(31))).targets, "the target")[0]
    assert state.state == state.TRACKING
    assert box_of(state) == pytest.approx(box(31), abs=1.5)


def test_a_known_name_restarts_its_target(bench, draw):
    bench.track((30, 40, 16, 16), target_id="a")
    image = draw((110, 60, 20, 16))
    bench.show(image)
    assert bench.set_target((110, 60, 20, 16), target_id="a").success

    def restarted():
        targets = bench.show(image).targets
        return targets and box_of(targets[0]) == pytest.approx((110, 60, 20, 16), abs=1.5)

    bench.wait(restarted, "the restarted target")
    assert len(newest(bench, "state").targets) == 1


def test_clear_target_stops_one_or_all(bench, draw):
    bench.track(BOX, target_id="a")
    unknown = bench.call("clear_target", target_id="b")
    assert not unknown.success
    assert "'b'" in unknown.message
    assert "'a'" in unknown.message
    assert bench.call("clear_target", target_id="").success
    assert not bench.show(draw(BOX)).targets


# Reasons of SetTarget


@pytest.mark.parametrize(
    "box",
    [
        (math.nan, 50, 20, 16),
        (60, math.inf, 20, 16),
        (60, 50, -20, 16),
        (60, 50, 0, 0),
        (60, 50, 1e300, 16),
        (1e300, 1e300, 20, 16),
        (500, 500, 20, 16),
        (-19.5, 50, 20, 16),
    ],
)
def test_impossible_boxes_are_invalid(bench, draw, box):
    bench.show(draw(BOX))
    reply = bench.set_target(box)
    assert (reply.success, reply.code) == (False, Reply.INVALID_BOX)
    assert reply.message
    assert not bench.show(draw(BOX)).targets


def test_stamps_are_checked_against_the_history(make_bench, draw):
    bench = make_bench({"history_megabytes": 1}).connect()
    stamps = [nanoseconds(bench.show(draw(BOX)).header.stamp) for _ in range(40)]
    for stamp, code, words in [
        (stamps[0], Reply.STAMP_TOO_OLD, "history_megabytes"),
        (stamps[-1] + 10**9, Reply.STAMP_IN_FUTURE, "newer than the newest"),
    ]:
        reply = bench.set_target(BOX, stamp)
        assert (reply.success, reply.code) == (False, code)
        assert words in reply.message
    assert bench.set_target(BOX, stamps[-1] + 40_000_000).code == Reply.OK


def test_a_stamp_between_far_frames_is_no_image(bench, draw):
    bench.show(draw(BOX), 10_000_000_000)
    bench.show(draw(BOX), 12_000_000_000)
    reply = bench.set_target(BOX, 11_000_000_000)
    assert (reply.success, reply.code) == (False, Reply.NO_IMAGE)
    assert "stamp_tolerance" in reply.message


def test_before_the_first_image_there_is_no_image(make_bench):
    bench = make_bench()
    bench.wait(lambda: bench.lifecycle_state_label() == "active", "the node to be active")
    reply = bench.set_target(BOX)
    assert (reply.success, reply.code) == (False, Reply.NO_IMAGE)
    assert "topic" in reply.message


def test_too_many_targets_are_refused(make_bench, draw):
    bench = make_bench({"max_targets": 2}).connect()
    bench.show(draw(BOX))
    assert [bench.set_target(BOX).code for _ in range(3)] == [
        Reply.OK,
        Reply.OK,
        Reply.TOO_MANY_TARGETS,
    ]


def test_an_image_that_cannot_be_decoded_is_an_internal_error(make_bench, draw):
    bench = make_bench({"image_transport": "compressed"}).connect("image/compressed")
    message = rgb_to_compressed_message(draw(BOX), bench.message(draw(BOX)).header)
    # The picture's data, not its header: found out only when it is decoded.
    png = cv2.imencode(".png", draw(BOX))[1].tobytes()
    message.data = png[:45] + bytes(len(png) - 90) + png[-45:]
    before = bench.tracker._session._received
    bench.publishers["image/compressed"].publish(message)
    bench.wait(lambda: bench.tracker._session._received > before, "the image")
    reply = bench.set_target(BOX)
    assert (reply.success, reply.code) == (False, Reply.INTERNAL_ERROR)
    assert "damaged" in reply.message


def test_endless_names_are_refused(bench, draw):
    bench.show(draw(BOX))
    reply = bench.set_target(BOX, target_id="x" * 1000)
    assert (reply.success, reply.code) == (False, Reply.INTERNAL_ERROR)
    assert "1000 characters" in reply.message


# Directions


K = [150.0, 0.0, 81.0, 0.0, 152.0, 58.5, 0.0, 0.0, 1.0]
D = [-0.25, 0.08, 0.001, -0.0005, 0.0]


def camera_info(**fields) -> CameraInfo:
    info = CameraInfo(width=160, height=120, k=K, d=D, distortion_model="plumb_bob")
    for name, value in fields.items():
        setattr(info, name, value)
    return info


def use_camera(bench, info):
    before = bench.tracker._camera
    bench.publishers["camera_info"].publish(info)
    bench.wait(lambda: bench.tracker._camera not in (None, before), "the camera info")


def expected_ray(box, scale=1.0):
    x, y, width, height = box
    # Pixel centres are whole numbers to OpenCV, pixel borders to boxes.
    point = (np.array([x + width / 2, y + height / 2]) / scale - 0.5).reshape(1, 1, 2)
    matrix = np.array(K).reshape(3, 3)
    x, y = cv2.undistortPoints(point, matrix, np.array(D))[0, 0]
    return np.array([x, y, 1]) / np.linalg.norm([x, y, 1])


def test_directions_need_camera_info(bench):
    state = bench.track(BOX)
    assert math.isnan(state.azimuth)
    assert math.isnan(state.elevation)
    assert not bench.heard["target_direction"]


def test_directions_are_undistorted_right_and_up(bench, draw):
    bench.track(BOX)
    use_camera(bench, camera_info())
    box = (100, 14, 20, 16)
    for step in range(1, 11):
        state = bench.show(draw((60 + 4 * step, 50 - 4 * min(step, 9), 20, 16)))
    target = state.targets[0]
    assert box_of(target) == pytest.approx(box, abs=1.5)
    ray = expected_ray(box_of(target))
    stamp = nanoseconds(state.header.stamp)
    direction = bench.wait(lambda: bench.with_stamp("target_direction", stamp), "direction")
    assert direction.header == state.header
    vector = direction.vector
    np.testing.assert_allclose([vector.x, vector.y, vector.z], ray, atol=1e-4)
    assert target.azimuth == pytest.approx(math.atan2(ray[0], ray[2]), abs=1e-4)
    assert target.elevation == pytest.approx(-math.asin(ray[1]), abs=1e-4)
    assert target.azimuth > 0
    assert target.elevation > 0


def test_directions_fit_an_image_of_another_size(bench, draw):
    box = (100, 40, 40, 32)
    image = draw(box, size=(240, 320))
    bench.show(image)
    assert bench.set_target(box).success
    use_camera(bench, camera_info())
    state = bench.wait(lambda: (s := bench.show(image)).targets and s, "the target")
    stamp = nanoseconds(state.header.stamp)
    vector = bench.wait(lambda: bench.with_stamp("target_direction", stamp), "direction").vector
    ray = expected_ray(box_of(state.targets[0]), scale=2.0)
    np.testing.assert_allclose([vector.x, vector.y, vector.z], ray, atol=1e-4)


@pytest.mark.parametrize(
    ("fields", "words"),
    [({"height": 90}, "160x90"), ({"k": [0.0] * 9}, "not calibrated")],
)
def test_without_a_fitting_calibration_there_is_no_direction(bench, draw, fields, words):
    bench.track(BOX)
    use_camera(bench, camera_info(**fields))
    state = bench.show(draw(BOX))
    assert math.isnan(state.targets[0].azimuth)
    status = bench.diagnostics(lambda s: words in s.message, "the reason in the diagnostics")
    assert status.level == status.WARN
    assert not bench.heard["target_direction"]


def test_a_lost_target_has_no_direction(bench, draw):
    bench.track(BOX)
    use_camera(bench, camera_info())
    for _ in range(30):
        state = bench.show(draw())
    assert state.targets[0].state == state.targets[0].LOST
    stamp = nanoseconds(state.header.stamp)
    bench.wait(lambda: bench.with_stamp("detections", stamp), "detections")
    assert bench.with_stamp("target_direction", stamp) is None


# Debug image


def test_the_debug_image_is_made_only_while_it_is_watched(bench, draw, monkeypatch):
    shown = []
    view = bench.tracker._debug_view
    draw_picture = view._draw
    monkeypatch.setattr(view, "_draw", lambda p: shown.append(1) or draw_picture(p))
    bench.track(BOX)
    assert not shown
    watcher = bench.listen("tracker/debug_image", Image)
    watched = bench.tracker._outputs.debug_image
    bench.wait(lambda: watched.get_subscription_count() == 1, "the watcher")

    def look():
        bench.show(draw(BOX))
        return bench.heard["debug_image"]

    picture = bench.wait(look, "a debug image")[0]
    sent = bench.wait(
        lambda: bench.with_stamp("state", nanoseconds(picture.header.stamp)), "its state"
    )
    assert picture.header == sent.header
    pixels = np.frombuffer(picture.data, np.uint8).reshape(picture.height, picture.width, 3)
    assert pixels.shape == (120, 160, 3)
    x, y, _, _ = (round(value) for value in box_of(sent.targets[0]))
    assert tuple(pixels[y + 8, x]) != tuple(draw(BOX)[y + 8, x])

    bench.client.destroy_subscription(watcher)
    bench.wait(lambda: watched.get_subscription_count() == 0, "the watcher to go")
    stamp = nanoseconds(bench.show(draw(BOX)).header.stamp)
    assert bench.with_stamp("debug_image", stamp) is None
