# Copyright 2026 mixformer2_ros contributors
# SPDX-License-Identifier: Apache-2.0
"""Procedural objects with distinct silhouettes: each painter draws one kind of thing."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from mixformer2_ros.scenes.canvas import CIRCLE, Canvas
from mixformer2_ros.scenes.colours import Colour, colour
from mixformer2_ros.scenes.outlines import Points

_RED = np.array([170, 20, 20], np.uint8)

Painter = Callable[[np.random.Generator, Canvas], None]


def _outline(rng: np.random.Generator, rough: float, harmonics: int = 5) -> Points:
    """A closed smooth random outline of mean radius one: (64, 2)."""
    angle = np.arange(64) * (2 * np.pi / 64)
    radius = np.ones(64)
    for k in range(2, 2 + harmonics):
        radius += rng.normal(0, rough / k) * np.cos(k * angle + rng.uniform(0, 2 * np.pi))
    radius = np.clip(radius, 0.3, 1.7)
    return np.stack([radius * np.cos(angle), radius * np.sin(angle)], axis=1)


def _blob(rng: np.random.Generator, canvas: Canvas) -> None:
    canvas.fill(_outline(rng, rng.uniform(0.1, 0.9)), colour(rng))
    for _ in range(int(rng.integers(0, 7))):
        patch = _outline(rng, 0.4) * rng.uniform(0.1, 0.5) + rng.uniform(-0.7, 0.7, 2)
        canvas.fill(patch, colour(rng), cut=True)


def _polygon(rng: np.random.Generator, canvas: Canvas) -> None:
    corners = int(rng.integers(3, 10))
    angle = (np.arange(corners) + rng.uniform(-0.35, 0.35, corners)) * (2 * np.pi / corners)
    radius = rng.uniform(0.45, 1.15, corners)
    canvas.fill(np.stack([radius * np.cos(angle), radius * np.sin(angle)], axis=1), colour(rng))
    for _ in range(int(rng.integers(0, 5))):
        x, y = rng.uniform(-0.6, 0.6, 2)
        w, h = rng.uniform(0.05, 0.5, 2)
        canvas.box(x, y, w, h, colour(rng), cut=True)


def _ball(rng: np.random.Generator, canvas: Canvas) -> None:
    canvas.round(0, 0, 1, rng.uniform(0.6, 1), colour(rng))
    second = colour(rng)
    if rng.random() < 0.5:
        for k in range(int(rng.integers(1, 4))):
            canvas.box(0, -0.6 + 0.6 * k, 1.0, rng.uniform(0.05, 0.22), second, cut=True)
    else:
        for _ in range(int(rng.integers(3, 9))):
            x, y = rng.uniform(-0.8, 0.8, 2)
            w, h = rng.uniform(0.1, 0.3, 2)
            canvas.round(x, y, w, h, second, cut=True)


def _package(rng: np.random.Generator, canvas: Canvas) -> None:
    body, aspect = colour(rng), rng.uniform(0.4, 1.0)
    canvas.round(0, 0, 1, aspect, body, corner=rng.uniform(0.12, 0.6))
    canvas.round(0, rng.uniform(-0.2, 0.2), 0.8, aspect * 0.5, colour(rng), cut=True, corner=0.3)
    ink = colour(rng)
    for row in range(int(rng.integers(0, 5))):
        left = -0.7
        while left < 0.6:
            wide = rng.uniform(0.03, 0.12)
            canvas.box(left + wide, (-0.5 + 0.25 * row) * aspect, wide, 0.07, ink, cut=True)
            left += 2 * wide + 0.05


def car_above(rng: np.random.Generator, canvas: Canvas, tint: Colour | None = None) -> None:
    """A car, van or lorry seen from above, nose to the right."""
    body = colour(rng, "any" if rng.random() < 0.6 else "concrete") if tint is None else tint
    wide = rng.uniform(0.38, 0.5)
    glass, dark = colour(rng, "night"), colour(rng, "night")
    for x in (-0.62, 0.62):
        canvas.round(x, 0, 0.16, wide * 1.06, dark, 0.5, corner=0.3)
    canvas.round(0, 0, 1, wide, body, corner=rng.uniform(0.28, 0.5))
    if rng.random() < 0.25:
        canvas.round(-0.28, 0, 0.7, wide * 0.96, colour(rng), corner=0.15)
        canvas.box(0.62, 0, 0.08, wide * 0.75, glass, cut=True)
    else:
        canvas.round(0.3, 0, 0.14, wide * 0.82, glass, cut=True, corner=0.5)
        canvas.round(-0.66, 0, 0.1, wide * 0.75, glass, cut=True, corner=0.5)
        canvas.round(-0.17, 0, 0.4, wide * 0.78, body, 1.2, cut=True, corner=0.4)
        canvas.limb((0.3, -wide * 0.95), (0.22, -wide * 1.16), 0.05, body, 0.8)
        canvas.limb((0.3, wide * 0.95), (0.22, wide * 1.16), 0.05, body, 0.8)
    for side in (-1, 1):
        canvas.round(0.93, side * wide * 0.6, 0.05, 0.09, colour(rng, "snow"), cut=True)
        canvas.round(-0.95, side * wide * 0.65, 0.03, 0.09, _RED, cut=True)
    if rng.random() < 0.4:
        canvas.box(0, 0, 1, wide * 0.12, colour(rng), cut=True)


def _car_side(rng: np.random.Generator, canvas: Canvas) -> None:
    body, glass = colour(rng), colour(rng, "sky" if rng.random() < 0.5 else "night")
    roof = rng.uniform(-0.62, -0.4)
    front, back = rng.uniform(0.3, 0.6), rng.uniform(-0.95, -0.6)
    cabin = np.array([[back, -0.1], [back + 0.2, roof], [front - 0.25, roof], [front + 0.1, -0.1]])
    canvas.fill(cabin, body, 0.9)
    canvas.fill(cabin * (0.85, 0.8) + (0.0, -0.03), glass, cut=True)
    canvas.round(0, 0.08, 1, 0.24, body, corner=0.4)
    canvas.box(0, 0.2, 0.95, 0.06, body, 0.6, cut=True)
    canvas.box((front + back) / 2, -0.28, 0.03, 0.22, body, 0.8, cut=True)
    for x in (-0.58, 0.58):
        canvas.round(x, 0.3, 0.2, 0.2, colour(rng, "night"), 0.5)
        canvas.round(x, 0.3, 0.1, 0.1, colour(rng, "grey"), 1.3)


def _person(rng: np.random.Generator, canvas: Canvas) -> None:
    shirt, trousers = colour(rng), colour(rng)
    skin = np.array([rng.integers(90, 240), 0, 0], np.uint8)
    skin[1:] = int(skin[0]) * 0.75, int(skin[0]) * 0.6
    stride = rng.uniform(0.0, 0.35)
    for sign in (-1, 1):
        knee = (sign * stride * 0.6, 0.5)
        foot = (sign * stride - 0.05, 0.95)
        canvas.limb((sign * 0.09, 0.1), knee, 0.1, trousers, 0.8 + 0.15 * sign)
        canvas.limb(knee, foot, 0.085, trousers, 0.8 + 0.15 * sign)
        canvas.round(foot[0] + 0.05, 0.98, 0.13, 0.06, colour(rng, "night"))
    swing = rng.uniform(-0.45, 0.45)
    canvas.limb((-0.2, -0.42), (-0.3 - swing * 0.5, 0.02), 0.075, shirt, 0.75)
    canvas.limb((0.2, -0.42), (0.3 - swing * 0.5, 0.02), 0.075, shirt, 0.75)
    canvas.round(0, -0.2, rng.uniform(0.22, 0.32), 0.38, shirt, corner=0.6)
    if rng.random() < 0.4:
        canvas.round(rng.choice([-0.25, 0.25]), -0.25, 0.14, 0.22, colour(rng), corner=0.5)
    if rng.random() < 0.5:
        canvas.box(0, rng.uniform(-0.3, 0.0), 0.24, 0.06, colour(rng), cut=True)
    canvas.round(0, -0.74, 0.14, 0.17, skin)
    canvas.round(0, -0.83, 0.15, 0.1, colour(rng))


def _person_above(rng: np.random.Generator, canvas: Canvas) -> None:
    shirt = colour(rng)
    for sign in (-1, 1):
        canvas.limb((0.0, sign * 0.7), (rng.uniform(-0.6, 0.7), sign * 0.72), 0.2, shirt, 0.8)
    canvas.limb((-0.1, -0.2), (rng.uniform(-0.9, -0.4), -0.2), 0.22, colour(rng))
    canvas.round(0, 0, 0.42, 0.85, shirt, corner=0.7)
    canvas.round(0.08, 0, 0.36, 0.34, colour(rng))


def drone(rng: np.random.Generator, canvas: Canvas) -> None:
    """A multicopter: body, arms, rotor discs."""
    arms = int(rng.choice([4, 4, 6]))
    frame, rotor = colour(rng, "grey" if rng.random() < 0.6 else "any"), colour(rng)
    flat = rng.uniform(0.35, 1.0)
    for k in range(arms):
        angle = (k + 0.5) * 2 * np.pi / arms
        tip = (0.72 * np.cos(angle), 0.72 * np.sin(angle) * flat)
        canvas.limb((0, 0), tip, 0.06, frame, 0.6)
        canvas.round(*tip, 0.28, 0.28 * max(flat, 0.3), rotor, 0.7)
        canvas.round(*tip, 0.21, 0.21 * max(flat, 0.3), rotor, 1.1, cut=True)
        canvas.round(*tip, 0.07, 0.07, frame, 0.5, cut=True)
    canvas.round(0, 0, 0.34, 0.26 * max(flat, 0.6), frame, corner=0.5)
    canvas.round(0.12, 0, 0.14, 0.12, colour(rng), cut=True)


def _animal(rng: np.random.Generator, canvas: Canvas) -> None:
    fur = colour(rng, "earth" if rng.random() < 0.6 else "grey")
    for x in (-0.5, -0.35, 0.35, 0.5):
        lean = rng.uniform(-0.15, 0.15)
        canvas.limb((x, 0.1), (x + lean, 0.72), 0.07, fur, rng.uniform(0.55, 0.9))
    canvas.limb((-0.6, -0.1), (-0.95, rng.uniform(-0.6, 0.3)), 0.05, fur, 0.8)
    canvas.round(0, 0, 0.65, rng.uniform(0.25, 0.36), fur)
    neck = (rng.uniform(0.65, 0.85), rng.uniform(-0.6, -0.1))
    canvas.limb((0.5, -0.1), neck, 0.14, fur)
    canvas.round(neck[0] + 0.08, neck[1], 0.2, 0.13, fur, 1.1)
    canvas.limb((neck[0] - 0.05, neck[1] - 0.1), (neck[0] - 0.1, neck[1] - 0.25), 0.04, fur, 0.7)
    for _ in range(int(rng.integers(0, 6))):
        x, y = rng.uniform(-0.5, 0.5), rng.uniform(-0.25, 0.2)
        w, h = rng.uniform(0.05, 0.18, 2)
        canvas.round(x, y, w, h, colour(rng, "snow"), cut=True)


def _wings(rng: np.random.Generator, canvas: Canvas) -> None:
    body = colour(rng, "concrete" if rng.random() < 0.5 else "any")
    span, sweep = rng.uniform(0.6, 1.0), rng.uniform(-0.1, 0.5)
    for sign in (-1, 1):
        wing = np.array([[0.25, 0], [0.2 - sweep, sign * span], [-sweep, sign * span], [-0.15, 0]])
        canvas.fill(wing, body, 0.75 + 0.12 * sign)
        tail = np.array([[-0.7, 0], [-0.85, sign * 0.33], [-1.0, sign * 0.33], [-0.92, 0]])
        canvas.fill(tail, body, 0.8)
    canvas.round(0, 0, 1, rng.uniform(0.09, 0.18), body)
    canvas.round(0.62, 0, 0.16, 0.07, colour(rng, "night"), cut=True)
    for _ in range(int(rng.integers(0, 3))):
        x = rng.uniform(-0.8, 0.5)
        canvas.box(x, 0, rng.uniform(0.03, 0.1), 0.6, colour(rng), cut=True)


def _boat(rng: np.random.Generator, canvas: Canvas) -> None:
    hull = np.array([[-1, -0.32], [0.4, -0.36], [1, 0], [0.4, 0.36], [-1, 0.32]])
    canvas.fill(hull, colour(rng))
    canvas.fill(hull * (0.85, 0.7), colour(rng), cut=True)
    canvas.round(rng.uniform(-0.4, 0.1), 0, 0.3, 0.2, colour(rng, "snow"), corner=0.4)
    canvas.round(rng.uniform(-0.8, -0.6), 0, 0.1, 0.18, colour(rng), corner=0.4)


def _cyclist(rng: np.random.Generator, canvas: Canvas) -> None:
    tyre, frame, shirt = colour(rng, "night"), colour(rng), colour(rng)
    for x in (-0.55, 0.55):
        rim = [(x + 0.36 * float(c), 0.55 + 0.36 * float(s)) for c, s in CIRCLE[::2]]
        for start, end in zip(rim, [*rim[1:], rim[0]], strict=True):
            canvas.limb(start, end, 0.05, tyre)
        canvas.limb((x, 0.55), (x + 0.3, 0.4), 0.02, tyre)
    for start, end in (((-0.55, 0.55), (0, 0.5)), ((0, 0.5), (0.4, 0)), ((0.55, 0.55), (0.4, 0))):
        canvas.limb(start, end, 0.05, frame)
    canvas.limb((0.0, 0.6), (0.05, 0.15), 0.09, colour(rng))
    canvas.limb((0.05, 0.15), (-0.2, -0.1), 0.11, colour(rng))
    canvas.limb((-0.2, -0.1), (0.12, -0.5), 0.17, shirt)
    canvas.limb((0.12, -0.5), (0.4, -0.1), 0.07, shirt, 0.75)
    canvas.round(0.2, -0.8, 0.15, 0.17, colour(rng))


def _composite(rng: np.random.Generator, canvas: Canvas) -> None:
    x, y = 0.0, 0.0
    for _ in range(int(rng.integers(2, 6))):
        tint, (w, h) = colour(rng), rng.uniform(0.18, 0.55, 2)
        kind = rng.integers(3)
        if kind == 0:
            canvas.round(x, y, w, h, tint, corner=rng.uniform(0.2, 1.2))
        elif kind == 1:
            canvas.fill(_outline(rng, 0.5) * np.array([w, h]) + np.array([x, y]), tint)
        else:
            reach = rng.uniform(-0.8, 0.8, 2)
            canvas.limb((x, y), (x + reach[0], y + reach[1]), w * 0.4, tint)
        canvas.round(x, y, w * rng.uniform(0.2, 0.6), h * 0.4, colour(rng), cut=True)
        x, y = np.clip(np.array([x, y]) + rng.uniform(-0.55, 0.55, 2), -0.6, 0.6)


PAINTERS: dict[str, Painter] = {
    "blob": _blob,
    "polygon": _polygon,
    "ball": _ball,
    "package": _package,
    "car_above": car_above,
    "car_side": _car_side,
    "person": _person,
    "person_above": _person_above,
    "drone": drone,
    "animal": _animal,
    "wings": _wings,
    "boat": _boat,
    "cyclist": _cyclist,
    "composite": _composite,
}
