# Copyright 2026 mixformer2_ros contributors
# SPDX-License-Identifier: Apache-2.0
"""A tracker on the images of a bag: the same every time, with or without ROS.

Nothing here imports `rosbags` before it is needed, so that the command line can describe itself.
"""

from __future__ import annotations

import argparse
import math
import time
from collections.abc import Callable
from dataclasses import dataclass
from decimal import Decimal, InvalidOperation
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray
from tqdm import tqdm

from mixformer2_ros.annotations import read_numbers
from mixformer2_ros.evaluation import datasets
from mixformer2_ros.evaluation.extras import require
from mixformer2_ros.evaluation.playback import Answer, Player, TrackerLike
from mixformer2_ros.evaluation.results import SequenceResult
from mixformer2_ros.ros.images import ImageError
from mixformer2_ros.tracking.frame import Frame
from mixformer2_ros.tracking.tracker import Tracker
from mixformer2_ros.tracking.types import TargetState

if TYPE_CHECKING:
    from mixformer2_ros.evaluation.bag_reader import BagImage, BagReader

Box = NDArray[np.float64]
TruthOf = Callable[["BagImage"], "Box | None"]
"""The true box of an image: NaN where the target is not visible, None where nothing is known."""

TRUTH_TOLERANCE_NS = 1_000_000
"""Largest difference between the stamps of an image and of its truth, which may be rounded."""


@dataclass(frozen=True)
class Start:
    """Where and when to start.

    Attributes:
        box: x, y, w, h in pixels.
        stamp_ns: The first image with this stamp or a later one is used; None takes the first.
    """

    box: tuple[float, float, float, float]
    stamp_ns: int | None = None


@dataclass(frozen=True)
class BagRun:
    """What a tracker answered on the N images of a bag from the one it was started on.

    Attributes:
        stamps: (N,) int64 nanoseconds.
        frame_ids: N coordinate frames of the images.
        result: Boxes, scores, states and times.
        truth: (N, 4) float64, x, y, w, h in pixels, NaN where the target is not visible.
        labelled: (N,) bool, whether something is known about the target in that image.
    """

    stamps: NDArray[np.int64]
    frame_ids: list[str]
    result: SequenceResult
    truth: NDArray[np.float64]
    labelled: NDArray[np.bool_]


def track_bag(
    bag: BagReader,
    topic: str,
    tracker: TrackerLike,
    start: Start | None = None,
    truth: TruthOf | None = None,
) -> BagRun:
    """Run a tracker over a bag.

    Args:
        bag: The bag, open.
        topic: Image topic.
        tracker: The tracker, without a target. `tracking.Tracker` gets the images as frames, of
            which only the search region is ever converted; others get RGB arrays.
        start: Where to start; None takes the first image with a visible truth.
        truth: The true boxes, from `read_truth`.

    Returns:
        The run. What had to be left out is in `bag.warnings`.

    Raises:
        BagError: There is nothing to start on.
        ValueError: The box to start with does not fit the image.
    """
    from mixformer2_ros.evaluation.bag_messages import BagError

    rows, player = _Rows(), Player(tracker)
    takes_frames = isinstance(tracker, Tracker)
    first: int | None = None
    with tqdm(total=bag.topics[topic][1], unit="frame", disable=None) as progress:
        for image in bag.images(topic):
            progress.update(image.index + 1 - progress.n)
            known = truth(image) if truth is not None else None
            given = _start_box(image, start, known) if first is None else None
            if first is None and given is None:
                continue
            first = image.stamp_ns if first is None else first
            seconds = (image.stamp_ns - first) / 1e9
            began = time.perf_counter()
            try:
                pixels = image.frame if takes_frames else _whole(image.frame)
                if given is None:
                    answer = player.update(pixels, seconds)
                else:
                    player.start(pixels, given, seconds)
                    answer = Answer(given, math.nan, int(TargetState.TRACKING))
            except ImageError as error:
                bag.count_unreadable(topic, str(error))
                first = None if given is not None else first
                continue
            rows.add(image, answer, time.perf_counter() - began, known)
    if first is None:
        raise BagError(_no_start(bag, topic, start))
    return rows.run()


