# Copyright 2026 mixformer2_ros contributors
# SPDX-License-Identifier: Apache-2.0
"""Playing a sequence to a tracker and writing down what it answers."""

from __future__ import annotations

import inspect
import math
import time
from typing import Any, NamedTuple, Protocol

import cv2
import numpy as np
from numpy.typing import NDArray

from mixformer2_ros.evaluation.datasets import Sequence
from mixformer2_ros.evaluation.metrics import iou
from mixformer2_ros.evaluation.results import SequenceResult

DEFAULT_FPS = 30.0
"""Frames per second taken for sequences that do not state theirs."""

RESTART_DELAY = 5
"""Frames between a failure and the restart in supervised runs (VOT short-term, up to 2019)."""


class TrackerLike(Protocol):
    """Anything that is started on a box and then fed images.

    Images are (H, W, 3) uint8 RGB, boxes x, y, w, h in pixels. `update` returns a box, or None when
    there is none, or an object with `box` and, if it likes, `score` in [0, 1] and `state` (a
    `tracking.types.TargetState`). When `init` and `update` have a parameter `stamp`, it is given
    the time of the frame in seconds.
    """

    def init(self, image: NDArray[np.uint8], box: Any) -> Any:
        """Start on a target."""

    def update(self, image: NDArray[np.uint8]) -> Any:
        """Find the target in the next image."""


class Answer(NamedTuple):
    """What a tracker answered for one image; see `SequenceResult` for what is missing."""

    box: NDArray[np.float64]
    score: float
    state: int


class Player:
    """Gives images to a tracker and takes its answers, in whatever form it likes both.

    Args:
        tracker: The tracker.
    """

    def __init__(self, tracker: TrackerLike) -> None:
        self._tracker = tracker
        self._takes_stamp = _takes_stamp(tracker.init) and _takes_stamp(tracker.update)

    def start(self, image: Any, box: NDArray[np.float64], seconds: float) -> None:
        """Start on a box, in an image of the given time."""
        self._tracker.init(image, box.copy(), **self._extra(seconds))

    def update(self, image: Any, seconds: float) -> Answer:
        """Find the target in an image of the given time.

        Raises:
            ValueError: The tracker answered neither a box nor None.
        """
        answer = self._tracker.update(image, **self._extra(seconds))
        unknown = np.full(4, np.nan)
        if answer is None:
            return Answer(unknown, math.nan, -1)
        box = np.asarray(getattr(answer, "box", answer), np.float64).reshape(-1)
        if box.shape != (4,):
            raise ValueError(f"the tracker answered {answer!r}; give a box x, y, w, h or None")
        return Answer(
            box if np.isfinite(box).all() else unknown,
            float(getattr(answer, "score", math.nan)),
            int(getattr(answer, "state", -1)),
        )

    def _extra(self, seconds: float) -> dict[str, float]:
        return {"stamp": seconds} if self._takes_stamp else {}


class Playback:
    """One tracker on one sequence; frames may be left out, never repeated.

    Args:
        tracker: The tracker; started afresh by `start`.
        sequence: The sequence.
    """

    def __init__(self, tracker: TrackerLike, sequence: Sequence) -> None:
        self.sequence = sequence
        self.boxes = np.full((len(sequence), 4), np.nan)
        self.scores = np.full(len(sequence), np.nan)
        self.states = np.full(len(sequence), -1, np.int8)
        self.times = np.full(len(sequence), np.nan)
        self.stamps = frame_times(sequence)
        self._player = Player(tracker)
        self._frame_size: tuple[int, int] | None = None

    def start(self, index: int) -> float:
        """Start the tracker on the true box of a frame; return the seconds it took."""
        box = self.sequence.truth[index]
        self.boxes[index] = box
        image = self._load(index)
        begin = time.perf_counter()
        self._player.start(image, box, float(self.stamps[index]))
        self.times[index] = time.perf_counter() - begin
        return float(self.times[index])

    def update(self, index: int) -> float:
        """Give the tracker a frame; return the seconds it took."""
        image = self._load(index)
        begin = time.perf_counter()
        answer = self._player.update(image, float(self.stamps[index]))
        self.times[index] = time.perf_counter() - begin
        self.boxes[index], self.scores[index], self.states[index] = answer
        return float(self.times[index])

    def result(self, **meta: Any) -> SequenceResult:
        """Return what was written down, with `meta` (JSON values) beside it."""
        return SequenceResult(
            self.boxes, self.scores, self.states, self.times, self._frame_size, meta
        )

    def _load(self, index: int) -> NDArray[np.uint8]:
        image = read_image(self.sequence, index)
        self._frame_size = image.shape[1], image.shape[0]
        return image


def frame_times(sequence: Sequence) -> NDArray[np.float64]:
    """Return the times of a sequence's frames in seconds from its first one, (N,) float64."""
    if sequence.stamps is not None:
        return sequence.stamps - sequence.stamps[0]
    return np.arange(len(sequence)) / (sequence.fps or DEFAULT_FPS)


def read_image(sequence: Sequence, index: int) -> NDArray[np.uint8]:
    """Return a frame as (H, W, 3) uint8 RGB.

    Raises:
        ValueError: The file is no image.
    """
    image = cv2.imread(str(sequence.frames[index]), cv2.IMREAD_COLOR)
    if image is None:
        raise ValueError(f"{sequence.frames[index]}: cannot be read as an image; unpack it again")
    return cv2.cvtColor(image, cv2.COLOR_BGR2RGB)


def play(tracker: TrackerLike, sequence: Sequence) -> SequenceResult:
    """Give a tracker every frame (one-pass evaluation).

    Args:
        tracker: The tracker.
        sequence: The sequence; the tracker is started at `sequence.start`.

    Returns:
        What it answered; frames before the start have NaN.
    """
    playback = Playback(tracker, sequence)
    playback.start(sequence.start)
    for index in range(sequence.start + 1, len(sequence)):
        playback.update(index)
    return playback.result()


def play_supervised(tracker: TrackerLike, sequence: Sequence) -> SequenceResult:
    """Give a tracker every frame and start it again when it has lost the target (VOT short-term).

    A failure is a frame with overlap 0 while the target is visible; the tracker is started again on
    the first visible frame at least `RESTART_DELAY` frames later.

    Returns:
        What it answered, NaN from a failure to the restart; `meta` holds the indices `failures` and
        `restarts`.
    """
    playback = Playback(tracker, sequence)
    failures: list[int] = []
    starts = [sequence.start]
    index = sequence.start
    playback.start(index)
    while (index := index + 1) < len(sequence):
        playback.update(index)
        lost = iou(playback.boxes[index], sequence.truth[index]) == 0
        if sequence.absent[index] or not lost:
            continue
        failures.append(index)
        playback.boxes[index] = np.nan
        visible = np.flatnonzero(~sequence.absent[index + RESTART_DELAY :])
        if not len(visible):
            break
        index += RESTART_DELAY + int(visible[0])
        playback.start(index)
        starts.append(index)
    return playback.result(failures=failures, restarts=starts[1:])


def _takes_stamp(method: Any) -> bool:
    try:
        return "stamp" in inspect.signature(method).parameters
    except ValueError:  # compiled functions may not tell
        return False
