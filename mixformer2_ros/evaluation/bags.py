# Copyright 2026 mixformer2_ros contributors
# SPDX-License-Identifier: Apache-2.0
"""A tracker on the images of a bag: the same every time, with or without ROS.

Nothing here imports `rosbags` before it is needed, so that the command line can describe itself.
"""

from __future__ import annotations

import math
import time
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray
from tqdm import tqdm

from mixformer2_ros.evaluation import datasets
from mixformer2_ros.evaluation.bag_truth import TRUTH_TOLERANCE_NS, Box, TruthOf
from mixformer2_ros.evaluation.playback import Answer, Player, TrackerLike
from mixformer2_ros.evaluation.results import SequenceResult
from mixformer2_ros.ros.images import ImageError
from mixformer2_ros.tracking.frame import Frame
from mixformer2_ros.tracking.tracker import Tracker
from mixformer2_ros.tracking.types import TargetState

if TYPE_CHECKING:
    from mixformer2_ros.evaluation.bag_reader import BagImage, BagReader


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

    def sequence(self, path: Path) -> datasets.Sequence:
        """Return the images as a sequence whose frames `read_bag_image` reads.

        Args:
            path: Of the bag.
        """
        stamps = (self.stamps - self.stamps[0]) / 1e9
        truth, labelled = self.truth.copy(), self.labelled.copy()
        truth[0], labelled[0] = self.result.boxes[0], True  # the box it was given
        return datasets.Sequence(
            name=path.stem,
            frames=[path / str(stamp) for stamp in self.stamps.tolist()],
            truth=truth,
            absent=labelled & ~np.isfinite(truth).all(axis=1),
            fps=float(1 / np.median(np.diff(stamps))) if len(stamps) > 1 else None,
            frame_size=self.result.frame_size,
            withheld=labelled.sum() == 1 < len(labelled),
            stamps=stamps,
            labelled=labelled,
        )


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
        truth: The true boxes, from `bag_truth.read_truth`.

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
                answer = _answer(player, pixels, given, seconds)
            except ImageError as error:
                bag.count_unreadable(topic, str(error))
                first = None if given is not None else first
                continue
            rows.add(image, answer, time.perf_counter() - began, known)
    if first is None:
        raise BagError(_no_start(bag, topic, start))
    return rows.run()


def _answer(
    player: Player, pixels: Frame | NDArray[np.uint8], given: Box | None, seconds: float
) -> Answer:
    """Start the tracker where there is a box to start on, otherwise let it look."""
    if given is None:
        return player.update(pixels, seconds)
    player.start(pixels, given, seconds)
    return Answer(given, math.nan, int(TargetState.TRACKING))


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
