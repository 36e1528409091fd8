# Copyright 2026 mixformer2_ros contributors
# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

from dataclasses import fields, replace

import numpy as np
import pytest

torch = pytest.importorskip("torch")

from mixformer2_ros.scenes.batched.atlas import make_noise  # noqa: E402
from mixformer2_ros.scenes.batched.optics import Optics, draw_optics, expose  # noqa: E402
from mixformer2_ros.scenes.batched.tape import Tape  # noqa: E402

GRAIN = make_noise(torch.device("cpu"), 2**14)


def perfect(count: int) -> Optics:
    drawn = draw_optics(Tape(0, 0, np.arange(count)), np.full((count, 1), 50.0))
    return drawn.perfect(np.ones(count, np.bool_)).views(slice(0, 1))


def pictures(count: int) -> torch.Tensor:
    generator = torch.Generator().manual_seed(0)
    small = torch.rand(count, 3, 8, 8, generator=generator)
    return torch.nn.functional.interpolate(small, (32, 32), mode="bilinear") * 0.8 + 0.1


def test_a_perfect_camera_changes_nothing():
    images = pictures(3)
    torch.testing.assert_close(expose(images.clone(), perfect(3), GRAIN), images)


def test_each_effect_stays_with_its_picture():
    images, changes = pictures(2), perfect(2)
    effects = {
        "coarse": np.array([0.0, 2.0]),
        "blur": np.array([[0.0, 0, 0], [2.0, 0.4, 1.0]]),
        "shadow_depth": np.array([0.0, 0.5]),
        "offset": np.array([[0.0] * 3, [0.1] * 3]),
        "gamma": np.array([1.0, 1.3]),
        "noise": np.array([0.0, 0.05]),
        "quality": np.array([0.0, 30.0]),
    }
    for name, values in effects.items():
        exposed = expose(images.clone(), replace(changes, **{name: values}), GRAIN)
        torch.testing.assert_close(exposed[0], images[0])
        assert (exposed[1] - images[1]).abs().mean() > 0.003, name


def test_lost_detail_and_blur_keep_the_light():
    images = pictures(1)
    for changes in (
        replace(perfect(1), coarse=np.array([2.4])),
        replace(perfect(1), blur=np.array([[3.0, 0.4, 0.7]])),
    ):
        exposed = expose(images.clone(), changes, GRAIN)
        assert exposed.mean() == pytest.approx(images.mean().item(), abs=0.01)
        assert exposed.std() < images.std()


def test_noise_has_the_deviation_asked_for():
    images = torch.full((1, 3, 64, 64), 0.5)
    exposed = expose(images.clone(), replace(perfect(1), noise=np.array([0.05])), GRAIN)
    assert (exposed - images).std().item() == pytest.approx(0.05, rel=0.05)


def test_only_the_target_size_costs_detail():
    sizes = np.array([[20.0, 200.0]] * 50)
    optics = draw_optics(Tape(0, 0, np.arange(50)), sizes)
    assert (optics.coarse[:, 1] >= optics.coarse[:, 0]).all()
    assert all(getattr(optics, field.name).shape[:2] == (50, 2) for field in fields(optics))