class _Rows:
    """Answers, image by image."""

    def __init__(self) -> None:
        self.images: list[tuple[int, str]] = []
        self.answers: list[Answer] = []
        self.times: list[float] = []
        self.truth: list[Box | None] = []
        self.frame_size = (0, 0)

    def add(self, image: BagImage, answer: Answer, seconds: float, truth: Box | None) -> None:
        self.images.append((image.stamp_ns, image.frame_id))
        self.answers.append(answer)
        self.times.append(seconds)
        self.truth.append(truth)
        self.frame_size = image.frame.width, image.frame.height

    def run(self) -> BagRun:
        boxes, scores, states = zip(*self.answers, strict=True)
        unknown = np.full(4, np.nan)
        return BagRun(
            stamps=np.array([stamp for stamp, _ in self.images], np.int64),
            frame_ids=[frame_id for _, frame_id in self.images],
            result=SequenceResult.of(
                np.stack(boxes),
                scores=scores,
                states=states,
                times=self.times,
                frame_size=self.frame_size,
            ),
            truth=np.stack([unknown if box is None else box for box in self.truth]),
            labelled=np.array([box is not None for box in self.truth]),
        )


def _start_box(image: BagImage, start: Start | None, truth: Box | None) -> Box | None:
    if start is None:
        return truth if truth is not None and np.isfinite(truth).all() else None
    if start.stamp_ns is not None and image.stamp_ns < start.stamp_ns - TRUTH_TOLERANCE_NS:
        return None
    return np.array(start.box, np.float64)


def _no_start(bag: BagReader, topic: str, start: Start | None) -> str:
    if start is not None and start.stamp_ns is not None:
        return (
            f"{bag.path} has no image on {topic} with the stamp {start.stamp_ns / 1e9:.9f} s or a "
            f"later one: give another stamp with --init. {' '.join(bag.warnings)}"
        )
    return (
        f"{bag.path} has no image on {topic} with a visible true box to start on: check the stamps "
        f"of the truth, or give a box with --init x,y,w,h. {' '.join(bag.warnings)}"
    )


def read_truth(bag: BagReader, source: str) -> TruthOf:
    """Open the true boxes of a bag's images.

    Args:
        bag: The bag.
        source: A topic of the bag (vision_msgs Detection2D or Detection2DArray, matched by the
            stamps of headers); or a text file with one line an image, `x,y,w,h`, or with lines
            `stamp,x,y,w,h`, stamp in seconds. NaN or a box without area: not visible.

    Raises:
        BagError: There is neither such a topic nor such a file, or the topic is empty.
        AnnotationError: The file cannot be read.
    """
    path = Path(source)
    if source not in bag.topics and path.is_file():
        columns = len(path.read_text().split("\n", 1)[0].replace(",", " ").split())
        numbers = read_numbers(path, 5 if columns == 5 else 4)
        boxes = numbers[:, -4:].copy()
        boxes[~np.all(boxes[:, 2:] > 0, axis=1)] = np.nan
        if columns != 5:
            return lambda image: boxes[image.index] if image.index < len(boxes) else None
        stamps = np.rint(numbers[:, 0] * 1e9).astype(np.int64)
    else:
        found = bag.boxes(source)
        stamps = np.array(list(found), np.int64)
        boxes = np.stack(list(found.values()))
    order = np.argsort(stamps, kind="stable")
    return _ByStamp(stamps[order], boxes[order])


class _ByStamp:
    def __init__(self, stamps: NDArray[np.int64], boxes: NDArray[np.float64]) -> None:
        self._stamps = stamps
        self._boxes = boxes

    def __call__(self, image: BagImage) -> Box | None:
        after = int(np.searchsorted(self._stamps, image.stamp_ns))
        near = [i for i in (after - 1, after) if 0 <= i < len(self._stamps)]
        best = min(near, key=lambda i: abs(int(self._stamps[i]) - image.stamp_ns))
        if abs(int(self._stamps[best]) - image.stamp_ns) > TRUTH_TOLERANCE_NS:
            return None
        return self._boxes[best]


