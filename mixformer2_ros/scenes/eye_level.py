# Copyright 2026 mixformer2_ros contributors
# SPDX-License-Identifier: Apache-2.0
"""What is seen from near the ground: landscapes, streets, rooms, empty sky."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

from mixformer2_ros.scenes.colours import choice, colour, ink, palette
from mixformer2_ros.scenes.fields import Image, colourise, modulate, noise, plane
from mixformer2_ros.scenes.outlines import fill
from mixformer2_ros.scenes.surfaces import dead_leaves


def landscape(rng: np.random.Generator, height: int, width: int) -> Image:
    """Sky, hills and ground seen from near the ground, with posts, bushes and houses."""
    horizon = int(height * rng.uniform(0.15, 0.7))
    image = np.empty((height, width, 3), np.uint8)
    image[: horizon + 1] = _sky(rng, horizon + 1, width)
    families = ("grass", "earth", "sand", "snow", "concrete", "water", "grey")
    rows = height - horizon
    field = noise(rng, rows, width, max(4.0, rows * rng.uniform(0.1, 0.5)), 0.65, 3.0)
    image[horizon:] = colourise(field, palette(rng, *(choice(rng, *families) for _ in range(2))))
    for depth in range(int(rng.integers(0, 4))):
        tint = colour(rng, choice(rng, "forest", "earth", "grey", "water"))
        line = _ridge(rng, width, horizon - height * 0.1 * (2 - depth), height * 0.035)
        outline = np.stack([np.arange(width), line], axis=1)
        base = np.array([[width, horizon], [0, horizon]], np.float64)
        fill(image, np.concatenate([outline, base]), ink(tint, 1.1 - 0.15 * depth))
    if rng.random() < 0.5:
        _skyline(rng, image, horizon)
    for _ in range(int(rng.integers(0, 40))):
        depth_ratio = rng.random() ** 2
        foot = horizon + depth_ratio * rows
        tall = height * (0.02 + 0.25 * depth_ratio) * rng.uniform(0.4, 1.5)
        x = rng.uniform(0, width)
        if rng.random() < 0.3:
            post = ink(colour(rng, choice(rng, "grey", "earth", "any")))
            thick = max(1, round(tall * 0.06))
            cv2.line(image, (round(x), round(foot)), (round(x), round(foot - tall)), post, thick)
        else:
            bush = colour(rng, choice(rng, "forest", "grass", "earth"))
            for _ in range(5):
                centre = (round(x + rng.normal(0, tall * 0.2)), round(foot - tall * rng.random()))
                radius = max(1, round(tall * rng.uniform(0.15, 0.35)))
                cv2.circle(image, centre, radius, ink(bush, rng.uniform(0.6, 1.3)), -1, cv2.LINE_AA)
    return image


def city(rng: np.random.Generator, height: int, width: int) -> Image:
    """A street: facades side by side, sky above, pavement and road below."""
    image = _sky(rng, height, width)
    foot = int(height * rng.uniform(0.55, 0.95))
    left = 0
    while left < width:
        wide = int(width * rng.uniform(0.12, 0.6)) + 8
        top = int(height * max(0.0, rng.uniform(-0.4, 0.35)))
        if min(width, left + wide) - left > 3:
            _facade(rng, image[top:foot, left : left + wide])
        left += wide
    tone = noise(rng, height - foot, width, max(3.0, height * 0.05), 0.7, 2.0)
    image[foot:] = colourise(tone, palette(rng, "grey", "concrete", stops=2))
    kerb = ink(colour(rng, "concrete"), 1.1)
    cv2.line(image, (0, foot), (width, foot), kerb, max(1, height // 80))
    if rng.random() < 0.6:
        dead_leaves(rng, image, int(rng.integers(5, 30)), 0.06, top=foot / height - 0.08)
    return image


def indoor(rng: np.random.Generator, height: int, width: int) -> Image:
    """A wall and a floor with furniture, shelves and pictures."""
    floor = int(height * rng.uniform(0.5, 0.9))
    image = np.empty((height, width, 3), np.uint8)
    image[:] = colour(rng, choice(rng, "concrete", "sand", "snow", "grey", "any"))
    if rng.random() < 0.5:
        stripes = np.sin(plane(height, width, 0.0) * np.float32(rng.uniform(0.1, 0.6)))
        image = modulate(image, stripes * 0.5 + 0.5, 0.9, 1.05)
    boards = noise(rng, height - floor, width, max(3.0, height * 0.08), 0.6, 6.0)
    image[floor:] = colourise(boards, palette(rng, choice(rng, "earth", "grey", "sand"), stops=3))
    for _ in range(int(rng.integers(2, 9))):
        wide = int(width * rng.uniform(0.08, 0.35)) + 4
        tall = int(height * rng.uniform(0.1, 0.6)) + 4
        x = int(rng.integers(-wide // 2, width - wide // 2))
        y = floor + int(height * rng.uniform(0, 0.15)) - tall
        if rng.random() < 0.4:
            y = int(rng.integers(0, max(1, floor - tall // 2)))
        body = colour(rng, choice(rng, "earth", "concrete", "grey", "any", "night"))
        cv2.rectangle(image, (x, y), (x + wide, y + tall), ink(body, 0.6), -1)
        cv2.rectangle(image, (x + 2, y + 2), (x + wide - 2, y + tall - 2), ink(body), -1)
        rows = int(rng.integers(0, 5))
        for row in range(rows):
            base = y + (row + 1) * tall // rows - 2
            at = x + 3
            while at < x + wide - 4:
                thick = max(2, int(wide * rng.uniform(0.03, 0.12)))
                end = min(at + thick, x + wide - 4)
                peak = base - max(2, int(tall / rows * rng.uniform(0.4, 0.85)))
                cv2.rectangle(image, (at, peak), (end, base), ink(colour(rng)), -1)
                at += thick + 1
    grain = noise(rng, height, width, max(height, width) * 0.4, 0.6)
    return modulate(image, grain, 0.75, 1.15)


def plain(rng: np.random.Generator, height: int, width: int) -> Image:
    """Sky, haze, snow or sand: almost empty, as a drone often sees it."""
    if rng.random() < 0.6:
        return _sky(rng, height, width)
    field = noise(rng, height, width, max(height, width) * rng.uniform(0.2, 0.8), 0.45)
    return colourise(field, palette(rng, choice(rng, "snow", "sand", "water", "grass"), stops=2))


def _sky(rng: np.random.Generator, height: int, width: int) -> Image:
    family = choice(rng, "sky", "sky", "sky", "dusk", "grey", "night")
    top, bottom = colour(rng, family), colour(rng, choice(rng, family, "snow"))
    ramp = np.linspace(0, 1, height, dtype=np.float32)[:, None, None]
    rows = top.astype(np.float32) * (1 - ramp) + bottom.astype(np.float32) * ramp
    image = np.ascontiguousarray(np.broadcast_to(rows, (height, width, 3)).astype(np.uint8))
    if rng.random() < 0.7:
        clouds = noise(rng, height, width, width * rng.uniform(0.1, 0.4), 0.5, 2.0)
        cover = np.clip((clouds - rng.uniform(0.3, 0.6)) * 3.0, 0, 1) * np.float32(0.85)
        white = np.float32(colour(rng, "snow"))
        image = (image + (white - image) * cover[..., None]).astype(np.uint8)
    return image


def _ridge(rng: np.random.Generator, width: int, level: float, rough: float) -> NDArray[np.float64]:
    knots = int(rng.integers(4, 9))
    peaks = rng.normal(size=knots + 1)
    coarse = np.interp(np.linspace(0, knots, width), np.arange(knots + 1), peaks)
    fine = np.interp(np.linspace(0, 60, width), np.arange(61), rng.normal(size=61))
    return np.asarray(level + rough * (coarse + 0.15 * fine))


def _skyline(rng: np.random.Generator, image: Image, foot: int) -> None:
    height, width = image.shape[:2]
    left = int(rng.integers(-width // 8, width // 3))
    for _ in range(int(rng.integers(2, 9))):
        wide = int(width * rng.uniform(0.04, 0.22)) + 4
        tall = int(height * rng.uniform(0.05, 0.4)) + 4
        top, x1, x2 = max(0, foot - tall), max(0, left), min(width, left + wide)
        if x2 - x1 > 3 and foot - top > 3:
            _facade(rng, image[top:foot, x1:x2])
        left += wide + int(rng.integers(0, 1 + width // 12))


def _facade(rng: np.random.Generator, image: Image) -> None:
    """Fill an image (a view is fine) with a wall and its grid of windows."""
    height, width = image.shape[:2]
    wall = colour(rng, choice(rng, "brick", "concrete", "concrete", "grey", "sand", "any"))
    image[:] = wall
    cell_x = max(6, int(rng.uniform(0.08, 0.35) * min(width, 3 * height)))
    cell_y = max(6, int(cell_x * rng.uniform(0.7, 1.7)))
    inner = rng.uniform(0.35, 0.8, 2)
    glass = colour(rng, choice(rng, "night", "water", "grey", "sky"))
    frame = ink(wall, rng.uniform(0.5, 1.5))
    for top in range(int(rng.integers(0, cell_y)), height, cell_y):
        for left in range(int(rng.integers(0, 2)), width, cell_x):
            right, bottom = left + int(cell_x * inner[0]), top + int(cell_y * inner[1])
            shade = ink(glass, rng.uniform(0.6, 1.6))
            cv2.rectangle(image, (left, top), (right, bottom), frame, -1)
            cv2.rectangle(image, (left + 1, top + 1), (right - 1, bottom - 1), shade, -1)
            if cell_x > 24:
                middle = (left + right) // 2
                cv2.line(image, (middle, top), (middle, bottom), frame, max(1, cell_x // 24))
