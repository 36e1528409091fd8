# Copyright 2026 mixformer2_ros contributors
# SPDX-License-Identifier: Apache-2.0
"""What a scene is made of: a painted ground, actors on it, and the camera over it.

World coordinates are pixels of the ground image (x right, y down, pixel i covers [i, i + 1)); at
zoom 1 a world pixel is a pixel of the view.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import cv2
import numpy as np
from numpy.typing import NDArray

from mixformer2_ros.scenes import motion, objects, textures
from mixformer2_ros.scenes.motion import Signal

if TYPE_CHECKING:
    from mixformer2_ros.scenes.scene import Event, Scene

# How much larger than the view the ground is: room for the target's path and the camera's.
_ROOM = 2.1
_STREET_ROOM = (1.9, 2.8)


@dataclass(frozen=True)
class Actor:
    """A sprite and where it is in every frame.

    Attributes:
        pixels: uint8 (h, w, 4), RGB multiplied by alpha, and alpha.
        hull: float64 (K, 2), convex hull of what is at least half opaque, relative to the sprite's
            centre, sprite pixels.
        positions: float64 (N, 2), world coordinates of the sprite's centre.
        angles: float64 (N,), rad, clockwise on the image.
        scales: float64 (N,), world pixels per sprite pixel.
        shadow: world pixels its shadow is shifted by, 0 for none.
    """

    pixels: NDArray[np.uint8]
    hull: NDArray[np.float64]
    positions: Signal
    angles: Signal
    scales: Signal
    shadow: float = 0.0

    def matrix(self, index: int) -> NDArray[np.float64]:
        """Sprite to world coordinates in one frame: float64 (2, 3)."""
        height, width = self.pixels.shape[:2]
        turn = _rotation(float(self.angles[index])) * float(self.scales[index])
        shift = self.positions[index] - turn @ np.array([width / 2, height / 2])
        return np.hstack([turn, shift[:, None]])


@dataclass(frozen=True)
class Camera:
    """Where the camera looks in every frame.

    Attributes:
        centres: float64 (N, 2), world coordinates of the middle of the view.
        angles: float64 (N,), rad.
        zooms: float64 (N,), view pixels per world pixel.
        size: width and height of the view, pixels.
    """

    centres: Signal
    angles: Signal
    zooms: Signal
    size: tuple[int, int]

    def matrix(self, index: int) -> NDArray[np.float64]:
        """World to view coordinates in one frame: float64 (2, 3)."""
        turn = _rotation(-float(self.angles[index])) * float(self.zooms[index])
        shift = np.array(self.size) / 2 - turn @ self.centres[index]
        return np.hstack([turn, shift[:, None]])


@dataclass(frozen=True)
class World:
    """Ground, actors in drawing order and the camera; see `Actor` and `Camera`.

    Attributes:
        ground: uint8 (H, W, 3), RGB.
        target: the actor with the truth.
        distractors: drawn below the target.
        occluders: drawn above the target.
        camera: the view.
        gains: float64 (N,), brightness of every frame.
    """

    ground: NDArray[np.uint8]
    target: Actor
    distractors: tuple[Actor, ...]
    occluders: tuple[Actor, ...]
    camera: Camera
    gains: Signal


def _rotation(angle: float) -> NDArray[np.float64]:
    cosine, sine = np.cos(angle), np.sin(angle)
    return np.array([[cosine, -sine], [sine, cosine]])


def make_actor(
    rgba: NDArray[np.uint8],
    positions: Signal,
    angles: Signal | None = None,
    scales: Signal | None = None,
    shadow: float = 0.0,
) -> Actor:
    """Put a sprite on a path.

    Args:
        rgba: uint8 (h, w, 4), not premultiplied.
        positions: float64 (N, 2), world coordinates.
        angles: float64 (N,), rad; None for upright.
        scales: float64 (N,); None for 1.
        shadow: shift of the shadow, world pixels.
    """
    weighted = rgba.copy()
    weighted[..., :3] = np.round(rgba[..., :3] * (rgba[..., 3:] / 255.0))
    solid = (rgba[..., 3] >= 128).astype(np.uint8)
    rows, columns = np.nonzero(solid if solid.any() else rgba[..., 3])
    corners = [np.stack([columns + dx, rows + dy], axis=1) for dx in (0, 1) for dy in (0, 1)]
    hull = cv2.convexHull(np.concatenate(corners).astype(np.float32))[:, 0].astype(np.float64)
    height, width = rgba.shape[:2]
    count = len(positions)
    return Actor(
        weighted,
        hull - np.array([width / 2, height / 2]),
        positions,
        np.zeros(count) if angles is None else angles,
        np.ones(count) if scales is None else scales,
        shadow,
    )


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
    return objects.draw(rng, objects.PAINTERS[name], scene.target_size), kind


def _similar(
    rng: np.random.Generator, like: NDArray[np.uint8], kind: int, size: int
) -> NDArray[np.uint8]:
    """A distractor: another one of the target's kind, or the target in another tint and size."""
    scale = rng.uniform(0.85, 1.15)
    if rng.random() < 0.4:
        name = list(objects.PAINTERS)[kind]
        return objects.draw(rng, objects.PAINTERS[name], max(8, round(size * scale)))
    tinted = like.copy()
    mix = rng.permutation(3) if rng.random() < 0.5 else np.arange(3)
    gain = rng.uniform(0.7, 1.15, 3)
    tinted[..., :3] = np.clip(like[..., mix] * gain, 0, 255).astype(np.uint8)
    return tinted


