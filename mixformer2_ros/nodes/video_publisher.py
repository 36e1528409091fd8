# Copyright 2026 mixformer2_ros contributors
# SPDX-License-Identifier: Apache-2.0
"""Publishes a video file, image folder, webcam or procedural scene as a camera would.

Where the source knows the truth, `~/truth` carries it for every image, with the image's header;
its `id` is the number of the frame. A target known not to be visible has no results and an empty
box there.
"""

from __future__ import annotations

import math
import sys
from collections.abc import Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray
from rcl_interfaces.msg import (
    FloatingPointRange,
    IntegerRange,
    ParameterDescriptor,
)
from rclpy.duration import Duration
from rclpy.exceptions import ParameterException
from rclpy.node import Node
from rclpy.publisher import Publisher
from rclpy.qos import (
    QoSDurabilityPolicy,
    QoSHistoryPolicy,
    QoSProfile,
    QoSReliabilityPolicy,
)
from rclpy.task import Future
from sensor_msgs.msg import CameraInfo, CompressedImage, Image
from std_msgs.msg import Header
from vision_msgs.msg import Detection2D, ObjectHypothesisWithPose

from mixformer2_ros.nodes.running import ros, spin
from mixformer2_ros.ros.images import ImageError, rgb_to_compressed_message, rgb_to_message
from mixformer2_ros.ros.messages import box_to_message
from mixformer2_ros.ros.qos import overridable
from mixformer2_ros.sources import Source, SourceError, SourceFrame, open_source

# Deep enough to repair what a busy machine loses of a large image on its way.
_IMAGE_DEPTH = 10
# A slow subscriber may fall behind by some seconds without losing any.
_DATA_DEPTH = 100
_CLOSING_TIME = Duration(seconds=2)


def _image_qos() -> QoSProfile:
    """Publishers are reliable (REP 2003): both kinds of subscribers match."""
    return QoSProfile(
        history=QoSHistoryPolicy.KEEP_LAST,
        depth=_IMAGE_DEPTH,
        reliability=QoSReliabilityPolicy.RELIABLE,
    )


def _data_qos() -> QoSProfile:
    """Small messages that go with the images; who asks for it also gets the latest ones."""
    return QoSProfile(
        history=QoSHistoryPolicy.KEEP_LAST,
        depth=_DATA_DEPTH,
        reliability=QoSReliabilityPolicy.RELIABLE,
        durability=QoSDurabilityPolicy.TRANSIENT_LOCAL,
    )


