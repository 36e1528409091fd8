# Copyright 2026 mixformer2_ros contributors
# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import numpy as np
import pytest

from mixformer2_ros.scenes import backgrounds


@pytest.mark.parametrize("name", list(backgrounds.PAINTERS))
@pytest.mark.parametrize(("height", "width"), [(90, 160), (16, 16), (200, 17)])
def test_every_painter_fills_any_size(name: str, height: int, width: int) -> None:
    rng = np.random.default_rng(3)
    image = backgrounds.finish(rng, backgrounds.PAINTERS[name](rng, height, width))
    assert image.shape == (height, width, 3)
    assert image.dtype == np.uint8


def test_equal_generators_give_equal_backgrounds() -> None:
    first, second, other = (
        backgrounds.background(np.random.default_rng(seed), 120, 160) for seed in (5, 5, 6)
    )
    assert np.array_equal(first, second)
    assert not np.array_equal(first, other)


def test_backgrounds_have_structure_and_differ() -> None:
    images = [backgrounds.background(np.random.default_rng(seed), 120, 160) for seed in range(20)]
    deviations = [float(image.std()) for image in images]
    assert min(deviations) > 1.0
    assert np.median(deviations) > 20.0
    means = np.array([image.mean(axis=(0, 1)) for image in images])
    assert means.std(axis=0).min() > 15.0


def test_too_small_a_background_is_refused() -> None:
    with pytest.raises(ValueError, match="8 x 40"):
        backgrounds.background(np.random.default_rng(0), 40, 8)
