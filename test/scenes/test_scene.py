# Copyright 2026 mixformer2_ros contributors
# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import dataclasses

import numpy as np
import pytest

from mixformer2_ros.scenes.scene import Event, Scene

QUIET = Scene(
    seed=2,
    width=320,
    height=240,
    length=40,
    target_size=60,
    speed=60.0,
    noise=0.0,
    light_change=0.0,
    distractors=0,
)


def _extent(first: np.ndarray, second: np.ndarray) -> np.ndarray:
    """Box (x, y, w, h) of the pixels in which two renderings differ clearly."""
    rows, columns = np.nonzero(np.abs(first.astype(int) - second).max(axis=2) >= 127)
    return np.array([columns.min(), rows.min(), np.ptp(columns) + 1, np.ptp(rows) + 1], np.float64)


def _white_on_black(scene: Scene, index: int) -> tuple[np.ndarray, np.ndarray]:
    """The frame with a black ground and a white target, and the same with a black target."""
    world = scene._world
    black = np.zeros_like(world.ground)
    covers = tuple(
        dataclasses.replace(
            actor, pixels=actor.pixels * np.array([0, 0, 0, 1], np.uint8), shadow=0.0
        )
        for actor in world.occluders
    )
    images = []
    for bright in (1, 0):
        pixels = world.target.pixels.copy()
        pixels[..., :3] = pixels[..., 3:] * bright
        target = dataclasses.replace(world.target, pixels=pixels)
        painted = dataclasses.replace(world, ground=black, target=target, occluders=covers)
        copy = dataclasses.replace(scene)
        copy.__dict__["_world"] = painted
        images.append(copy.frame(index).image)
    return images[0], images[1]


@pytest.mark.parametrize("seed", range(6))
def test_boxes_agree_with_the_rendered_target_to_half_a_pixel(seed: int) -> None:
    scene = dataclasses.replace(QUIET, seed=seed, camera_turn=0.2, zoom_change=0.2)
    for index in (0, 13, 39):
        box = scene.frame(index).box
        drawn = _extent(*_white_on_black(scene, index))
        edges = np.array([box[0], box[1], box[0] + box[2], box[1] + box[3]])
        rendered = np.array([drawn[0], drawn[1], drawn[0] + drawn[2], drawn[1] + drawn[3]])
        # A pixel is counted when half covered: its edge is within half a pixel of the true one.
        assert np.abs(edges - rendered).max() <= 0.5 + 0.1


def test_partly_covered_box_is_what_can_be_seen() -> None:
    scene = dataclasses.replace(QUIET, seed=3, events=(Event("partial", 0.4, 1.0),))
    index = int(0.7 * scene.rate)
    frame = scene.frame(index)
    assert 0.2 < frame.visible < 0.8
    drawn = _extent(*_white_on_black(scene, index))
    assert np.abs(frame.box[:2] - drawn[:2]).max() <= 1.0
    assert np.abs(frame.box[2:] - drawn[2:]).max() <= 1.0


@pytest.mark.parametrize("kind", ["hidden", "away"])
def test_hidden_or_left_target_has_no_box_and_comes_back(kind: str) -> None:
    scene = dataclasses.replace(QUIET, length=90, events=(Event(kind, 1.2, 1.8),))
    gone, visible = scene.truth(45)
    assert np.isnan(gone).all()
    assert visible < 0.05
    for index in (0, 89):
        box, visible = scene.truth(index)
        assert np.isfinite(box).all()
        assert visible == pytest.approx(1.0, abs=0.02)


def test_boxes_stay_inside_the_view_while_the_target_leaves_it() -> None:
    scene = dataclasses.replace(QUIET, length=60, events=(Event("away", 1.0, 1.3),))
    shares = set()
    for index in range(60):
        box, visible = scene.truth(index)
        shares.add(round(visible, 1))
        if np.isfinite(box).all():
            assert box[:2].min() >= 0
            assert box[0] + box[2] <= scene.width + 1e-9
            assert box[1] + box[3] <= scene.height + 1e-9
    assert {0.0, 1.0} < shares


def test_frames_are_the_same_in_any_order_and_any_instance() -> None:
    first, second = Scene.random(7, 160, 120, 20), Scene.random(7, 160, 120, 20)
    late, early = first.frame(19), first.frame(2)
    assert np.array_equal(second.frame(2).image, early.image)
    again = second.frame(19)
    assert np.array_equal(again.image, late.image)
    assert np.array_equal(again.box, late.box, equal_nan=True)


def test_motion_is_smooth() -> None:
    scene = dataclasses.replace(QUIET, length=120, camera_shake=0.0)
    boxes = np.array([scene.truth(k)[0] for k in range(120)])
    centres = boxes[:, :2] + boxes[:, 2:] / 2
    assert np.abs(np.diff(centres, n=2, axis=0)).max() < 2.0


@pytest.mark.parametrize("seed", range(4))
def test_random_scenes_render(seed: int) -> None:
    scene = Scene.random(seed, 192, 144, 30)
    frame = scene.frame(0)
    assert frame.image.shape == (144, 192, 3)
    assert frame.image.dtype == np.uint8
    assert frame.image.std() > 1


def test_the_demo_starts_with_its_target_in_full_view_and_covers_half_of_it_later() -> None:
    scene = Scene.demo(0)
    assert (scene.width, scene.height, len(scene)) == (1280, 720, 300)
    box, visible = scene.truth(0)
    assert visible == pytest.approx(1.0, abs=0.02)
    assert box[2:].min() > 20
    shares = [scene.truth(k)[1] for k in range(300)]
    assert 0.2 < min(shares) < 0.8


@pytest.mark.parametrize(
    ("change", "text"),
    [
        ({"length": 1}, "length 1"),
        ({"target_size": 500}, "target_size 500"),
        ({"speed": float("nan")}, "speed nan"),
        ({"background": "moon"}, "moon"),
        ({"target": "ufo"}, "ufo"),
    ],
)
def test_bad_descriptions_are_refused_by_name(change: dict[str, object], text: str) -> None:
    with pytest.raises(ValueError, match=text):
        dataclasses.replace(QUIET, **change)


def test_bad_events_and_indices_are_refused() -> None:
    with pytest.raises(ValueError, match="asleep"):
        Event("asleep", 0, 1)
    with pytest.raises(ValueError, match="no duration"):
        Event("away", 2, 2)
    with pytest.raises(IndexError, match="frame 40"):
        QUIET.frame(40)
