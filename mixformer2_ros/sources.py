# Copyright 2026 mixformer2_ros contributors
# SPDX-License-Identifier: Apache-2.0
"""Where images come from: video files, image folders, webcams and procedural scenes."""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from itertools import count
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from mixformer2_ros.scenes.scene import Scene

DEFAULT_RATE = 30.0
"""Frames a second where neither the source nor the user says so."""

IMAGE_SUFFIXES = (".jpg", ".jpeg", ".png", ".bmp", ".tif", ".tiff", ".webp")
GROUND_TRUTH = "groundtruth_rect.txt"

_SCENE_FIELD_OF_VIEW = 60.0


class SourceError(ValueError):
    """A source cannot be opened or read; the message says which, why and what to do."""


@dataclass(frozen=True)
class SourceFrame:
    """One image of a source.

    Attributes:
        index: counts from 0, on over repetitions.
        image: uint8 (height, width, 3), RGB.
        time: seconds from the first frame; for a webcam by the clock, otherwise index / rate.
        truth: float64 (4,), x, y, w, h in pixels of the image, NaNs when the target is known not to
            be visible; None when nothing is known.
    """

    index: int
    image: NDArray[np.uint8]
    time: float
    truth: NDArray[np.float64] | None


Frames = Iterator[tuple[NDArray[np.uint8], "NDArray[np.float64] | None"]]


@dataclass(frozen=True)
class Source:
    """Something that can be iterated over for frames, again and again unless it is live.

    Attributes:
        name: what it is, in words.
        rate: frames a second.
        length: number of frames of one pass; None when it is not known.
        has_truth: whether frames come with boxes.
        live: a webcam: frames come when they come, and only once.
        field_of_view: horizontal, degrees; None when it is not known.
        frames: makes an iterator over images and truths, once per pass.
        size: width and height that images are scaled to; None keeps them.
        loop: start again at the end.
    """

    name: str
    rate: float
    length: int | None
    has_truth: bool
    frames: Callable[[], Frames]
    live: bool = False
    field_of_view: float | None = None
    size: tuple[int, int] | None = None
    loop: bool = False

    def __iter__(self) -> Iterator[SourceFrame]:
        """Iterate from the first frame.

        Raises:
            SourceError: an image cannot be read.
        """
        start = time.monotonic()
        index = 0
        while True:
            first = index
            for image, truth in self.frames():
                image, truth = self._scaled(image, truth)
                moment = time.monotonic() - start if self.live else index / self.rate
                yield SourceFrame(index, image, moment, truth)
                index += 1
            if index == first:
                raise SourceError(f"{self.name} holds no frame that can be read")
            if not self.loop:
                return

    def _scaled(
        self, image: NDArray[np.uint8], truth: NDArray[np.float64] | None
    ) -> tuple[NDArray[np.uint8], NDArray[np.float64] | None]:
        height, width = image.shape[:2]
        if self.size is None or self.size == (width, height):
            return image, truth
        scale = np.array([self.size[0] / width, self.size[1] / height] * 2)
        way = cv2.INTER_AREA if scale.max() < 1 else cv2.INTER_LINEAR
        scaled = np.asarray(cv2.resize(image, self.size, interpolation=way), np.uint8)
        return scaled, None if truth is None else truth * scale


def open_source(
    spec: str,
    rate: float | None = None,
    loop: bool = False,
    size: tuple[int, int] | None = None,
) -> Source:
    """Open what a user named.

    Args:
        spec: a video file; a folder of images (in the order of the numbers in their names), or of
            a sequence: images in `img/`, boxes in `groundtruth_rect.txt`; ``webcam`` or
            ``webcam:N``; ``scene`` or ``scene:SEED``.
        rate: frames a second; None takes the source's own, or 30.
        loop: start again at the end.
        size: width and height of the images; None takes the source's own.

    Returns:
        The source; nothing but headers has been read.

    Raises:
        SourceError: there is no such source, it cannot be opened, or the rate or size is not
            positive.
    """
    if rate is not None and not 0 < rate <= 1000:
        raise SourceError(f"a rate of {rate} frames a second is outside 0..1000")
    if size is not None and not (size[0] > 0 and size[1] > 0):
        raise SourceError(f"an image size of {size[0]} x {size[1]} is not positive")
    kind, _, argument = spec.partition(":")
    if kind == "scene":
        source = _scene(argument, size)
    elif kind == "webcam":
        source = _webcam(argument, rate, size)
    else:
        path = Path(spec).expanduser()
        if path.is_dir():
            source = _folder(path)
        elif path.is_file():
            source = _video(path)
        else:
            raise SourceError(
                f"source {spec!r} does not exist: give a video file, a folder of images, webcam:N, "
                "or scene:SEED"
            )
    return replace(source, rate=rate or source.rate, loop=loop, size=size)


