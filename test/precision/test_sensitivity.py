# Copyright 2026 mixformer2_ros contributors
# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import numpy as np
import pytest

pytest.importorskip("onnx")
pytest.importorskip("onnxruntime", reason="onnxruntime is not installed")

from mixformer2_ros.inference.crops import Crops
from mixformer2_ros.inference.ranges import Ranges
from mixformer2_ros.model.state import expected_shapes
from mixformer2_ros.model.variants import SMALL
from mixformer2_ros.precision.sensitivity import as_markdown, sensitivity


class _Anything(dict):
    """A range for every product."""

    def __contains__(self, name: object) -> bool:
        return True

    def __missing__(self, name: str) -> float:
        return 4.0


def test_every_part_moves_the_answer_a_little_and_is_a_row():
    rng = np.random.default_rng(0)
    state = {
        name: (0.04 * rng.standard_normal(shape)).astype(np.float32)
        for name, shape in expected_shapes(SMALL).items()
    }
    shapes = ((1, 112, 112, 3), (1, 112, 112, 3), (2, 224, 224, 3))
    images = [rng.integers(0, 256, shape, dtype=np.uint8) for shape in shapes]
    crops = Crops(*images, np.zeros(2, np.intp), ("noise",))
    ranges = Ranges("small", "0" * 64, ("noise",), 2, _Anything())
    parts = list(sensitivity(SMALL, state, ranges, crops))
    assert [part for part, _ in parts][-1] == "all but the heads"
    for part, moved in parts:
        assert 0 < moved.box_mean < 0.2, part
    assert len(as_markdown(parts).splitlines()) == len(parts) + 2
