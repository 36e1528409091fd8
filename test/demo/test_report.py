# Copyright 2026 mixformer2_ros contributors
# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import cv2
import numpy as np
import pytest

from mixformer2_ros.demo.recording import Detection, Observation, Recording
from mixformer2_ros.demo.report import count_states, write_report
from mixformer2_ros.drawing import STATE_COLOURS, TRUTH_COLOUR
from mixformer2_ros.sources import Source
from mixformer2_ros.tracking.types import TargetState

FRAMES = 30


def _frames() -> Iterator[tuple[np.ndarray, np.ndarray | None]]:
    for _ in range(FRAMES):
        yield np.full((240, 320, 3), 60, np.uint8), None


@pytest.fixture
def source() -> Source:
    return Source("grey", 30.0, FRAMES, False, _frames)


@pytest.fixture
def recording() -> Recording:
    stamps = [k * 33_000_000 for k in range(FRAMES)]
    found = Recording(stamps=stamps, processed=set(stamps[::2]), received=FRAMES)
    for k in range(2, FRAMES, 2):
        box = np.array([100.0 + k, 100.0, 40.0, 30.0])
        found.truths[stamps[k]] = box + np.array([-60.0, 60.0, 0.0, 0.0])
        found.observations[stamps[k]] = Observation(TargetState.TRACKING, 0.8, box)
        found.detections[stamps[k]] = Detection(box, 0.02)
    return found


def test_video_has_every_frame_and_sheet_twelve(
    source: Source, recording: Recording, tmp_path: Path
) -> None:
    video, sheet = tmp_path / "out" / "a.mp4", tmp_path / "out" / "a.png"
    write_report(source, recording, video, sheet)
    capture = cv2.VideoCapture(str(video))
    assert int(capture.get(cv2.CAP_PROP_FRAME_COUNT)) == FRAMES
    capture.release()
    picture = cv2.cvtColor(cv2.imread(str(sheet)), cv2.COLOR_BGR2RGB)
    assert picture.shape == (3 * 364 - 4, 4 * 484 - 4, 3)
    for row in range(3):
        for column in range(4):
            tile = picture[row * 364 : row * 364 + 360, column * 484 : column * 484 + 480]
            for colour in (STATE_COLOURS[TargetState.TRACKING], TRUTH_COLOUR):
                assert np.all(tile == np.array(colour, np.uint8), axis=2).sum() > 100


def test_states_are_counted_in_words(recording: Recording) -> None:
    stamp = recording.stamps[2]
    recording.observations[stamp] = Observation(TargetState.LOST, 0.1, np.zeros(4))
    assert count_states(recording) == "13 TRACKING, 1 LOST"


def test_pictures_that_cannot_be_written_are_explained(
    source: Source, recording: Recording, tmp_path: Path
) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(OSError, match="file"):
        write_report(source, recording, tmp_path / "file" / "a.mp4", tmp_path / "a.png")