def read_boxes(path: Path) -> NDArray[np.float64]:
    """Read a box per line, as tracking datasets write them.

    Args:
        path: text file, `x, y, w, h` per line, separated by commas, tabs or spaces.

    Returns:
        float64 (N, 4); NaNs where the line holds NaN or a box without area (target not visible).

    Raises:
        SourceError: a line does not hold four numbers.
    """
    rows = []
    for number, line in enumerate(path.read_text().splitlines(), start=1):
        fields = re.split(r"[,\s]+", line.strip())
        if fields == [""]:
            continue
        try:
            x, y, w, h = (float(field) for field in fields)
        except ValueError:
            raise SourceError(
                f"{path}, line {number}: {line!r} is not a box of four numbers x, y, w, h"
            ) from None
        rows.append([x, y, w, h] if w > 0 and h > 0 else [np.nan] * 4)
    return np.array(rows, np.float64).reshape(-1, 4)


def _scene(argument: str, size: tuple[int, int] | None) -> Source:
    if argument and not argument.isdecimal():
        raise SourceError(f"scene:{argument}: the seed must be a whole number, for example scene:3")
    scene = Scene.demo(int(argument or 0))
    if size is not None:
        target = max(8, round(scene.target_size * size[0] / scene.width))
        try:
            scene = replace(scene, width=size[0], height=size[1], target_size=target)
        except ValueError as error:
            raise SourceError(str(error)) from error

    def frames() -> Frames:
        for index in range(len(scene)):
            frame = scene.frame(index)
            yield frame.image, frame.box

    name = f"scene {scene.seed}"
    view = _SCENE_FIELD_OF_VIEW
    return Source(name, scene.rate, len(scene), True, frames, field_of_view=view)


def _natural(path: Path) -> list[tuple[int, str]]:
    """Sort key: numbers in a name count by value, so that 2.jpg comes before 10.jpg."""
    parts = re.split(r"(\d+)", path.name)
    return [(int(part), "") if part.isdecimal() else (0, part.lower()) for part in parts]


def _images_in(folder: Path) -> list[Path]:
    found = [path for path in folder.iterdir() if path.suffix.lower() in IMAGE_SUFFIXES]
    return sorted(found, key=_natural)


def _folder(folder: Path) -> Source:
    images = _images_in(folder)
    if not images and (folder / "img").is_dir():
        images = _images_in(folder / "img")
    if not images:
        raise SourceError(
            f"folder {str(folder)!r} holds no images (looked for {', '.join(IMAGE_SUFFIXES)} in it "
            "and in its img/)"
        )
    annotation = next(
        (path for path in (folder / GROUND_TRUTH, folder.parent / GROUND_TRUTH) if path.is_file()),
        None,
    )
    boxes = np.empty((0, 4)) if annotation is None else read_boxes(annotation)
    if len(boxes) > len(images):
        raise SourceError(
            f"{annotation} has {len(boxes)} boxes for the {len(images)} images of {folder}: each "
            "line belongs to one image"
        )

    def frames() -> Frames:
        for path, index in zip(images, count()):
            image = cv2.imread(str(path), cv2.IMREAD_COLOR)
            if image is None:
                raise SourceError(f"image {str(path)!r} cannot be decoded: it is damaged or empty")
            truth = boxes[index] if index < len(boxes) else None
            yield np.asarray(cv2.cvtColor(image, cv2.COLOR_BGR2RGB), np.uint8), truth

    name = f"folder {folder} ({len(images)} images)"
    return Source(name, DEFAULT_RATE, len(images), len(boxes) > 0, frames)


def _read(capture: cv2.VideoCapture) -> Frames:
    try:
        while True:
            good, image = capture.read()
            if not good:
                return
            yield np.asarray(cv2.cvtColor(image, cv2.COLOR_BGR2RGB), np.uint8), None
    finally:
        capture.release()


def _video(path: Path) -> Source:
    capture = cv2.VideoCapture(str(path))
    try:
        if not capture.isOpened():
            raise SourceError(
                f"video {str(path)!r} cannot be opened: it is damaged, or this OpenCV build cannot "
                f"decode it; try: ffmpeg -i {path.name} -c:v libx264 converted.mp4"
            )
        rate = float(capture.get(cv2.CAP_PROP_FPS))
        length = int(capture.get(cv2.CAP_PROP_FRAME_COUNT))
    finally:
        capture.release()
    rate = rate if np.isfinite(rate) and 0.1 <= rate <= 1000 else DEFAULT_RATE
    return Source(
        f"video {path}",
        rate,
        length if length > 0 else None,
        False,
        lambda: _read(cv2.VideoCapture(str(path))),
    )


def _webcam(argument: str, rate: float | None, size: tuple[int, int] | None) -> Source:
    if argument and not argument.isdecimal():
        raise SourceError(f"webcam:{argument}: the number must be a whole number, as in webcam:0")
    number = int(argument or 0)
    capture = cv2.VideoCapture(number)
    if not capture.isOpened():
        raise SourceError(
            f"webcam {number} cannot be opened: is it connected, may this user read "
            f"/dev/video{number}, and does no other program use it?"
        )
    if rate is not None:
        capture.set(cv2.CAP_PROP_FPS, rate)
    if size is not None:
        capture.set(cv2.CAP_PROP_FRAME_WIDTH, size[0])
        capture.set(cv2.CAP_PROP_FRAME_HEIGHT, size[1])
    own = float(capture.get(cv2.CAP_PROP_FPS))
    own = own if np.isfinite(own) and own > 0 else DEFAULT_RATE
    return Source(f"webcam {number}", own, None, False, lambda: _read(capture), live=True)
