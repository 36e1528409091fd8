# Copyright 2026 mixformer2_ros contributors
# SPDX-License-Identifier: Apache-2.0
"""Small sequences: boxes alone, and real images of a white square that moves and hides."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np
import pytest

from mixformer2_ros.evaluation import datasets


@pytest.fixture
def make_sequence() -> Callable[..., datasets.Sequence]:
    """Return a function that makes a sequence without images."""

    def make(name, truth, **facts) -> datasets.Sequence:
        frames = [Path(f"{i:04d}.png") for i in range(len(truth))]
        return datasets.make_sequence(name, frames, np.array(truth, np.float64), **facts)

    return make


@pytest.fixture
def squares_dir(tmp_path: Path) -> Path:
    """Return a folder data set of three sequences of 8, 12 and 20 frames, 48 x 32 pixels."""
    root = tmp_path / "squares"
    for name, count, hidden in (("short", 8, ()), ("middle", 12, (5, 6)), ("long", 20, ())):
        (root / name / "img").mkdir(parents=True)
        lines = []
        for i in range(count):
            image = np.zeros((32, 48, 3), np.uint8)
            image[..., 0] = 60  # blue in OpenCV's order
            x, y = 2 + i, 4 + i // 2
            if i in hidden:
                lines.append("NaN,NaN,NaN,NaN\n")
            else:
                image[y : y + 10, x : x + 8] = 255
                lines.append(f"{x},{y},8,10\n")
            assert cv2.imwrite(str(root / name / "img" / f"{i + 1:04d}.png"), image)
        (root / name / "groundtruth_rect.txt").write_text("".join(lines))
    return root
