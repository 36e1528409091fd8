# Copyright 2026 mixformer2_ros contributors
# SPDX-License-Identifier: Apache-2.0
"""From the description of a scene to its world: the ground, who moves on it how, the camera."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

import cv2
import numpy as np
from numpy.typing import NDArray

from mixformer2_ros.scenes import aerial, backgrounds, motion, objects
from mixformer2_ros.scenes.colours import colour
from mixformer2_ros.scenes.fields import modulate, noise
from mixformer2_ros.scenes.motion import Signal
from mixformer2_ros.scenes.occluders import passing, standing
from mixformer2_ros.scenes.outlines import FRACTION, fixed
from mixformer2_ros.scenes.sprites import draw
from mixformer2_ros.scenes.world import Camera, World, make_actor

if TYPE_CHECKING:
    from mixformer2_ros.scenes.scene import Scene

# How much larger than the view the ground is: room for the target's path and the camera's.
_ROOM = 2.1
_STREET_ROOM = (1.9, 2.8)


def build(scene: Scene) -> World:
    """Build the world a scene describes; equal scenes build equal worlds.

    Args:
        scene: the description.
    """
    rng = np.random.default_rng((0x6D78, scene.seed))
    return _street(rng, scene) if scene.background == "street" else _open(rng, scene)


def _sprite(rng: np.random.Generator, scene: Scene) -> tuple[NDArray[np.uint8], int]:
    """The target's sprite and a state from which others of the same kind can be drawn."""
    names = list(objects.PAINTERS)
    name = scene.target or names[int(rng.integers(len(names)))]
    kind = names.index(name)
    return draw(rng, objects.PAINTERS[name], scene.target_size), kind


def _similar(
    rng: np.random.Generator, like: NDArray[np.uint8], kind: int, size: int
) -> NDArray[np.uint8]:
    """A distractor: another one of the target's kind, or the target in another tint and size."""
    scale = rng.uniform(0.85, 1.15)
    if rng.random() < 0.4:
        name = list(objects.PAINTERS)[kind]
        return draw(rng, objects.PAINTERS[name], max(8, round(size * scale)))
    tinted = like.copy()
    mix = rng.permutation(3) if rng.random() < 0.5 else np.arange(3)
    gain = rng.uniform(0.7, 1.15, 3)
    tinted[..., :3] = np.clip(like[..., mix] * gain, 0, 255).astype(np.uint8)
    return tinted


def _camera(rng: np.random.Generator, scene: Scene, path: Signal, size: float) -> Camera:
    """A camera that follows the target late and unsteadily, and looks away when told to."""
    count, rate = scene.length, scene.rate
    view = np.array([scene.width, scene.height], np.float64)
    drift = np.stack([motion.wander(rng, count, rate, 5.0) for _ in range(2)], axis=1)
    shake = np.stack([motion.wander(rng, count, rate, 0.25) for _ in range(2)], axis=1)
    loose = motion.follow(path, rate, scene.camera_lag) + drift * 0.1 * view
    zooms = np.exp(scene.zoom_change * motion.wander(rng, count, rate, 6.0))
    limit = np.maximum(0.42 * view - 0.7 * size, 0.1 * view)
    centres = path + motion.bound(loose - path, limit / zooms.max())
    centres = centres + shake * scene.camera_shake
    for event in scene.events:
        if event.kind == "away":
            side = rng.choice([-1.0, 1.0])
            reach = (view[0] + 1.5 * size) / zooms.min()
            window = motion.pulse(count, rate, event.start, event.end)
            centres = centres + np.stack([side * reach * window, np.zeros(count)], axis=1)
    angles = scene.camera_turn * motion.wander(rng, count, rate, 5.0)
    return Camera(centres, angles, zooms, (scene.width, scene.height))


def _gains(rng: np.random.Generator, scene: Scene) -> Signal:
    return np.exp(scene.light_change * motion.wander(rng, scene.length, scene.rate, 4.0))


def _free_path(rng: np.random.Generator, scene: Scene, room: Signal) -> Signal:
    """A path about the middle of the ground; `speed` sets how long one swing takes."""
    period = 2 * np.pi * float(np.hypot(*room)) / max(scene.speed, 1e-3)
    axes = [motion.wander(rng, scene.length, scene.rate, period) for _ in range(2)]
    middle = np.array([scene.width, scene.height]) * _ROOM / 2
    return np.asarray(middle + motion.bound(np.stack(axes, axis=1) * room, 1.5 * room))