def read_bag_image(
    topic: str | None, sequence: datasets.Sequence, index: int
) -> NDArray[np.uint8] | None:
    """Read one image of a sequence that was made of a bag.

    Args:
        topic: Image topic; None = the only one there is.
        sequence: Its frames are the bag's path and, below it, the images' stamps in nanoseconds.
        index: Which frame.

    Returns:
        (H, W, 3) uint8 RGB; None when it cannot be read.
    """
    from mixformer2_ros.evaluation.bag_reader import BagReader

    frame = sequence.frames[index]
    with BagReader(frame.parent) as bag:
        for image in bag.images(bag.image_topic(topic)):
            if image.stamp_ns == int(frame.name):
                try:
                    return _whole(image.frame)
                except ImageError:
                    return None
    return None


def _whole(frame: Frame) -> NDArray[np.uint8]:
    return frame.to_rgb(frame.region(0, 0, frame.width, frame.height))


def parse_start(text: str) -> Start:
    """Read `x,y,w,h` or `x,y,w,h@stamp` from the command line; stamp in seconds.

    Raises:
        argparse.ArgumentTypeError: It is neither.
    """
    box_text, _, stamp_text = text.partition("@")
    try:
        x, y, w, h = (float(part) for part in box_text.split(","))
        stamp = Decimal(stamp_text) if stamp_text else None
    except (ValueError, InvalidOperation):
        raise argparse.ArgumentTypeError(
            f"{text!r} is not x,y,w,h@stamp: give the box in pixels and, after @, the stamp of its "
            "image in seconds, for example 100,50,64,48@1700000000.25"
        ) from None
    if not np.isfinite([x, y, w, h]).all() or w <= 0 or h <= 0:
        raise argparse.ArgumentTypeError(f"{text!r} has no finite, positive size")
    return Start((x, y, w, h), None if stamp is None else int(stamp * 1_000_000_000))


def add_bag_arguments(parser: argparse.ArgumentParser | argparse._ArgumentGroup) -> None:
    """Declare what evaluating a bag takes."""
    parser.add_argument("--bag", type=Path, help="rosbag2 folder, or .mcap, .db3 or .bag file")
    parser.add_argument(
        "--image-topic",
        metavar="TOPIC",
        help="Image or CompressedImage topic; may be left out where there is only one",
    )
    parser.add_argument(
        "--truth",
        metavar="TOPIC|FILE",
        help="true boxes: Detection2D topic, or text file with x,y,w,h or stamp,x,y,w,h a line",
    )
    parser.add_argument(
        "--init",
        type=parse_start,
        metavar="X,Y,W,H@STAMP",
        help="box to start with, pixels, and the stamp of its image, seconds (default: the first); "
        "without it the first visible true box is taken",
    )
    parser.add_argument(
        "--output-bag",
        type=Path,
        metavar="OUT",
        help="write a bag with the boxes found (vision_msgs/Detection2D at the images' stamps)",
    )


def run_bag(args: argparse.Namespace, tracker: TrackerLike) -> BagRun:
    """Do what the arguments of `add_bag_arguments` ask for, and print what was left out.

    Args:
        args: The arguments.
        tracker: The tracker, without a target.

    Raises:
        BagError: The bag, its topics or the truth cannot be used, or the output exists.
        MissingExtraError: `rosbags` is not installed.
    """
    require("bags", "rosbags")
    from mixformer2_ros.evaluation.bag_maker import write_detections
    from mixformer2_ros.evaluation.bag_messages import BagError
    from mixformer2_ros.evaluation.bag_reader import BagReader

    if args.truth is None and args.init is None:
        raise BagError("where is the target? Give --truth TOPIC, --truth FILE or --init x,y,w,h")
    if args.output_bag is not None and args.output_bag.exists():
        raise BagError(f"{args.output_bag} exists already: remove it or choose another folder")
    with BagReader(args.bag) as bag:
        topic = bag.image_topic(args.image_topic)
        truth = None if args.truth is None else read_truth(bag, args.truth)
        run = track_bag(bag, topic, tracker, args.init, truth)
        warnings = bag.warnings
    if truth is not None and not run.labelled.all():
        warnings.append(
            f"{np.count_nonzero(~run.labelled)} of {len(run.labelled)} images have no truth and "
            "are not scored"
        )
    for warning in warnings:
        print(f"warning: {warning}")
    if args.output_bag is not None:
        count = write_detections(args.output_bag, run)
        print(f"{args.output_bag}: {count} detections")
    return run
