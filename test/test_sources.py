# Copyright 2026 mixformer2_ros contributors
# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest

from mixformer2_ros.sources import SourceError, open_source, read_boxes


def _write_images(folder: Path, names: list[str]) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    for value, name in enumerate(names):
        image = np.zeros((24, 32, 3), np.uint8)
        image[..., 2] = 40 + 50 * value  # red, in OpenCV's order
        assert cv2.imwrite(str(folder / name), image)


def _write_video(path: Path, frames: int) -> None:
    writer = cv2.VideoWriter(str(path), cv2.VideoWriter_fourcc(*"mp4v"), 20.0, (64, 48))
    assert writer.isOpened()
    for value in range(frames):
        image = np.zeros((48, 64, 3), np.uint8)
        image[..., 0] = 60 + 15 * value  # blue, in OpenCV's order
        writer.write(image)
    writer.release()


def test_folder_is_read_in_the_order_of_its_numbers_as_rgb(tmp_path: Path) -> None:
    _write_images(tmp_path, ["frame1.png", "frame2.png", "frame10.png"])
    source = open_source(str(tmp_path))
    frames = list(source)
    assert [int(frame.image[0, 0, 0]) for frame in frames] == [40, 90, 140]
    assert all(frame.image[..., 1:].max() == 0 for frame in frames)
    assert [frame.index for frame in frames] == [0, 1, 2]
    assert [frame.time for frame in frames] == pytest.approx([0, 1 / 30, 2 / 30])
    assert source.length == 3
    assert not source.has_truth
    assert frames[0].truth is None


def test_sequence_folder_gives_truth_with_absences(tmp_path: Path) -> None:
    _write_images(tmp_path / "img", ["1.png", "2.png", "3.png", "4.png"])
    (tmp_path / "groundtruth_rect.txt").write_text("1,2,3.5,4\nNaN,NaN,NaN,NaN\n0\t0\t0\t0\n")
    for folder in (tmp_path, tmp_path / "img"):
        source = open_source(str(folder), size=(64, 48))
        truths = [frame.truth for frame in source]
        assert source.has_truth
        assert np.allclose(truths[0], [2, 4, 7, 8])
        assert np.isnan(truths[1]).all()
        assert np.isnan(truths[2]).all()
        assert truths[3] is None


def test_loop_goes_on_counting_and_rate_sets_the_time(tmp_path: Path) -> None:
    _write_images(tmp_path, ["a.png", "b.png"])
    frames = iter(open_source(str(tmp_path), rate=10.0, loop=True))
    taken = [next(frames) for _ in range(5)]
    assert [frame.index for frame in taken] == [0, 1, 2, 3, 4]
    assert taken[4].time == pytest.approx(0.4)
    assert np.array_equal(taken[4].image, taken[0].image)


def test_video_gives_its_rate_and_all_frames_as_rgb(tmp_path: Path) -> None:
    _write_video(tmp_path / "clip.mp4", 8)
    source = open_source(str(tmp_path / "clip.mp4"))
    assert source.rate == pytest.approx(20.0)
    assert source.length == 8
    frames = list(source)
    assert len(frames) == 8
    blue = [float(frame.image[..., 2].mean()) for frame in frames]
    assert np.all(np.diff(blue) > 5)
    assert max(float(frame.image[..., 0].mean()) for frame in frames) < 20
    assert len(list(source)) == 8  # again


def test_scene_has_truth_and_takes_seed_and_size() -> None:
    source = open_source("scene:4", size=(320, 180))
    frame = next(iter(source))
    assert frame.image.shape == (180, 320, 3)
    assert frame.truth is not None
    assert np.isfinite(frame.truth).all()
    assert source.has_truth
    assert source.length == 300
    other = next(iter(open_source("scene:5", size=(320, 180))))
    assert not np.array_equal(other.image, frame.image)


@pytest.mark.parametrize(
    ("spec", "text"),
    [
        ("nowhere.mp4", "nowhere.mp4.*does not exist"),
        ("scene:x", "whole number"),
        ("webcam:x", "whole number"),
        ("webcam:97", "webcam 97 cannot be opened"),
    ],
)
def test_bad_names_are_explained(spec: str, text: str) -> None:
    with pytest.raises(SourceError, match=text):
        open_source(spec)


def test_bad_rate_and_size_are_explained() -> None:
    with pytest.raises(SourceError, match="rate of -1"):
        open_source("scene", rate=-1)
    with pytest.raises(SourceError, match="0 x 10"):
        open_source("scene", size=(0, 10))


def test_bad_folders_and_files_are_explained(tmp_path: Path) -> None:
    with pytest.raises(SourceError, match="holds no images"):
        open_source(str(tmp_path))
    (tmp_path / "text.mp4").write_text("not a video")
    with pytest.raises(SourceError, match="cannot be opened"):
        open_source(str(tmp_path / "text.mp4"))
    _write_images(tmp_path / "seq", ["1.png"])
    (tmp_path / "seq" / "groundtruth_rect.txt").write_text("1,2,3,4\n1,2,3,4\n")
    with pytest.raises(SourceError, match="2 boxes for the 1 images"):
        open_source(str(tmp_path / "seq"))
    (tmp_path / "seq" / "groundtruth_rect.txt").unlink()
    (tmp_path / "seq" / "2.png").write_bytes(b"broken")
    with pytest.raises(SourceError, match=r"2\.png.*cannot be decoded"):
        list(open_source(str(tmp_path / "seq")))


def test_boxes_that_are_no_numbers_name_their_line(tmp_path: Path) -> None:
    path = tmp_path / "boxes.txt"
    path.write_text("1 2 3 4\n\n1,2,3\n")
    with pytest.raises(SourceError, match="line 3"):
        read_boxes(path)