def _occluder(
    rng: np.random.Generator, length: float, breadth: float, leafy: bool
) -> NDArray[np.uint8]:
    """Something large and opaque: a canopy of leaves, or a slab with edges."""
    width, height = max(16, round(length)), max(16, round(breadth))
    cover = np.zeros((height, width), np.uint8)
    if leafy:
        small = min(width, height)
        sun, tint = rng.uniform(0, 2 * np.pi), textures.colour(rng, "grass")
        image = np.empty((height, width, 3), np.uint8)
        image[:] = tint // 3
        inset = round(0.1 * small)
        cover[inset : height - inset, inset : width - inset] = 255
        for x, y in rng.random((90, 2)) * (width, height):
            radius = small * rng.uniform(0.1, 0.2)
            # Crowns that would be cut off by the rectangle are moved inside.
            x = min(max(x, radius + 1), width - radius - 1)
            y = min(max(y, radius + 1), height - radius - 1)
            shade = np.clip(tint * rng.uniform(0.6, 1.0), 0, 255).astype(np.uint8)
            textures.crown(image, x, y, radius, shade, sun)
            cv2.circle(cover, (round(x), round(y)), round(radius), 255, -1, cv2.LINE_AA)
    else:
        field = textures.noise(rng, height, width, max(width, height) * 0.2, 0.7)
        image = textures.colourise(field, textures.palette(rng, "concrete", "grey", stops=2))
        rail = tuple(int(c) for c in textures.colour(rng, "grey"))
        edge = max(2, round(0.06 * min(width, height)))
        cv2.rectangle(image, (0, 0), (width - 1, height - 1), rail, edge)
        cover[:] = 255
    return np.dstack([image, cover])


def _occlusion(
    rng: np.random.Generator, event: Event, size: float, way: float, leafy: bool
) -> tuple[NDArray[np.uint8], float]:
    """An occluder the target is behind while it travels `way`, and its sideways offset."""
    if event.kind == "hidden":
        return _occluder(rng, way + 1.5 * size, 2.0 * size, leafy), 0.0
    # Reaches over one side of the path only, so that about half of the target stays in sight.
    breadth = 2.0 * size
    offset = float(rng.choice([-1.0, 1.0])) * (breadth / 2 - 0.05 * size)
    return _occluder(rng, max(way, 0.5 * size), breadth, leafy), offset


