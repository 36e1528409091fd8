# Copyright 2026 mixformer2_ros contributors
# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest

rclpy = pytest.importorskip("rclpy", reason="ROS 2 is not here: source it or use make test")
pytest.importorskip("vision_msgs.msg", reason="vision_msgs is not here")

from rclpy.executors import SingleThreadedExecutor  # noqa: E402
from rclpy.node import Node  # noqa: E402
from rclpy.parameter import Parameter  # noqa: E402
from rclpy.qos import qos_profile_sensor_data  # noqa: E402
from sensor_msgs.msg import CameraInfo, CompressedImage, Image  # noqa: E402
from vision_msgs.msg import Detection2D  # noqa: E402

from mixformer2_ros.nodes import video_publisher  # noqa: E402
from mixformer2_ros.nodes.video_publisher import VideoPublisher  # noqa: E402
from mixformer2_ros.ros.images import frame_from_message  # noqa: E402
from mixformer2_ros.sources import SourceError  # noqa: E402

LIMIT = 20.0


@pytest.fixture
def context() -> Iterator[Any]:
    context = rclpy.Context()
    rclpy.init(context=context)
    yield context
    rclpy.shutdown(context=context)


@pytest.fixture
def sequence(tmp_path: Path) -> Path:
    (tmp_path / "img").mkdir()
    for value in range(5):
        image = np.zeros((24, 33, 3), np.uint8)
        image[:] = (10, 20, 50 * value)
        cv2.imwrite(str(tmp_path / "img" / f"{value}.png"), image)
    (tmp_path / "groundtruth_rect.txt").write_text(
        "1,2,4,8\n2.5,2,4,8\nNaN,NaN,NaN,NaN\n4,2,4,8\n5,2,4,8\n"
    )
    return tmp_path


class Listener:
    """Collects all that a publisher says, in a node of its own."""

    def __init__(self, context: Any) -> None:
        self.node = Node("listener", context=context)
        self.images: list[Any] = []
        self.compressed: list[Any] = []
        self.infos: list[Any] = []
        self.truths: list[Any] = []
        self._listen(Image, "image", self.images)
        self._listen(CameraInfo, "camera_info", self.infos)
        self._listen(Detection2D, "video_publisher/truth", self.truths)

    def listen_compressed(self) -> None:
        self._listen(CompressedImage, "image/compressed", self.compressed)

    def _listen(self, kind: type, topic: str, into: list[Any]) -> None:
        self.node.create_subscription(kind, topic, into.append, 50)


def _parameters(values: dict[str, Any]) -> list[Parameter]:
    return [Parameter(name, value=value) for name, value in values.items()]


def _run(context: Any, listener: Listener, until: Callable[[VideoPublisher], bool], **values: Any):
    """Run a publisher beside the listener until the condition holds; return its frame count."""
    publisher = VideoPublisher(context=context, parameter_overrides=_parameters(values))
    executor = SingleThreadedExecutor(context=context)
    executor.add_node(publisher)
    executor.add_node(listener.node)
    clock = publisher.get_clock()
    end = clock.now().nanoseconds + LIMIT * 1e9
    try:
        while not until(publisher) and clock.now().nanoseconds < end:
            executor.spin_once(timeout_sec=0.1)
        return publisher.finished.result() if publisher.finished.done() else None
    finally:
        executor.shutdown()
        publisher.destroy_node()


def _stamps(messages: list[Any]) -> list[tuple[int, int]]:
    return [(m.header.stamp.sec, m.header.stamp.nanosec) for m in messages]


def test_every_frame_comes_with_info_and_truth_of_the_same_header(
    context: Any, sequence: Path
) -> None:
    listener = Listener(context)
    published = _run(
        context,
        listener,
        lambda node: node.finished.done() and len(listener.images) == len(listener.truths) == 5,
        source=str(sequence),
        rate=50.0,
        frame_id="lens",
        wait_for_subscribers=3,
    )
    assert published == 5
    stamps = _stamps(listener.images)
    assert stamps == sorted(set(stamps))
    assert _stamps(listener.infos) == stamps
    assert _stamps(listener.truths) == stamps
    assert {m.header.frame_id for m in listener.images + listener.truths} == {"lens"}
    values = []
    for message in listener.images:
        frame = frame_from_message(message)
        pixel = frame.to_rgb(frame.region(0, 0, 1, 1))[0, 0]
        values.append(int(pixel[0]))
        assert tuple(pixel[1:]) == (20, 10)
    assert values == [0, 50, 100, 150, 200]
    assert [m.id for m in listener.truths] == ["0", "1", "2", "3", "4"]
    box = listener.truths[1].bbox
    assert (box.center.position.x, box.center.position.y) == (4.5, 6.0)
    assert (box.size_x, box.size_y) == (4.0, 8.0)
    assert listener.truths[1].results[0].hypothesis.score == 1.0
    assert not listener.truths[2].results  # not visible
    assert listener.truths[2].bbox.size_x == 0.0
    info = listener.infos[0]
    assert (info.width, info.height) == (33, 24)
    assert set(info.k) == {0.0}  # nobody knows the camera


