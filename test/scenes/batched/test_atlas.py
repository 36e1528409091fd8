# Copyright 2026 mixformer2_ros contributors
# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import numpy as np
import pytest

torch = pytest.importorskip("torch")

from mixformer2_ros.scenes.batched.atlas import (  # noqa: E402
    Mark,
    noise_picture,
    outline,
    pack_pictures,
    pack_sprites,
    pack_tracks,
)

CPU = torch.device("cpu")


def test_sprites_keep_their_proportions_and_area():
    rgba = np.full((30, 90, 4), 255, np.uint8)
    sprites = pack_sprites([rgba], np.ones(1), CPU, 64)
    np.testing.assert_allclose(sprites.half, [[1, 1 / 3]])
    assert sprites.areas[0] == pytest.approx(4 / 3)
    low, high = sprites.outlines[0].min(axis=0), sprites.outlines[0].max(axis=0)
    np.testing.assert_allclose([low, high], [[-1, -1 / 3], [1, 1 / 3]])
    assert sprites.textures.shape == (1, 4, 64, 64)


def test_pictures_halve_from_level_to_level():
    pictures = pack_pictures([np.full((20, 200, 3), 70, np.uint8)], np.ones(1), CPU, 32)
    assert [level.shape[-1] for level in pictures.levels] == [32, 16, 8, 4]
    assert all((level == 70).all() for level in pictures.levels)


def test_outline_touches_all_sides_of_a_mask():
    mask = np.zeros((10, 20), np.bool_)
    mask[2:8, 5:15] = True
    points = outline(mask)
    np.testing.assert_allclose([points.min(axis=0), points.max(axis=0)], [[-0.5, -0.6], [0.5, 0.6]])


def test_nothing_to_see_is_an_error():
    with pytest.raises(ValueError, match="no opaque pixel"):
        pack_sprites([np.zeros((8, 8, 4), np.uint8)], np.ones(1), CPU)
    with pytest.raises(ValueError, match="at least one picture"):
        pack_pictures([], np.ones(0), CPU)


def test_tracks_keep_their_marks_together():
    marks = [Mark(i, np.array([0.0, 0.0, 0.5, 0.25]), np.full(4, np.inf)) for i in range(5)]
    tracks = pack_tracks([marks[:2], marks[2:]], np.ones(2))
    assert tracks.starts.tolist() == [0, 2, 5]
    np.testing.assert_allclose(tracks.outlines.max(axis=1), [[0.5, 0.25]] * 5)
    np.testing.assert_allclose(tracks.outlines.min(axis=1), 0, atol=1e-9)


def test_noise_pictures_differ_and_repeat():
    first, second = noise_picture(1, 32), noise_picture(2, 32)
    np.testing.assert_array_equal(first, noise_picture(1, 32))
    assert first.shape == (32, 32, 3)
    assert (first != second).mean() > 0.9
