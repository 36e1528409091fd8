# Copyright 2026 mixformer2_ros contributors
# SPDX-License-Identifier: Apache-2.0
"""Crops as the network meets them, recorded while a tracker runs."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import islice
from pathlib import Path
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from mixformer2_ros.inference.crops import Crops
from mixformer2_ros.inference.engine import Engine, Locations, TemplateMemory
from mixformer2_ros.sources import open_source
from mixformer2_ros.tracking.tracker import Tracker

OWN_SCENES = tuple(f"scene:{seed}" for seed in range(9001, 9009))
"""Procedural scenes to calibrate on where nothing closer to the task is at hand."""

OTHER_SCENES = tuple(f"scene:{seed}" for seed in range(5001, 5005))
"""Others, to compare on what was not calibrated on."""

# Crops further apart look less alike, but every frame in between must be rendered and tracked.
_LARGEST_STEP = 3

_BAG_SUFFIXES = (".mcap", ".db3", ".bag")

# An image (H, W, 3) uint8 RGB, and its target's x, y, w, h where that is known.
_Frames: TypeAlias = Iterator[tuple[NDArray[np.uint8], "NDArray[np.float64] | None"]]


def collect_crops(engine: Engine, sources: Sequence[str] = OWN_SCENES, count: int = 256) -> Crops:
    """Follow a target through videos and keep what the network is shown.

    The first frame's true box starts the tracker, where the source has one; otherwise a box in the
    middle of the image does, a quarter of its side: what is followed then is of no importance.

    Args:
        engine: Runs the network, in float32.
        sources: What `mixformer2_ros.sources.open_source` takes, or bags.
        count: Crops in all: every source gives the same share, evenly spaced over its frames
            (over the first ones, where it has many times more or its length is not known).

    Raises:
        SourceError: A source cannot be read.
        ValueError: There are no sources, or fewer than one crop for each.
    """
    if not sources or count < len(sources):
        raise ValueError(f"{count} crops of {len(sources)} sources: give at least one of each")
    recorder = _Recorder(engine)
    for index, source in enumerate(sources):
        share = count * (index + 1) // len(sources) - count * index // len(sources)
        _record(recorder, source, share)
    return recorder.crops(tuple(sources))


class _Recorder:
    """An `Engine` that keeps what it is shown; its memories are numbers."""

    def __init__(self, engine: Engine) -> None:
        self.variant = engine.variant
        self.description = engine.description
        self.keeps = True
        self._engine = engine
        self._memories: list[TemplateMemory] = []
        self._templates: list[tuple[NDArray[np.uint8], NDArray[np.uint8]]] = []
        self._searches: list[NDArray[np.uint8]] = []
        self._template_of: list[int] = []

    def encode_templates(
        self, templates: NDArray[np.uint8], online_templates: NDArray[np.uint8]
    ) -> list[TemplateMemory]:
        self._memories += self._engine.encode_templates(templates, online_templates)
        self._templates += zip(templates.copy(), online_templates.copy(), strict=True)
        return list(range(len(self._memories) - len(templates), len(self._memories)))

    def locate(self, memories: Sequence[TemplateMemory], crops: NDArray[np.uint8]) -> Locations:
        if self.keeps:
            self._searches.extend(
                crops.copy()
            )  # a tracker cuts every frame's crop into the same place
            self._template_of += memories
        return self._engine.locate([self._memories[memory] for memory in memories], crops)

    def crops(self, sources: tuple[str, ...]) -> Crops:
        templates, online_templates = zip(*self._templates, strict=True)
        return Crops(
            templates=np.stack(templates),
            online_templates=np.stack(online_templates),
            searches=np.stack(self._searches),
            template_of=np.array(self._template_of),
            sources=sources,
        )


def _record(recorder: _Recorder, source: str, count: int) -> None:
    frames, length = _open(source)
    # The tracker sees every frame of the part that is used; a share of them is kept.
    step = 1 if length is None else max(1, min(_LARGEST_STEP, (length - 1) // count))
    tracker = Tracker(recorder)
    kept = -1
    for index, (image, truth) in enumerate(islice(frames, count * step + 1)):
        if index == 0:
            tracker.init(image, _start(image, truth).tolist())
            kept = 0
            continue
        recorder.keeps = index % step == 0
        tracker.update(image)
        kept += recorder.keeps
    if kept < 1:
        raise ValueError(f"{source} has {kept + 1} frames: two or more are needed to calibrate")


def _start(image: NDArray[np.uint8], truth: NDArray[np.float64] | None) -> NDArray[np.float64]:
    if truth is not None and np.isfinite(truth).all():
        return truth
    height, width = image.shape[:2]
    return np.array([0.375 * width, 0.375 * height, 0.25 * width, 0.25 * height])


def _open(source: str) -> tuple[_Frames, int | None]:
    path = Path(source).expanduser()
    if path.suffix in _BAG_SUFFIXES or (path / "metadata.yaml").is_file():
        return _bag_frames(path), None
    opened = open_source(source)
    return ((frame.image, frame.truth) for frame in opened), opened.length


def _bag_frames(path: Path) -> _Frames:
    from mixformer2_ros.evaluation.extras import require

    require("bags", "rosbags")
    from mixformer2_ros.evaluation.bag_reader import BagReader

    with BagReader(path) as bag:
        for image in bag.images(bag.image_topic(None)):
            frame = image.frame
            pixels = frame.region(0, 0, frame.width, frame.height)
            yield np.ascontiguousarray(frame.to_rgb(pixels)), None
