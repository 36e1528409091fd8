# Copyright 2026 mixformer2_ros contributors
# SPDX-License-Identifier: Apache-2.0
"""Pictures of a run: an annotated video and a contact sheet, made by reading the source again."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from mixformer2_ros.demo.recording import Observation, Recording
from mixformer2_ros.drawing import Mark, annotate
from mixformer2_ros.sources import Source
from mixformer2_ros.tracking.types import TargetState
from mixformer2_ros.video_file import VideoFile

_COLUMNS, _ROWS = 4, 3
_TILE_WIDTH = 480
_GAP = 4


def write_report(source: Source, recording: Recording, video: Path, sheet: Path) -> None:
    """Write the annotated video and the contact sheet.

    A frame that the tracker did not process shows the newest result, as a controller would have
    it, and says so.

    Args:
        source: gives the frames that were published.
        recording: of the run.
        video: MP4 file.
        sheet: PNG file with 12 of the frames.

    Raises:
        OSError: a file cannot be written.
    """
    chosen = _chosen(recording)
    tiles = []
    with VideoFile(video, source.rate) as file:
        for index, image, marks, truth, caption in _pictures(source, recording):
            file.write(annotate(image, marks, truth, caption))
            if index in chosen:
                tiles.append(_tile(image, marks, truth, caption))
    if tiles:
        _write_png(sheet, _grid(tiles))


def _pictures(
    source: Source, recording: Recording
) -> Iterator[tuple[int, NDArray[np.uint8], list[Mark], NDArray[np.float64] | None, str]]:
    newest: Observation | None = None
    for frame, stamp in zip(source, recording.stamps, strict=False):
        seen = recording.observations.get(stamp)
        newest = seen or newest
        caption = f"{(stamp - recording.stamps[0]) * 1e-9:.2f} s"
        overlap = recording.overlap(stamp)
        if seen is not None and overlap is not None:
            caption += f"  IoU {overlap:.2f}"
        if seen is None and newest is not None:
            caption += "  (not processed, newest result)"
        marks = []
        if newest is not None:
            label = f"{newest.state.name} {newest.score:.2f}"
            marks = [Mark(newest.box, newest.state, label)]
        yield frame.index, frame.image, marks, recording.truths.get(stamp), caption


def _chosen(recording: Recording) -> set[int]:
    """Numbers of up to 12 evenly spaced frames, taken from those with a result if there are any."""
    with_result = [k for k, stamp in enumerate(recording.stamps) if stamp in recording.observations]
    frames = with_result or list(range(len(recording.stamps)))
    picks = np.linspace(0, len(frames) - 1, min(_COLUMNS * _ROWS, len(frames)))
    return {frames[round(pick)] for pick in picks}


def _tile(
    image: NDArray[np.uint8],
    marks: list[Mark],
    truth: NDArray[np.float64] | None,
    caption: str,
) -> NDArray[np.uint8]:
    """A small picture, drawn on after scaling so that lines and letters stay readable."""
    scale = _TILE_WIDTH / image.shape[1]
    size = (_TILE_WIDTH, max(1, round(image.shape[0] * scale)))
    way = cv2.INTER_AREA if scale < 1 else cv2.INTER_LINEAR
    small = np.asarray(cv2.resize(image, size, interpolation=way), np.uint8)
    scaled = [Mark(np.asarray(mark.box) * scale, mark.state, mark.label) for mark in marks]
    return annotate(small, scaled, None if truth is None else truth * scale, caption)


def _grid(tiles: list[NDArray[np.uint8]]) -> NDArray[np.uint8]:
    height, width = tiles[0].shape[:2]
    rows = -(-len(tiles) // _COLUMNS)
    columns = min(_COLUMNS, len(tiles))
    shape = (rows * (height + _GAP) - _GAP, columns * (width + _GAP) - _GAP, 3)
    grid = np.zeros(shape, np.uint8)
    for number, tile in enumerate(tiles):
        y, x = (number // _COLUMNS) * (height + _GAP), (number % _COLUMNS) * (width + _GAP)
        grid[y : y + height, x : x + width] = tile
    return grid


def _write_png(path: Path, image: NDArray[np.uint8]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    if not cv2.imwrite(str(path), cv2.cvtColor(image, cv2.COLOR_RGB2BGR)):
        raise OSError(f"picture {str(path)!r} cannot be written: is the folder writable?")


def count_states(recording: Recording) -> str:
    """How many reports said what, in words."""
    states = [one.state for one in recording.observations.values()]
    counts = [f"{states.count(state)} {state.name}" for state in TargetState if state in states]
    return ", ".join(counts)
