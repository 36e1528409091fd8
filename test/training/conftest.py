# Copyright 2026 mixformer2_ros contributors
# SPDX-License-Identifier: Apache-2.0
"""Fixtures of the training's tests."""

from __future__ import annotations

from collections.abc import Sequence

import cv2
import numpy as np
import pytest
import torch

from mixformer2_ros.model import MixFormerV2
from mixformer2_ros.model.variants import Variant
from mixformer2_ros.training.initialisation import initialise


@pytest.fixture(autouse=True)
def _one_thread(one_thread):
    """All tests of this folder."""


@pytest.fixture
def tiny_network():
    """Return a function that makes an initialised network for crops of 48 and 96 pixels."""

    def make(depth: int, mlp_ratio: int, heads: int = 1) -> MixFormerV2:
        variant = Variant(
            "tiny", search_size=96, template_size=48, search_factor=4.0, depth=depth,
            mlp_ratio=mlp_ratio, width=64, heads=heads, bins=24,
        )  # fmt: skip
        model = MixFormerV2(variant).eval()
        initialise(model, 0)
        return model

    return make


@pytest.fixture
def random_pixels():
    """Return a function that makes uint8 pictures (*shape, 3)."""

    def make(*shape: int) -> torch.Tensor:
        generator = torch.Generator().manual_seed(0)
        return torch.randint(0, 256, (*shape, 3), generator=generator, dtype=torch.uint8)

    return make


@pytest.fixture(scope="session")
def yellow_video():
    """Return a function that draws frames of a yellow rectangle on grey noise, at each of some x.

    It gives the noise, the frames (240, 320, 3) and the boxes x, y, w, h.
    """

    def make(places: Sequence[int]):
        rng = np.random.default_rng(0)
        noise = cv2.resize(rng.integers(0, 90, (12, 16, 3), np.uint8), (320, 240))
        boxes = [(x, 100, 40, 30) for x in places]
        frames = []
        for x, y, w, h in boxes:
            frame = noise.copy()
            cv2.rectangle(frame, (x, y), (x + w - 1, y + h - 1), (240, 240, 60), -1)
            frames.append(frame)
        return noise, frames, boxes

    return make
