# Copyright 2026 mixformer2_ros contributors
# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import numpy as np
import pytest

from mixformer2_ros.scenes.outlines import SQUARE, fill, rotation, stroke, turned, winding


def test_points_turn_from_x_towards_y() -> None:
    assert turned(np.array([[1.0, 0.0]]), np.pi / 2) == pytest.approx(np.array([[0.0, 1.0]]))
    assert rotation(0.3) @ [1.0, 2.0] == pytest.approx(turned(np.array([[1.0, 2.0]]), 0.3)[0])


def test_outlines_are_filled_where_they_are_with_an_antialiased_edge() -> None:
    image = np.zeros((20, 20, 3), np.uint8)
    fill(image, SQUARE * 4.5 + 10, (255, 0, 0))
    assert image[6:15, 6:15, 0].min() == 255
    assert 0 < image[10, 5, 0] < 255
    assert not image[10, 3].any()


def test_strokes_lie_along_their_line() -> None:
    image = np.zeros((20, 20, 3), np.uint8)
    stroke(image, np.array([[-5.0, 10.0], [25.0, 10.0]]), (0, 255, 0), 5)
    assert image[8:13, :, 1].min() == 255
    assert not image[:6].any()
    assert not image[15:].any()


@pytest.mark.parametrize("seed", range(4))
def test_a_winding_line_crosses_the_image(seed: int) -> None:
    line = winding(np.random.default_rng(seed), 100, 200)
    share = line / (200, 100)
    crossing = [axis for axis in (0, 1) if share[0, axis] < 0 and share[-1, axis] > 1]
    assert len(crossing) == 1