def test_size_encoding_and_field_of_view_can_be_chosen(context: Any, sequence: Path) -> None:
    listener = Listener(context)
    listener.listen_compressed()
    _run(
        context,
        listener,
        lambda node: node.finished.done() and bool(listener.compressed),
        source=str(sequence),
        rate=100.0,
        width=66,
        height=48,
        encoding="bgr8",
        compressed=True,
        horizontal_fov=90.0,
        wait_for_subscribers=4,
    )
    image = listener.images[0]
    assert (image.width, image.height, image.encoding) == (66, 48, "bgr8")
    assert listener.truths[0].bbox.size_x == 8.0
    assert listener.infos[0].k[0] == pytest.approx(33.0)
    frame = frame_from_message(listener.compressed[0])
    assert (frame.width, frame.height) == (66, 48)


def test_loop_goes_on_past_the_end(context: Any, sequence: Path) -> None:
    listener = Listener(context)
    published = _run(
        context,
        listener,
        lambda node: len(listener.truths) >= 8,
        source=str(sequence),
        rate=200.0,
        loop=True,
        wait_for_subscribers=3,
    )
    assert published is None
    assert [m.id for m in listener.truths[:8]] == [str(k) for k in range(8)]


def test_best_effort_subscribers_match(context: Any, sequence: Path) -> None:
    listener = Listener(context)
    got: list[Any] = []
    listener.node.create_subscription(Image, "image", got.append, qos_profile_sensor_data)
    _run(
        context,
        listener,
        lambda node: node.finished.done() and bool(got),
        source=str(sequence),
        rate=50.0,
        wait_for_subscribers=4,
    )
    assert got


def test_nothing_is_published_before_the_subscribers_are_there(
    context: Any, sequence: Path
) -> None:
    listener = Listener(context)
    late: list[Any] = []

    def enough(node: VideoPublisher) -> bool:
        waited = node._ready_since is None and node._truth.get_subscription_count() == 1
        if waited and not late:
            assert not listener.images
            late.append(listener.node.create_subscription(Image, "image", lambda message: None, 10))
        return node.finished.done() and len(listener.images) == 5

    published = _run(
        context, listener, enough, source=str(sequence), rate=100.0, wait_for_subscribers=4
    )
    assert late
    assert published == 5


@pytest.mark.parametrize(
    ("values", "text"),
    [
        ({"source": "nowhere.mp4"}, "does not exist"),
        ({"source": "scene", "width": 100}, "give both or none"),
        ({"source": "scene", "rate": -1.0}, "rate"),
    ],
)
def test_bad_parameters_are_explained(context: Any, values: dict[str, Any], text: str) -> None:
    with pytest.raises(SourceError, match=text):
        VideoPublisher(context=context, parameter_overrides=_parameters(values))


def test_main_says_what_is_wrong_and_exits_with_one() -> None:
    with pytest.raises(SystemExit, match=r"nowhere\.mp4") as caught:
        video_publisher.main(["--ros-args", "-p", "source:=nowhere.mp4"])
    assert isinstance(caught.value.code, str)  # printed by Python, exit code 1


def test_main_ends_by_itself_after_the_last_frame(sequence: Path) -> None:
    video_publisher.main(["--ros-args", "-p", f"source:={sequence}", "-p", "rate:=100.0"])
    assert not rclpy.ok()


def test_damaged_image_ends_the_node_with_its_name(sequence: Path) -> None:
    (sequence / "img" / "3.png").write_bytes(b"broken")
    with pytest.raises(SystemExit, match=r"3\.png"):
        video_publisher.main(["--ros-args", "-p", f"source:={sequence}", "-p", "rate:=100.0"])


def test_unknown_encoding_ends_the_node_with_its_name(sequence: Path) -> None:
    with pytest.raises(SystemExit, match="rgb99"):
        video_publisher.main(["--ros-args", "-p", f"source:={sequence}", "-p", "encoding:=rgb99"])
