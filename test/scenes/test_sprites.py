# Copyright 2026 mixformer2_ros contributors
# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import numpy as np
import pytest

from mixformer2_ros.scenes.objects import PAINTERS
from mixformer2_ros.scenes.sprites import draw, sprite


@pytest.mark.parametrize("name", list(PAINTERS))
def test_every_painter_fills_its_array_exactly(name: str) -> None:
    for seed in range(4):
        rgba = draw(np.random.default_rng(seed), PAINTERS[name], 60)
        alpha = rgba[..., 3]
        assert rgba.dtype == np.uint8
        assert max(alpha.shape) == 60
        assert alpha.max() == 255
        for line in (alpha[0], alpha[-1], alpha[:, 0], alpha[:, -1]):
            assert line.any()


@pytest.mark.parametrize("size", [4, 7, 33, 128])
def test_sprites_have_the_asked_size_and_an_antialiased_edge(size: int) -> None:
    partial = 0
    for seed in range(8):
        rgba = sprite(np.random.default_rng(seed), size)
        assert rgba.ndim == 3
        assert rgba.shape[2] == 4
        assert max(rgba.shape[:2]) == size
        partial += int(((rgba[..., 3] > 0) & (rgba[..., 3] < 255)).sum())
    assert partial > 0


def test_equal_generators_give_equal_sprites() -> None:
    first, second, other = (sprite(np.random.default_rng(seed), 50) for seed in (1, 1, 2))
    assert np.array_equal(first, second)
    assert first.shape != other.shape or not np.array_equal(first, other)


def test_silhouettes_are_distinct() -> None:
    covers = []
    for seed in range(12):
        alpha = sprite(np.random.default_rng(seed), 64)[..., 3]
        canvas = np.zeros((64, 64), bool)
        canvas[: alpha.shape[0], : alpha.shape[1]] = alpha > 127
        covers.append(canvas)
    for k, first in enumerate(covers):
        for second in covers[k + 1 :]:
            assert (first & second).sum() < 0.97 * (first | second).sum()


def test_too_small_a_sprite_is_refused() -> None:
    with pytest.raises(ValueError, match="not 3"):
        sprite(np.random.default_rng(0), 3)
