# Copyright 2026 mixformer2_ros contributors
# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import numpy as np
import pytest

from mixformer2_ros.tracking.frame import ArrayFrame, as_frame


def test_array_frame_is_a_view() -> None:
    image = np.arange(6 * 8 * 3, dtype=np.uint8).reshape(6, 8, 3)
    frame = ArrayFrame(image)
    assert (frame.height, frame.width, frame.nbytes) == (6, 8, image.nbytes)
    region = frame.region(2, 1, 5, 4)
    np.testing.assert_array_equal(region, image[1:4, 2:5])
    assert np.shares_memory(region, image)
    assert frame.to_rgb(region) is region


def test_as_frame_leaves_frames_alone() -> None:
    frame = ArrayFrame(np.zeros((2, 3, 3), np.uint8))
    assert as_frame(frame) is frame


@pytest.mark.parametrize(
    "image",
    [
        np.zeros((4, 4), np.uint8),
        np.zeros((4, 4, 4), np.uint8),
        np.zeros((4, 4, 3), np.float32),
        np.zeros((0, 4, 3), np.uint8),
    ],
)
def test_other_arrays_are_refused_with_a_cure(image: np.ndarray) -> None:
    with pytest.raises(ValueError, match=r"shape \(.*uint8 RGB array; convert it"):
        as_frame(image)
