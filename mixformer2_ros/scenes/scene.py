# Copyright 2026 mixformer2_ros contributors
# SPDX-License-Identifier: Apache-2.0
"""Seeded scenes with exactly known truth: description and rendering.

A `Scene` says what happens; `Scene.frame` renders any of its frames, in any order, always the
same way. The box is that of the target as it can be seen: cut at the border of the view and, while
something covers it, around what is still visible.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cached_property

import cv2
import numpy as np
from numpy.typing import NDArray

from mixformer2_ros.scenes import backgrounds, objects
from mixformer2_ros.scenes.building import build
from mixformer2_ros.scenes.view import Window, centred, coverage, outline, paste
from mixformer2_ros.scenes.world import World

# Less of the target than this in sight counts as absent.
_LEAST_VISIBLE = 0.05
_NOISE_MARGIN = 64


@dataclass(frozen=True)
class Event:
    """Something that happens to the target.

    Attributes:
        kind: ``partial`` (about half of it is covered), ``hidden`` (all of it) or ``away`` (the
            camera looks elsewhere).
        start: seconds from the first frame.
        end: seconds; for ``partial`` and ``hidden`` the time the target's centre is behind it.
    """

    kind: str
    start: float
    end: float

    def __post_init__(self) -> None:
        if self.kind not in ("partial", "hidden", "away"):
            raise ValueError(f"event kind {self.kind!r} is not partial, hidden or away")
        if not 0 <= self.start < self.end:
            raise ValueError(f"event from {self.start} s to {self.end} s has no duration")


@dataclass(frozen=True)
class SceneFrame:
    """One rendered frame.

    Attributes:
        image: uint8 (height, width, 3), RGB.
        box: float64 (4,), x, y, w, h of the visible target in pixels of the image (pixel i covers
            [i, i + 1)), NaNs when it cannot be seen.
        visible: share of the target's area that can be seen, 0..1.
    """

    image: NDArray[np.uint8]
    box: NDArray[np.float64]
    visible: float


@dataclass(frozen=True)
class Scene:
    """A seeded scene: equal descriptions give equal frames.

    Attributes:
        seed: of everything random.
        width: of the view, pixels.
        height: of the view, pixels.
        length: number of frames.
        rate: frames a second.
        background: ``street`` (vehicles on a road seen from a drone), a name of
            `backgrounds.PAINTERS`, or empty for any.
        target: a name of `objects.PAINTERS`, or empty for any (``street``: a car).
        target_size: longer side of the target at zoom 1, pixels.
        speed: typical speed of the target, pixels a second at zoom 1.
        scale_change: deviation of the logarithm of the target's size (not on a street).
        turn: deviation of the target's orientation, rad (not on a street).
        camera_lag: how slowly the camera follows, seconds.
        camera_shake: deviation of the camera's vibration, pixels.
        camera_turn: deviation of the camera's roll, rad.
        zoom_change: deviation of the logarithm of the zoom.
        light_change: deviation of the logarithm of the brightness.
        blur: deviation of the Gaussian defocus, pixels.
        noise: deviation of the sensor noise, grey levels.
        distractors: number of objects that look like the target.
        events: occlusions and absences.

    Raises:
        ValueError: a value is out of range or names an unknown painter.
    """

    seed: int = 0
    width: int = 1280
    height: int = 720
    length: int = 300
    rate: float = 30.0
    background: str = ""
    target: str = ""
    target_size: int = 96
    speed: float = 180.0
    scale_change: float = 0.15
    turn: float = 0.2
    camera_lag: float = 0.8
    camera_shake: float = 1.0
    camera_turn: float = 0.03
    zoom_change: float = 0.1
    light_change: float = 0.08
    blur: float = 0.0
    noise: float = 2.0
    distractors: int = 2
    events: tuple[Event, ...] = field(default=())

    def __post_init__(self) -> None:
        limits = {
            "seed": (0, 2**63 - 1),
            "width": (32, 7680),
            "height": (32, 4320),
            "length": (2, 1_000_000),
            "rate": (0.1, 1000.0),
            "target_size": (8, min(self.width, self.height)),
            "speed": (0.0, 1e5),
            "scale_change": (0.0, 1.0),
            "turn": (0.0, 10.0),
            "camera_lag": (0.0, 60.0),
            "camera_shake": (0.0, 100.0),
            "camera_turn": (0.0, 10.0),
            "zoom_change": (0.0, 0.5),
            "light_change": (0.0, 1.0),
            "blur": (0.0, 20.0),
            "noise": (0.0, 100.0),
            "distractors": (0, 50),
        }
        for name, (low, high) in limits.items():
            value = getattr(self, name)
            if not low <= value <= high:
                raise ValueError(f"scene {name} {value} is outside {low}..{high}")
        grounds = ("", "street", *backgrounds.PAINTERS)
        if self.background not in grounds:
            raise ValueError(f"scene background {self.background!r} is not one of {grounds}")
        if self.target not in ("", *objects.PAINTERS):
            raise ValueError(
                f"scene target {self.target!r} is not one of {tuple(objects.PAINTERS)}"
            )

    @classmethod
    def demo(cls, seed: int = 0) -> Scene:
        """Ten seconds of a car on a country road, with other cars and a tree in the way.

        Args:
            seed: another seed is another place and another car.
        """
        return cls(
            seed=seed,
            background="street",
            distractors=4,
            speed=150.0,
            events=(Event("partial", 4.6, 5.6),),
        )

    @classmethod
    def random(cls, seed: int, width: int = 1280, height: int = 720, length: int = 300) -> Scene:
        """A scene with everything drawn at random: place, target, motion, light, events.

        Args:
            seed: of the draw and of the scene.
            width: of the view, pixels.
            height: of the view, pixels.
            length: number of frames at 30 a second.
        """
        rng = np.random.default_rng((0x7363, seed))
        small = min(width, height)
        events = []
        duration = length / 30.0
        for share in (0.3, 0.55, 0.8):
            kind = str(rng.choice(["none", "none", "partial", "hidden", "away"]))
            if kind != "none":
                start = duration * share
                events.append(Event(kind, start, start + rng.uniform(0.3, 1.0)))
        return cls(
            seed=seed,
            width=width,
            height=height,
            length=length,
            background="street" if rng.random() < 0.2 else "",
            target_size=max(8, round(small * rng.uniform(0.05, 0.3))),
            speed=small * rng.uniform(0.1, 0.6),
            scale_change=rng.uniform(0.0, 0.3),
            turn=rng.uniform(0.0, 0.6),
            camera_lag=rng.uniform(0.2, 1.5),
            camera_shake=rng.uniform(0.0, 3.0),
            camera_turn=rng.uniform(0.0, 0.08),
            zoom_change=rng.uniform(0.0, 0.2),
            light_change=rng.uniform(0.0, 0.2),
            blur=float(rng.choice([0.0, 0.0, rng.uniform(0.5, 1.5)])),
            noise=rng.uniform(0.0, 6.0),
            distractors=int(rng.integers(0, 6)),
            events=tuple(events),
        )

    def truth(self, index: int) -> tuple[NDArray[np.float64], float]:
        """Box and visible share of the target in one frame, without rendering it.

        Args:
            index: 0..length - 1.

        Returns:
            The box (float64 (4,), see `SceneFrame`) and the visible share.

        Raises:
            IndexError: there is no such frame.
        """
        self._check(index)
        world = self._world
        view = world.camera.matrix(index)
        size = (self.width, self.height)
        hull = outline(world.target, view, index)
        window = _around(hull)
        whole = coverage(world.target, view, index, window)
        sight = _within(whole, window, size)
        covers = [coverage(occluder, view, index, window) for occluder in world.occluders]
        covers = [cover for cover in covers if cover.any()]
        for cover in covers:
            sight *= 1 - cover
        visible = float(sight.sum()) / max(float(whole.sum()), 1e-9)
        seen = sight >= 0.5
        if visible < _LEAST_VISIBLE or not seen.any():
            return np.full(4, np.nan), visible
        low, high = _extent(seen, window)
        if not covers:
            # The outline knows the edge between the pixels; a pixel counts from half cover on.
            low = np.clip(hull.min(axis=0), low - 0.5, low + 0.5)
            high = np.clip(hull.max(axis=0), high - 0.5, high + 0.5)
            low, high = np.clip(low, 0, size), np.clip(high, 0, size)
        return np.concatenate([low, high - low]), min(1.0, visible)

    def frame(self, index: int) -> SceneFrame:
        """Render one frame.

        Args:
            index: 0..length - 1.

        Raises:
            IndexError: there is no such frame.
        """
        box, visible = self.truth(index)
        world = self._world
        view = world.camera.matrix(index)
        image = cv2.warpAffine(
            world.ground,
            centred(view),
            (self.width, self.height),
            flags=cv2.INTER_LINEAR,
            borderMode=cv2.BORDER_REFLECT_101,
        )
        for actor in (*world.distractors, world.target, *world.occluders):
            paste(image, actor, view, index)
        if self.blur > 0:
            cv2.GaussianBlur(image, (0, 0), self.blur, dst=image)
        if self.light_change > 0:
            cv2.convertScaleAbs(image, dst=image, alpha=float(world.gains[index]))
        if self.noise > 0:
            y, x = (index * 37) % _NOISE_MARGIN, (index * 23) % _NOISE_MARGIN
            grain = self._grain[y : y + self.height, x : x + self.width]
            cv2.add(image, grain, dst=image, dtype=cv2.CV_8U)
        return SceneFrame(np.asarray(image, np.uint8), box, visible)

    def __len__(self) -> int:
        return self.length

    @cached_property
    def _world(self) -> World:
        return build(self)

    @cached_property
    def _grain(self) -> NDArray[np.int8]:
        rng = np.random.default_rng((0x6772, self.seed))
        shape = (self.height + _NOISE_MARGIN, self.width + _NOISE_MARGIN, 1)
        grain = rng.standard_normal(shape, np.float32) * np.float32(self.noise)
        return np.repeat(np.clip(np.round(grain), -127, 127).astype(np.int8), 3, axis=2)

    def _check(self, index: int) -> None:
        if not 0 <= index < self.length:
            raise IndexError(f"frame {index} is outside the scene's 0..{self.length - 1}")


def _around(hull: NDArray[np.float64]) -> Window:
    """Return the pixels that an outline touches, and one more on each side."""
    left, top = np.floor(hull.min(axis=0)).astype(int) - 1
    right, bottom = np.ceil(hull.max(axis=0)).astype(int) + 1
    return int(left), int(top), int(right), int(bottom)


def _within(
    cover: NDArray[np.float32], window: Window, size: tuple[int, int]
) -> NDArray[np.float32]:
    """Return the cover of a window, zero where the window lies outside the view."""
    inside = np.zeros_like(cover)
    x1, y1 = max(0, -window[0]), max(0, -window[1])
    x2, y2 = size[0] - window[0], size[1] - window[1]
    if x2 > 0 and y2 > 0:
        inside[y1:y2, x1:x2] = cover[y1:y2, x1:x2]
    return inside


def _extent(
    seen: NDArray[np.bool_], window: Window
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return the upper left and lower right corner, in the view, of what is seen of a window."""
    columns, rows = np.nonzero(seen.any(axis=0))[0], np.nonzero(seen.any(axis=1))[0]
    low = np.array([columns[0], rows[0]], np.float64) + window[:2]
    high = np.array([columns[-1], rows[-1]], np.float64) + window[:2] + 1
    return low, high
