# Copyright 2026 mixformer2_ros contributors
# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import numpy as np

from mixformer2_ros.scenes.colours import colour, ink, palette


def test_colours_are_of_their_family() -> None:
    rng = np.random.default_rng(0)
    grass = np.stack([colour(rng, "grass") for _ in range(50)]).astype(int)
    grey = np.stack([colour(rng, "grey") for _ in range(50)]).astype(int)
    assert (grass.argmax(axis=1) == 1).mean() > 0.8
    assert np.ptp(grey, axis=1).max() < 30


def test_ink_is_brightened_and_clipped() -> None:
    tint = np.array([10, 100, 200], np.uint8)
    assert ink(tint) == (10, 100, 200)
    assert ink(tint, 1.5) == (15, 150, 255)


def test_a_palette_passes_smoothly_through_its_colours() -> None:
    table = palette(np.random.default_rng(1), "any", stops=3)
    assert table.shape == (256, 3)
    assert np.abs(np.diff(table.astype(int), axis=0)).max() <= 3