class VideoPublisher(Node):
    """Publishes the frames of one source at its rate.

    Attributes:
        finished: done when the source has ended; its result is the number of published frames.

    Raises:
        SourceError: the source cannot be opened, or a parameter does not fit it.
    """

    def __init__(self, **node_options: Any) -> None:
        super().__init__("video_publisher", **node_options)
        self.finished: Future = Future()
        self._frame_id: str = self._declare("frame_id", "camera", "Frame of the images' headers.")
        self._encoding: str = self._declare(
            "encoding", "rgb8", "Encoding of the images: rgb8, bgr8, rgba8, bgra8 or mono8."
        )
        compressed: bool = self._declare(
            "compressed", False, "Also publish JPEG images on image/compressed."
        )
        self._wait_for: int = self._declare(
            "wait_for_subscribers",
            0,
            "Number of subscriptions, over all topics of this node, to wait for before the first "
            "frame; the tracker has two (image and camera_info).",
            (0, 1000),
        )
        self._delay: float = self._declare(
            "start_delay", 0.0, "Seconds between being ready and the first frame.", (0.0, 3600.0)
        )
        self._field_of_view: float = self._declare(
            "horizontal_fov",
            0.0,
            "Horizontal field of view in degrees for camera_info; 0: what the source knows of "
            "itself, or uncalibrated.",
            (0.0, 179.0),
        )
        self._source = self._open_source()
        self._frames: Iterator[SourceFrame] = iter(self._source)
        self._published = 0

        options: dict[str, Any] = {"qos_overriding_options": overridable()}
        self._image = self.create_publisher(Image, "image", _image_qos(), **options)
        self._compressed = None
        if compressed:
            topic = self.resolve_topic_name("image") + "/compressed"
            qos = _image_qos()
            self._compressed = self.create_publisher(CompressedImage, topic, qos, **options)
        self._camera_info = self.create_publisher(CameraInfo, "camera_info", _data_qos(), **options)
        self._truth = None
        if self._source.has_truth:
            self._truth = self.create_publisher(Detection2D, "~/truth", _data_qos(), **options)

        self._info_size: tuple[int, int] | None = None
        self._info: Any = None
        self._ready_since: float | None = None
        # A webcam sets its own pace: reading waits for the next image.
        rate = 1000.0 if self._source.live else self._source.rate
        self._timer = self.create_timer(1.0 / rate, self._tick)
        self.get_logger().info(f"{self._source.name}: publishing at {self._source.rate:g} Hz")

    def _declare(
        self,
        name: str,
        default: Any,
        description: str,
        limits: tuple[float, float] | None = None,
    ) -> Any:
        descriptor = ParameterDescriptor(
            description=f"{description} Fixed at start-up.", read_only=True
        )
        if limits is not None and isinstance(default, int):
            bounds = IntegerRange(from_value=int(limits[0]), to_value=int(limits[1]), step=1)
            descriptor.integer_range = [bounds]
        elif limits is not None:
            span = FloatingPointRange(from_value=float(limits[0]), to_value=float(limits[1]))
            descriptor.floating_point_range = [span]
        try:
            return self.declare_parameter(name, default, descriptor).value
        except ParameterException as error:
            raise SourceError(f"parameter {name}: {error} ({description})") from error

    def _open_source(self) -> Source:
        spec = self._declare(
            "source",
            "scene",
            "Video file, folder of images, webcam:N, or scene:SEED (a procedural scene).",
        )
        rate = self._declare("rate", 0.0, "Frames a second; 0: the source's own.", (0.0, 1000.0))
        loop = self._declare("loop", False, "Start again at the end of the source.")
        size_text = "of the images in pixels; 0: the source's own (give both or none)."
        width = self._declare("width", 0, f"Width {size_text}", (0, 16384))
        height = self._declare("height", 0, f"Height {size_text}", (0, 16384))
        if bool(width) != bool(height):
            raise SourceError(f"width is {width} and height is {height}: give both or none")
        return open_source(spec, rate or None, loop, (width, height) if width else None)

    def _tick(self) -> None:
        if not self._ready():
            return
        try:
            frame = next(self._frames)
        except StopIteration:
            self._finish()
            return
        except SourceError as error:
            self._timer.cancel()
            self.finished.set_exception(error)
            return
        self._publish(frame)

    def _ready(self) -> bool:
        """Whether the subscribers that were asked for are there and the start delay is over."""
        if self._published:
            return True
        there = sum(publisher.get_subscription_count() for publisher in self._outputs())
        if there < self._wait_for:
            self.get_logger().info(
                f"waiting for {self._wait_for} subscriptions, {there} are there",
                throttle_duration_sec=5.0,
            )
            return False
        now = self.get_clock().now().nanoseconds * 1e-9
        if self._ready_since is None:
            self._ready_since = now
        return now - self._ready_since >= self._delay

    def _outputs(self) -> list[Publisher]:
        every = (self._image, self._compressed, self._camera_info, self._truth)
        return [publisher for publisher in every if publisher is not None]

    def _publish(self, frame: SourceFrame) -> None:
        header = Header(stamp=self.get_clock().now().to_msg(), frame_id=self._frame_id)
        # First what is small: whoever gets the image has its calibration and truth already.
        self._camera_info.publish(self._camera_info_message(header, frame.image))
        if self._truth is not None and frame.truth is not None:
            self._truth.publish(_truth_message(header, frame))
        self._image.publish(rgb_to_message(frame.image, header, self._encoding))
        if self._compressed is not None and self._compressed.get_subscription_count():
            self._compressed.publish(rgb_to_compressed_message(frame.image, header))
        self._published += 1

    def _camera_info_message(self, header: Header, image: NDArray[np.uint8]) -> CameraInfo:
        height, width = image.shape[:2]
        if self._info_size != (width, height):
            view = self._field_of_view or self._source.field_of_view
            self._info = _pinhole(width, height, view)
            self._info_size = (width, height)
        self._info.header = header
        return self._info

    def _finish(self) -> None:
        self._timer.cancel()
        for publisher in self._outputs():
            publisher.wait_for_all_acked(_CLOSING_TIME)
        self.get_logger().info(
            f"{self._source.name}: ended, {self._published} frames were published"
        )
        self.finished.set_result(self._published)


def _pinhole(width: int, height: int, field_of_view: float | None) -> CameraInfo:
    """Calibration of a pinhole camera; all zero, as REP 104 says, when the view is unknown."""
    info = CameraInfo(width=width, height=height, distortion_model="plumb_bob")
    info.d = [0.0] * 5
    if field_of_view is not None:
        focal = 0.5 * width / math.tan(math.radians(field_of_view) / 2)
        x, y = (width - 1) / 2, (height - 1) / 2
        info.k = [focal, 0.0, x, 0.0, focal, y, 0.0, 0.0, 1.0]
        info.r = [1.0, 0.0, 0.0, 0.0, 1.0, 0.0, 0.0, 0.0, 1.0]
        info.p = [focal, 0.0, x, 0.0, 0.0, focal, y, 0.0, 0.0, 0.0, 1.0, 0.0]
    return info


def _truth_message(header: Header, frame: SourceFrame) -> Detection2D:
    message = Detection2D(header=header, id=str(frame.index))
    if frame.truth is not None and np.isfinite(frame.truth).all():
        hypothesis = ObjectHypothesisWithPose()
        hypothesis.hypothesis.class_id = "truth"
        hypothesis.hypothesis.score = 1.0
        message.results = [hypothesis]
        message.bbox = box_to_message(frame.truth)
    return message


def main(args: list[str] | None = None) -> None:
    """Run the node until its source ends; exit code 1 when the source cannot be used.

    Args:
        args: command line with ROS arguments; None takes the process's own.
    """
    try:
        with ros("video_publisher", args):
            node = VideoPublisher()
            spin(node, node.finished)
    except (SourceError, ImageError) as error:
        sys.exit(f"video_publisher: {error}")


if __name__ == "__main__":
    main()