def _standing(
    rng: np.random.Generator, scene: Scene, path: Signal, size: float
) -> tuple[Actor, ...]:
    """Trees over the path of a target that keeps driving on."""
    actors = []
    for event in (event for event in scene.events if event.kind != "away"):
        first = int(np.clip(event.start * scene.rate, 0, scene.length - 1))
        last = int(np.clip(event.end * scene.rate, first, scene.length - 1))
        chord = path[last] - path[first]
        turn = float(np.arctan2(chord[1], chord[0]))
        rgba, offset = _occlusion(rng, event, size, float(np.hypot(*chord)), leafy=True)
        centre = path[(first + last) // 2] + offset * np.array([-np.sin(turn), np.cos(turn)])
        positions = np.broadcast_to(centre, (scene.length, 2))
        actors.append(make_actor(rgba, positions, np.full(scene.length, turn), shadow=0.1 * size))
    return tuple(actors)


def _passing(
    rng: np.random.Generator, scene: Scene, path: Signal, size: float
) -> tuple[Actor, ...]:
    """Foreground objects that sweep across a target, however it moves."""
    actors = []
    time = np.arange(scene.length) / scene.rate
    calm = motion.follow(path, scene.rate, 0.3)
    for event in (event for event in scene.events if event.kind != "away"):
        turn = rng.uniform(-0.4, 0.4) + rng.choice([0.0, np.pi])
        way = 1.5 * size
        rgba, offset = _occlusion(rng, event, size, way, bool(rng.random() < 0.5))
        middle, speed = (event.start + event.end) / 2, way / (event.end - event.start)
        forward, side = np.array([np.cos(turn), np.sin(turn)]), (-np.sin(turn), np.cos(turn))
        centre = calm + (time - middle)[:, None] * speed * forward + offset * np.array(side)
        actors.append(make_actor(rgba, centre, np.full(scene.length, turn), shadow=0.1 * size))
    return tuple(actors)


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
        painted = textures.PAINTERS[scene.background](rng, *shape)
        ground = textures.finish(rng, painted)
    else:
        ground = textures.background(rng, *shape)
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
    occluders = _passing(rng, scene, path, size)
    camera = _camera(rng, scene, path, size)
    return World(ground, target, tuple(others), occluders, camera, _gains(rng, scene))


def _street(rng: np.random.Generator, scene: Scene) -> World:
    """Vehicles on a winding road, seen from a drone that follows one of them."""
    count, rate = scene.length, scene.rate
    height, width = round(scene.height * _STREET_ROOM[0]), round(scene.width * _STREET_ROOM[1])
    size, lane = float(scene.target_size), 0.42 * scene.target_size
    line = _road_line(rng, height, width)
    ground = _countryside(rng, height, width, line, round(3.6 * lane))
    time = np.arange(count) / rate
    travel = scene.speed * time[-1]
    room = float(np.sum(np.hypot(*np.diff(line, axis=0).T)))

    def drive(start: float, speed: float, offset: float) -> tuple[Signal, Signal]:
        pace = motion.wander(rng, count, rate, 4.0) * 0.15 * abs(speed) * np.sign(speed)
        way = start + speed * time + np.cumsum(pace) / rate
        path = motion.follow(motion.along(line, way, offset), rate, 0.12)
        return path, motion.heading(path)

    colours = textures.colour(rng, "brick" if rng.random() < 0.5 else "any")
    names = scene.target or "car_above"
    painter = objects.PAINTERS[names]
    upright = np.eye(2)

    def vehicle(tint: NDArray[np.uint8] | None) -> NDArray[np.uint8]:
        if painter is objects.car_above:
            return objects.draw(
                rng, lambda r, c: objects.car_above(r, c, tint), scene.target_size, upright
            )
        return objects.draw(rng, painter, scene.target_size, upright)

    start = max(0.0, (room - travel) / 2)
    path, angles = drive(start, scene.speed, lane)
    shadow = 0.06 * size
    target = make_actor(vehicle(colours), path, angles, shadow=shadow)
    others = []
    for k in range(scene.distractors):
        # Like the target in colour or in lane, ahead, behind or coming the other way.
        tint = colours if k % 2 == 0 else textures.colour(rng)
        if k % 3 == 1:
            ahead = (1.7 + k) * size * rng.choice([-1.0, 1.0])
            other, turn = drive(start + ahead, scene.speed, lane)
        else:
            meet = start + travel * (k + 1.0) / (scene.distractors + 1.0)
            begin = meet + scene.speed * time[-1] * (k + 1.0) / (scene.distractors + 1.0)
            other, turn = drive(begin, -scene.speed, -lane)
        others.append(make_actor(vehicle(tint), other, turn, shadow=shadow))
    occluders = _standing(rng, scene, path, size)
    camera = _camera(rng, scene, path, size)
    return World(ground, target, tuple(others), occluders, camera, _gains(rng, scene))


def _road_line(rng: np.random.Generator, height: int, width: int) -> Signal:
    x = np.linspace(-0.1, 1.1, 60)
    y = 0.5 + 0.12 * np.sin(2 * np.pi * (x * rng.uniform(0.7, 1.2) + rng.random()))
    y = y + 0.04 * np.sin(2 * np.pi * (x * rng.uniform(1.5, 2.5) + rng.random()))
    return np.stack([x * width, y * height], axis=1)


def _countryside(
    rng: np.random.Generator, height: int, width: int, line: Signal, wide: int
) -> NDArray[np.uint8]:
    ground = textures.aerial_ground(rng, height, width)
    side = np.array([[0.3, -0.1], [0.45, 0.5], [0.62, 1.1]]) * (width, height)
    side = side + rng.normal(0, 0.03 * width, (3, 1))
    textures.road(rng, ground, side, round(wide * 0.6))
    textures.road(rng, ground, line, wide, marked=True)
    free = np.full((height, width), 255, np.uint8)
    for way, share in ((line, 2.2), (side, 1.3)):
        fixed = [np.round(way * 16).astype(np.int32)]
        cv2.polylines(free, fixed, False, 0, round(wide * share), cv2.LINE_8, 4)
    textures.houses(rng, ground, 40, wide * 0.6, free)
    textures.trees(rng, ground, 300, wide * 0.24, free, "forest")
    light = textures.noise(rng, height, width, 0.5 * width, 0.4) * np.float32(0.3) + 1.05
    return np.asarray(cv2.multiply(ground, cv2.merge([light] * 3), dtype=cv2.CV_8U), np.uint8)
