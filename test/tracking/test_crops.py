# Copyright 2026 mixformer2_ros contributors
# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import tracemalloc

import cv2
import numpy as np
import pytest

from mixformer2_ros.ros.images import PackedFrame
from mixformer2_ros.tracking.crops import Scratch, Window, crop, search_window
from mixformer2_ros.tracking.frame import ArrayFrame


class RecordingFrame(ArrayFrame):
    """A BGR frame that notes what is read and converted."""

    def __init__(self, image: np.ndarray) -> None:
        super().__init__(image)
        self.regions: list[tuple[int, int, int, int]] = []
        self.converted: list[tuple[int, ...]] = []

    def region(self, x1: int, y1: int, x2: int, y2: int) -> np.ndarray:
        self.regions.append((x1, y1, x2, y2))
        return super().region(x1, y1, x2, y2)

    def to_rgb(self, pixels: np.ndarray, out: np.ndarray | None = None) -> np.ndarray:
        self.converted.append(pixels.shape)
        return pixels[..., ::-1]


class GreyFrame:
    height, width, nbytes = 40, 60, 2400

    def region(self, x1: int, y1: int, x2: int, y2: int) -> np.ndarray:
        return np.full((y2 - y1, x2 - x1), 77, np.uint8)

    def to_rgb(self, pixels: np.ndarray, out: np.ndarray | None = None) -> np.ndarray:
        return np.repeat(pixels[..., None], 3, axis=2)


def test_crops_are_the_published_ones(golden_dir) -> None:
    cases = np.load(golden_dir / "crops.npz")
    frame = ArrayFrame(cases["image"])
    assert len(cases["boxes"]) == 24
    for index, (*box, factor, size, resize_factor) in enumerate(cases["boxes"]):
        window = search_window(box, factor)
        assert size / window.side == pytest.approx(resize_factor)
        result = crop(frame, window, int(size))
        np.testing.assert_array_equal(result, cases[f"crop_{index:02d}"], str(index))


def test_crops_in_kept_memory_are_the_same(golden_dir) -> None:
    cases = np.load(golden_dir / "crops.npz")
    frame, scratch = ArrayFrame(cases["image"]), Scratch()
    for index, (*box, factor, size, _) in enumerate(cases["boxes"]):
        out = np.full((int(size), int(size), 3), 255, np.uint8)
        result = crop(frame, search_window(box, factor), int(size), out, scratch)
        assert result is out
        np.testing.assert_array_equal(out, cases[f"crop_{index:02d}"], str(index))


def test_kept_memory_is_taken_again_and_grows() -> None:
    scratch = Scratch()
    first = scratch.take("a", (4, 5, 3))
    assert np.shares_memory(first, scratch.take("a", (2, 3)))
    assert not np.shares_memory(first, scratch.take("b", (2, 3)))
    assert scratch.take("a", (100, 3)).shape == (100, 3)


@pytest.mark.parametrize("left", [20, -40, 500])
def test_crops_allocate_nothing_once_there_is_memory(left: int) -> None:
    """At most what NumPy's views and Python's numbers take, far from a crop's 37 kB."""
    image = np.full((240, 320, 3), 9, np.uint8)
    frame, scratch = PackedFrame(image, cv2.COLOR_BGR2RGB, image.nbytes), Scratch()
    out = np.empty((112, 112, 3), np.uint8)
    crop(frame, Window(-300, -300, 400), 112, out, scratch)
    tracemalloc.start()
    try:
        crop(frame, Window(left, 30, 100), 112, out, scratch)
        _, most = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert most < 8_000


def test_window_rounds_halves_to_even() -> None:
    assert search_window((10, 11, 4, 4), 1.25) == Window(10, 10, 5)  # 9.5 -> 10, 10.5 -> 10
    assert search_window((-50, 0, 9, 4), 2) == Window(-52, -4, 12)


def test_empty_window_is_refused() -> None:
    with pytest.raises(ValueError, match="too small"):
        search_window((5, 5, 0, 10), 4.5)


def test_only_the_window_is_read_and_only_the_crop_converted() -> None:
    image = np.random.default_rng(0).integers(0, 256, (1080, 1920, 3), np.uint8)
    frame = RecordingFrame(image)
    result = crop(frame, Window(700, 300, 448), 224)
    assert frame.regions == [(700, 300, 1148, 748)]
    assert frame.converted == [(224, 224, 3)]
    expected = crop(ArrayFrame(np.ascontiguousarray(image[..., ::-1])), Window(700, 300, 448), 224)
    np.testing.assert_array_equal(result, expected)


def test_only_the_visible_part_of_a_window_is_read() -> None:
    frame = RecordingFrame(np.full((100, 200, 3), 9, np.uint8))
    result = crop(frame, Window(-50, 60, 100), 100)
    # The image's last row counts as outside.
    assert frame.regions == [(0, 60, 50, 99)]
    assert (result[:39, 50:] == 9).all()
    assert not result[39:].any()
    assert not result[:, :50].any()


@pytest.mark.parametrize("left", [-300, 199, 5000])
def test_window_beside_the_image_is_black(left: int) -> None:
    frame = RecordingFrame(np.full((100, 200, 3), 9, np.uint8))
    result = crop(frame, Window(left, 0, 80), 112)
    assert result.shape == (112, 112, 3)
    assert not result.any()
    assert not frame.regions


def test_layouts_without_channels_are_padded_too() -> None:
    result = crop(GreyFrame(), Window(-10, -10, 60), 60)
    assert result.shape == (60, 60, 3)
    assert (result[10:49, 10:] == 77).all()
    assert not result[:10].any()
