# Copyright 2026 mixformer2_ros contributors
# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import numpy as np
import pytest

from mixformer2_ros.scenes.fields import modulate, noise, plane


def test_noise_fills_the_unit_range_with_features_of_the_asked_size() -> None:
    field = noise(np.random.default_rng(0), 200, 300, 50.0)
    assert field.shape == (200, 300)
    assert field.min() == pytest.approx(0.0, abs=1e-5)
    assert field.max() == pytest.approx(1.0, abs=1e-5)
    near = np.corrcoef(field[:, 2:].ravel(), field[:, :-2].ravel())[0, 1]
    far = np.corrcoef(field[:, 120:].ravel(), field[:, :-120].ravel())[0, 1]
    assert near > 0.8 > far


def test_a_plane_rises_along_its_direction_by_one_a_pixel() -> None:
    assert np.array_equal(plane(2, 3, 0.0), [[0, 1, 2], [0, 1, 2]])
    assert plane(2, 3, np.pi / 2) == pytest.approx(np.array([[0, 0, 0], [1, 1, 1]]), abs=1e-6)


def test_modulation_maps_the_field_to_factors() -> None:
    image = np.full((1, 3, 3), 100, np.uint8)
    field = np.array([[0.0, 0.5, 1.0]], np.float32)
    assert modulate(image, field, 0.5, 3.5)[0, :, 0].tolist() == [50, 200, 255]