def _open(rng: np.random.Generator, scene: Scene) -> World:
    """Objects that move freely over any background."""
    count, rate = scene.length, scene.rate
    view = np.array([scene.width, scene.height], np.float64)
    shape = round(scene.height * _ROOM), round(scene.width * _ROOM)
    if scene.background:
        painted = backgrounds.PAINTERS[scene.background](rng, *shape)
        ground = backgrounds.finish(rng, painted)
    else:
        ground = backgrounds.background(rng, *shape)
    room = 0.3 * view
    path = _free_path(rng, scene, room)
    sprite, kind = _sprite(rng, scene)

    def sway() -> tuple[Signal, Signal]:
        turns = scene.turn * motion.wander(rng, count, rate, 3.0)
        return turns, np.exp(scene.scale_change * motion.wander(rng, count, rate, 4.0))

    target = make_actor(sprite, path, *sway())
    others = []
    for _ in range(scene.distractors):
        rgba = _similar(rng, sprite, kind, scene.target_size)
        shift = rng.uniform(-0.25, 0.25, 2) * view
        others.append(make_actor(rgba, _free_path(rng, scene, room) + shift, *sway()))
    size = float(np.hypot(*sprite.shape[:2]) * target.scales.max())
    occluders = passing(rng, scene, path, size)
    camera = _camera(rng, scene, path, size)
    return World(ground, target, tuple(others), occluders, camera, _gains(rng, scene))


def _street(rng: np.random.Generator, scene: Scene) -> World:
    """Vehicles on a winding road, seen from a drone that follows one of them."""
    height, width = round(scene.height * _STREET_ROOM[0]), round(scene.width * _STREET_ROOM[1])
    size, lane = float(scene.target_size), 0.42 * scene.target_size
    line = _road_line(rng, height, width)
    ground = _countryside(rng, height, width, line, round(3.6 * lane))
    travel = scene.speed * ((scene.length - 1) / scene.rate)
    room = float(np.sum(np.hypot(*np.diff(line, axis=0).T)))
    colours = colour(rng, "brick" if rng.random() < 0.5 else "any")
    start = max(0.0, (room - travel) / 2)
    path, angles = _drive(rng, scene, line, start, scene.speed, lane)
    shadow = 0.06 * size
    target = make_actor(_vehicle(rng, scene, colours), path, angles, shadow=shadow)
    others = []
    for k in range(scene.distractors):
        # Like the target in colour or in lane, ahead, behind or coming the other way.
        tint = colours if k % 2 == 0 else colour(rng)
        if k % 3 == 1:
            ahead = (1.7 + k) * size * rng.choice([-1.0, 1.0])
            other, turn = _drive(rng, scene, line, start + ahead, scene.speed, lane)
        else:
            apart = travel * (k + 1.0) / (scene.distractors + 1.0)
            other, turn = _drive(rng, scene, line, start + apart + apart, -scene.speed, -lane)
        others.append(make_actor(_vehicle(rng, scene, tint), other, turn, shadow=shadow))
    occluders = standing(rng, scene, path, size)
    camera = _camera(rng, scene, path, size)
    return World(ground, target, tuple(others), occluders, camera, _gains(rng, scene))


def _drive(
    rng: np.random.Generator, scene: Scene, line: Signal, start: float, speed: float, offset: float
) -> tuple[Signal, Signal]:
    """Drive along a line, `offset` to its side; return the path and the heading."""
    time = np.arange(scene.length) / scene.rate
    pace = motion.wander(rng, scene.length, scene.rate, 4.0) * 0.15 * abs(speed) * np.sign(speed)
    way = start + speed * time + np.cumsum(pace) / scene.rate
    path = motion.follow(motion.along(line, way, offset), scene.rate, 0.12)
    return path, motion.heading(path)


def _vehicle(rng: np.random.Generator, scene: Scene, tint: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Draw what drives in a scene: a car of this colour, or whatever its target is."""
    painter = objects.PAINTERS[scene.target or "car_above"]
    if painter is objects.car_above:
        painter = partial(objects.car_above, tint=tint)
    return draw(rng, painter, scene.target_size, np.eye(2))


def _road_line(rng: np.random.Generator, height: int, width: int) -> Signal:
    x = np.linspace(-0.1, 1.1, 60)
    y = 0.5 + 0.12 * np.sin(2 * np.pi * (x * rng.uniform(0.7, 1.2) + rng.random()))
    y = y + 0.04 * np.sin(2 * np.pi * (x * rng.uniform(1.5, 2.5) + rng.random()))
    return np.stack([x * width, y * height], axis=1)


def _countryside(
    rng: np.random.Generator, height: int, width: int, line: Signal, wide: int
) -> NDArray[np.uint8]:
    ground = aerial.aerial_ground(rng, height, width)
    side = np.array([[0.3, -0.1], [0.45, 0.5], [0.62, 1.1]]) * (width, height)
    side = side + rng.normal(0, 0.03 * width, (3, 1))
    aerial.road(rng, ground, side, round(wide * 0.6))
    aerial.road(rng, ground, line, wide, marked=True)
    free = np.full((height, width), 255, np.uint8)
    for way, share in ((line, 2.2), (side, 1.3)):
        cv2.polylines(free, [fixed(way)], False, 0, round(wide * share), cv2.LINE_8, FRACTION)
    aerial.houses(rng, ground, 40, wide * 0.6, free)
    aerial.trees(rng, ground, 300, wide * 0.24, free, "forest")
    return modulate(ground, noise(rng, height, width, 0.5 * width, 0.4), 1.05, 1.35)
