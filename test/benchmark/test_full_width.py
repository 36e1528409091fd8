# Copyright 2026 mixformer2_ros contributors
# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import pytest

pytest.importorskip("onnx", reason="writes the graphs that are measured")
pytest.importorskip("onnxruntime", reason="runs them")

from mixformer2_ros.benchmark.full_width import random_weights
from mixformer2_ros.benchmark.work import macs_per_frame, sizes_that_run
from mixformer2_ros.inference.ranges import find_ranges
from mixformer2_ros.model.variants import SMALL


def test_random_weights_keep_their_width_and_have_ranges():
    with random_weights("small") as path:
        assert sizes_that_run("small", str(path)) == SMALL
        assert find_ranges(path).variant == "small"
    assert not path.exists()


def test_the_default_weights_are_folded_and_so_much_less_work():
    sizes = sizes_that_run("small", None)
    assert sizes.width == 256
    assert macs_per_frame(sizes) < 0.2 * macs_per_frame(SMALL)
