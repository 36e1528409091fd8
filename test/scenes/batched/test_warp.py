# Copyright 2026 mixformer2_ros contributors
# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import numpy as np
import pytest

torch = pytest.importorskip("torch")

from mixformer2_ros.scenes.batched.warp import (  # noqa: E402
    Warp,
    nodes,
    place,
    seen_through,
    still_waves,
    turned,
)

ANGLE = np.linspace(0, 2 * np.pi, 24, endpoint=False)
CIRCLE = np.stack([np.cos(ANGLE), 0.6 * np.sin(ANGLE)], axis=-1)[None]


def poses(waves: float = 0.0) -> tuple[np.ndarray, ...]:
    linear = turned(np.array([0.5]), np.array([1.2]), np.array([0.1]))
    bent = still_waves((1,))
    bent[..., :2], bent[..., 2:4], bent[..., 4] = waves, 2.0, 0.3
    return linear, np.array([[0.1, -0.2]]), bent


@pytest.mark.parametrize("waves", [0.0, 0.03])
def test_what_is_placed_has_the_size_and_centre_asked_for(waves: float):
    warp, box = place(CIRCLE, *poses(waves), np.array([50.0]), np.array([[100.0, 90.0]]))
    seen = warp.forward(CIRCLE)[0]
    np.testing.assert_allclose(box[0], [*seen.min(axis=0), *seen.max(axis=0)])
    assert np.sqrt(np.prod(np.ptp(seen, axis=0))) == pytest.approx(50)
    np.testing.assert_allclose((box[0, :2] + box[0, 2:]) / 2, [100, 90])


def test_pixels_look_up_the_point_that_lands_on_them():
    warp, _ = place(CIRCLE, *poses(0.02), np.array([60.0]), np.array([[60.0, 52.0]]))
    half = np.array([[1.0, 0.75]])
    coarse = nodes(torch.from_numpy(warp.pack(half)), 112)
    grid = torch.nn.functional.interpolate(coarse, (112, 112), mode="bilinear", align_corners=True)
    inner = CIRCLE * 0.7
    column, row = warp.forward(inner)[0].T
    # Nearest pixel; a pixel is about 0.03 units here.
    found = grid[0, :, row.astype(int), column.astype(int)].numpy().T * half
    np.testing.assert_allclose(found, inner[0], atol=0.04)


def test_a_texture_lands_where_the_warp_says():
    texture = torch.zeros(1, 1, 32, 32)
    texture[..., 20, 12] = 1.0
    point = np.array([[[(12.5 / 32) * 2 - 1, (20.5 / 32) * 2 - 1]]])
    warp, _ = place(CIRCLE, *poses(), np.array([90.0]), np.array([[52.0, 60.0]]))
    coarse = nodes(torch.from_numpy(warp.pack(np.ones((1, 2)))), 112)
    image = seen_through(texture, coarse, 112)[0, 0].numpy()
    rows, columns = np.nonzero(image)
    weights = image[rows, columns]
    centre = [np.average(columns + 0.5, weights=weights), np.average(rows + 0.5, weights=weights)]
    np.testing.assert_allclose(centre, warp.forward(point)[0, 0], atol=0.15)


def test_levels_halve_with_the_size():
    linear, tilt, waves = poses()
    sizes = np.array([64.0, 32.0, 16.0, 4.0])
    warp = Warp(linear, tilt, waves, sizes / 2, np.zeros((4, 2)))
    np.testing.assert_array_equal(warp.level(64, 4), [0, 1, 2, 3])
