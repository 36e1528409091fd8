# Copyright 2026 mixformer2_ros contributors
# SPDX-License-Identifier: Apache-2.0
"""What comes between the camera and the target: trees over its path, objects that pass."""

from __future__ import annotations

from typing import TYPE_CHECKING

import cv2
import numpy as np
from numpy.typing import NDArray

from mixformer2_ros.scenes import motion
from mixformer2_ros.scenes.aerial import crown
from mixformer2_ros.scenes.colours import colour, ink, palette
from mixformer2_ros.scenes.fields import colourise, noise
from mixformer2_ros.scenes.motion import Signal
from mixformer2_ros.scenes.world import Actor, make_actor

if TYPE_CHECKING:
    from mixformer2_ros.scenes.scene import Event, Scene


def standing(
    rng: np.random.Generator, scene: Scene, path: Signal, size: float
) -> tuple[Actor, ...]:
    """Put trees over the path of a target that keeps driving on.

    Args:
        rng: source of randomness.
        scene: says when the target is covered.
        path: float64 (N, 2), the target's, world coordinates.
        size: of the target, world pixels.
    """
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


def passing(rng: np.random.Generator, scene: Scene, path: Signal, size: float) -> tuple[Actor, ...]:
    """Let foreground objects sweep across a target, however it moves.

    Args:
        rng: source of randomness.
        scene: says when the target is covered.
        path: float64 (N, 2), the target's, world coordinates.
        size: of the target, world pixels.
    """
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


def _occluder(
    rng: np.random.Generator, length: float, breadth: float, leafy: bool
) -> NDArray[np.uint8]:
    """Something large and opaque: a canopy of leaves, or a slab with edges."""
    width, height = max(16, round(length)), max(16, round(breadth))
    cover = np.zeros((height, width), np.uint8)
    if leafy:
        small = min(width, height)
        sun, tint = rng.uniform(0, 2 * np.pi), colour(rng, "grass")
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
            crown(image, x, y, radius, shade, sun)
            cv2.circle(cover, (round(x), round(y)), round(radius), 255, -1, cv2.LINE_AA)
    else:
        field = noise(rng, height, width, max(width, height) * 0.2, 0.7)
        image = colourise(field, palette(rng, "concrete", "grey", stops=2))
        rail = ink(colour(rng, "grey"))
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
