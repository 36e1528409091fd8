# Copyright 2026 mixformer2_ros contributors
# SPDX-License-Identifier: Apache-2.0
"""A small atlas on the CPU."""

from __future__ import annotations

import cv2
import numpy as np
import pytest

torch = pytest.importorskip("torch", reason="batched scenes are rendered by PyTorch")

from mixformer2_ros.scenes.batched.atlas import (  # noqa: E402
    Atlas,
    Mark,
    make_noise,
    pack_pictures,
    pack_sprites,
    pack_tracks,
)


@pytest.fixture(autouse=True)
def _one_thread(one_thread):
    """All tests of this folder."""


def ellipse(colour: tuple[int, int, int]) -> np.ndarray:
    rgba = np.zeros((60, 100, 4), np.uint8)
    cv2.ellipse(rgba, (50, 30), (45, 25), 0, 0, 360, (*colour, 255), -1)
    return rgba


def crown(colour: tuple[int, int, int]) -> np.ndarray:
    """Something with thin parts, opaque up to its border."""
    rgba = np.zeros((80, 50, 4), np.uint8)
    for x in (0, 20, 40):
        cv2.rectangle(rgba, (x, 0), (x + 9, 60), (*colour, 255), -1)
    cv2.rectangle(rgba, (0, 50), (49, 79), (*colour, 255), -1)
    return rgba


@pytest.fixture(scope="session")
def make_atlas():
    """Return a function that makes an atlas of sprites on plain or noisy pictures."""

    def make(
        sprites: list[np.ndarray],
        pictures: list[np.ndarray],
        tracks: list[list[Mark]] | None = None,
    ) -> Atlas:
        device = torch.device("cpu")
        return Atlas(
            pack_sprites(sprites, np.ones(len(sprites)), device, 64),
            pack_pictures(pictures, np.ones(len(pictures)), device, 64),
            pack_tracks(tracks or [], np.ones(len(tracks or []))),
            make_noise(device),
        )

    return make


@pytest.fixture(scope="session")
def white_on_black(make_atlas) -> Atlas:
    """White objects and black pictures: every bright pixel belongs to an object."""
    white = (255, 255, 255)
    return make_atlas([ellipse(white), crown(white)], [np.zeros((48, 64, 3), np.uint8)])


@pytest.fixture(scope="session")
def colourful(make_atlas) -> Atlas:
    """Red and green objects, noisy pictures, and one marked white square of a grey picture."""
    rng = np.random.default_rng(0)
    noisy = cv2.resize(rng.integers(0, 255, (6, 8, 3), np.uint8), (64, 48))
    marked = np.full((48, 64, 3), 60, np.uint8)
    marked[16:32, 24:40] = 250
    box = np.array([24 - 32, 16 - 24, 40 - 32, 32 - 24]) / 32
    mark = Mark(1, box, np.array([-1.0, -0.75, 1.0, 0.75]))
    return make_atlas([ellipse((250, 20, 20)), crown((20, 250, 20))], [noisy, marked], [[mark]])
