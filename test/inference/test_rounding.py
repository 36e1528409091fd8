# Copyright 2026 mixformer2_ros contributors
# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import numpy as np

from mixformer2_ros.inference.rounding import image_covariance, round_patch_weights

PATCH = 8


def smooth_patches(count: int) -> np.ndarray:
    """Patches with the neighbourhood of photographs, less 128."""
    rng = np.random.default_rng(1)
    fine = rng.normal(0, 3, (count, PATCH, PATCH, 3))
    coarse = rng.normal(0, 40, (count, 1, 1, 3))
    slope = rng.normal(0, 3, (count, 1, 1, 1)) * np.arange(PATCH)[:, None, None]
    return (coarse + slope + fine).reshape(count, -1)


def test_smooth_patches_come_out_nearer_than_by_rounding_to_nearest():
    weights = np.random.default_rng(0).normal(0, 1, (PATCH * PATCH * 3, 64))
    rounded, scales = round_patch_weights(weights, PATCH, 127)
    assert np.abs(rounded).max() <= 127
    assert np.array_equal(rounded, np.rint(rounded))
    patches = smooth_patches(200)
    error = patches @ (rounded * scales - weights)
    nearest = patches @ (np.rint(weights / scales) * scales - weights)
    assert np.square(error).mean() < 0.1 * np.square(nearest).mean()


def test_the_covariance_is_one_and_falls_with_distance_and_between_colours():
    covariance = image_covariance(PATCH)
    assert covariance.shape == (PATCH * PATCH * 3,) * 2
    assert np.linalg.eigvalsh(covariance).min() > 0
    assert np.allclose(np.diag(covariance), covariance[0, 0])
    assert covariance[0, 0] > covariance[0, 3] > covariance[0, 6] > covariance[0, 1] * 0.5
