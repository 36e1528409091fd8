# Copyright 2026 mixformer2_ros contributors
# SPDX-License-Identifier: Apache-2.0
"""Procedural backgrounds: varied, natural-looking RGB images from a random generator.

Every picture is painted by one of `PAINTERS` (aerial views, landscapes, facades, foliage, ...)
and then lit: uneven light, colour cast, defocus, grain. The same generator state gives the same
picture.
"""

from __future__ import annotations

from collections.abc import Callable

import cv2
import numpy as np
from numpy.typing import NDArray

Image = NDArray[np.uint8]
Field = NDArray[np.float32]
Painter = Callable[[np.random.Generator, int, int], Image]

# Hue in OpenCV degrees (0..179), saturation, value: (low, high) of each.
_FAMILIES: dict[str, tuple[tuple[int, int], tuple[int, int], tuple[int, int]]] = {
    "grass": ((32, 55), (60, 170), (50, 170)),
    "forest": ((35, 75), (60, 180), (20, 110)),
    "earth": ((6, 20), (50, 150), (40, 160)),
    "sand": ((12, 24), (40, 120), (130, 230)),
    "grey": ((0, 179), (0, 30), (40, 210)),
    "concrete": ((10, 110), (3, 40), (90, 220)),
    "snow": ((95, 120), (0, 40), (170, 250)),
    "water": ((85, 115), (50, 190), (40, 170)),
    "brick": ((0, 14), (70, 180), (60, 190)),
    "sky": ((95, 118), (20, 150), (140, 250)),
    "dusk": ((120, 179), (20, 140), (60, 220)),
    "night": ((95, 130), (30, 140), (8, 70)),
    "any": ((0, 179), (0, 255), (10, 250)),
}


def colour(rng: np.random.Generator, family: str = "any") -> NDArray[np.uint8]:
    """Draw one RGB colour of a family such as ``grass``, ``brick`` or ``any``.

    Args:
        rng: source of randomness.
        family: one of the colour families of this module.

    Returns:
        uint8 array (3,), RGB.
    """
    ranges = _FAMILIES[family]
    hsv = np.array([[[rng.integers(low, high + 1) for low, high in ranges]]], np.uint8)
    return np.asarray(cv2.cvtColor(hsv, cv2.COLOR_HSV2RGB)[0, 0], np.uint8)


def _tuple(values: NDArray[np.uint8]) -> tuple[int, int, int]:
    return int(values[0]), int(values[1]), int(values[2])


def _scaled(values: NDArray[np.uint8], factor: float) -> tuple[int, int, int]:
    scaled = np.clip(values.astype(np.float32) * factor, 0, 255)
    return int(scaled[0]), int(scaled[1]), int(scaled[2])


def _choice(rng: np.random.Generator, *names: str) -> str:
    return names[int(rng.integers(len(names)))]


def noise(
    rng: np.random.Generator,
    height: int,
    width: int,
    cell: float,
    persistence: float = 0.55,
    stretch: float = 1.0,
) -> Field:
    """Multi-octave value noise.

    Args:
        rng: source of randomness.
        height: rows of the field.
        width: columns of the field.
        cell: size of the coarsest features, pixels.
        persistence: amplitude of an octave relative to the next coarser one.
        stretch: how many times longer features are along x than along y.

    Returns:
        float32 (height, width), scaled to fill [0, 1].
    """
    rows = max(2, round(height / cell) + 2)
    columns = max(2, round(width / (cell * stretch)) + 2)
    field = rng.random((rows, columns), np.float32)
    amplitude = 1.0
    while min(height / field.shape[0], width / field.shape[1]) > 3.0:
        amplitude *= persistence
        field = cv2.resize(
            field, (field.shape[1] * 2, field.shape[0] * 2), interpolation=cv2.INTER_CUBIC
        )
        field += amplitude * rng.random(field.shape, np.float32)
    field = cv2.resize(field, (width, height), interpolation=cv2.INTER_CUBIC)
    low, high, _, _ = cv2.minMaxLoc(field)
    return np.asarray((field - low) * (1.0 / max(high - low, 1e-6)), np.float32)


def palette(rng: np.random.Generator, *families: str, stops: int = 4) -> NDArray[np.uint8]:
    """A smooth colour table through random colours of the given families.

    Args:
        rng: source of randomness.
        families: colour families to draw from.
        stops: number of colours the table passes through.

    Returns:
        uint8 (256, 3), RGB.
    """
    colours = np.stack([colour(rng, _choice(rng, *families)) for _ in range(stops)])
    positions = np.linspace(0, 255, stops)
    steps = np.arange(256)
    channels = [np.interp(steps, positions, colours[:, c]) for c in range(3)]
    return np.stack(channels, axis=1).astype(np.uint8)


def colourise(field: Field, table: NDArray[np.uint8]) -> Image:
    """Look the values of a field in [0, 1] up in a colour table (256, 3).

    Args:
        field: float32 (height, width).
        table: uint8 (256, 3), RGB.

    Returns:
        uint8 (height, width, 3), RGB.
    """
    grey = cv2.convertScaleAbs(field, alpha=255.0)
    return np.asarray(cv2.LUT(cv2.merge([grey, grey, grey]), table[None]), np.uint8)


def _oriented(points: NDArray[np.float64], angle: float) -> NDArray[np.float64]:
    cosine, sine = np.cos(angle), np.sin(angle)
    return np.asarray(points @ np.array([[cosine, sine], [-sine, cosine]]))


def _fill(image: Image, points: NDArray[np.float64], rgb: tuple[int, int, int]) -> None:
    # 4 fractional bits: edges are placed to 1/16 pixel.
    cv2.fillPoly(image, [np.round(points * 16).astype(np.int32)], rgb, cv2.LINE_AA, 4)


def _plane(height: int, width: int, angle: float) -> Field:
    x = np.arange(width, dtype=np.float32)[None] * np.float32(np.cos(angle))
    y = np.arange(height, dtype=np.float32)[:, None] * np.float32(np.sin(angle))
    return np.asarray(x + y, np.float32)


def _modulate(image: Image, field: Field, low: float, high: float) -> Image:
    """Multiply an image by a field of [0, 1] mapped to [low, high]."""
    factor = field * np.float32(high - low) + np.float32(low)
    return np.asarray(
        cv2.multiply(image, cv2.merge([factor, factor, factor]), dtype=cv2.CV_8U), np.uint8
    )


def winding(
    rng: np.random.Generator, height: int, width: int, bends: int = 4
) -> NDArray[np.float64]:
    """Draw a smooth line that crosses an image.

    Args:
        rng: source of randomness.
        height: rows of the image.
        width: columns of the image.
        bends: number of random knots the line passes near.

    Returns:
        float64 (40, 2): points x, y in pixels, from beyond one side to beyond the other.
    """
    along = np.linspace(-0.1, 1.1, 40)
    knots = np.linspace(-0.1, 1.1, bends)
    offset = rng.uniform(0.15, 0.85) + rng.normal(0, 0.12, bends)
    across = np.interp(along, knots, offset)
    kernel = np.hanning(11) / np.hanning(11).sum()
    across = np.convolve(np.pad(across, 5, mode="edge"), kernel, mode="valid")
    if rng.random() < 0.5:
        return np.stack([along * width, across * height], axis=1)
    return np.stack([across * width, along * height], axis=1)


def road(
    rng: np.random.Generator,
    image: Image,
    line: NDArray[np.float64],
    wide: int,
    marked: bool | None = None,
) -> None:
    """Paint a road with verges in place.

    Args:
        rng: source of randomness.
        image: uint8 (height, width, 3), RGB, changed in place.
        line: (N, 2) points x, y of the middle, pixels.
        wide: width of the carriageway, pixels.
        marked: whether it has a dashed middle line; None lets chance decide.
    """
    fixed = np.round(line * 16).astype(np.int32)
    grey = colour(rng, "grey")
    verge = _scaled(colour(rng, _choice(rng, "earth", "grass", "concrete")), 0.9)
    cv2.polylines(image, [fixed], False, verge, round(wide * 1.2), cv2.LINE_AA, 4)
    cv2.polylines(image, [fixed], False, _scaled(grey, 0.6), wide, cv2.LINE_AA, 4)
    if marked if marked is not None else rng.random() < 0.7:
        light = _scaled(colour(rng, "snow"), 0.9)
        steps = np.concatenate([[0.0], np.cumsum(np.hypot(*np.diff(line, axis=0).T))])
        places = np.arange(0.0, steps[-1], max(2.0, wide * 0.1))
        dense = np.stack([np.interp(places, steps, line[:, c]) for c in (0, 1)], axis=1)
        points = np.round(dense * 16).astype(np.int32)
        dashes = [points[k : k + 4] for k in range(0, len(points) - 3, 8)]
        cv2.polylines(image, dashes, False, light, max(1, wide // 24), cv2.LINE_AA, 4)


def crown(
    image: Image, x: float, y: float, radius: float, tint: NDArray[np.uint8], sun: float
) -> None:
    """Paint one round tree crown seen from above, lit from one side, in place.

    Args:
        image: uint8 (height, width, 3), RGB, changed in place.
        x: of the middle, pixels.
        y: of the middle, pixels.
        radius: pixels.
        tint: uint8 (3,), RGB.
        sun: direction away from the sun, rad.
    """
    for scale, bright in ((1.0, 0.75), (0.7, 1.0), (0.4, 1.25)):
        shift = (1.0 - scale) * radius * 0.5
        place = (round(x - shift * np.cos(sun)), round(y - shift * np.sin(sun)))
        size = max(1, round(radius * scale))
        cv2.circle(image, place, size, _scaled(tint, bright), -1, cv2.LINE_AA)


def _allowed(free: NDArray[np.uint8] | None, x: float, y: float) -> bool:
    if free is None:
        return True
    row, column = min(max(int(y), 0), free.shape[0] - 1), min(max(int(x), 0), free.shape[1] - 1)
    return bool(free[row, column])


def trees(
    rng: np.random.Generator,
    image: Image,
    count: int,
    size: float,
    free: NDArray[np.uint8] | None = None,
    family: str = "",
) -> None:
    """Paint clusters of round crowns seen from above, each with its shadow, in place.

    Args:
        rng: source of randomness.
        image: uint8 (height, width, 3), RGB, changed in place.
        count: number of trees.
        size: typical crown radius, pixels.
        free: uint8 (height, width), nonzero where a tree may stand; None for everywhere.
        family: colours of the crowns; empty for any natural one.
    """
    height, width = image.shape[:2]
    family = family or _choice(rng, "forest", "forest", "grass", "earth")
    sun = rng.uniform(0, 2 * np.pi)
    clusters = rng.random((max(1, count // 12), 2)) * (width, height)
    spread = rng.uniform(0.03, 0.2) * width
    for _ in range(count):
        radius = size * rng.lognormal(0.0, 0.35)
        centre = clusters[rng.integers(len(clusters))] + rng.normal(0, spread, 2)
        x, y = float(centre[0]), float(centre[1])
        tint = colour(rng, family)
        if not _allowed(free, x, y):
            continue
        shadow = (round(x + radius * 0.6 * np.cos(sun)), round(y + radius * 0.6 * np.sin(sun)))
        cv2.circle(image, shadow, max(1, round(radius)), _scaled(tint, 0.35), -1, cv2.LINE_AA)
        crown(image, x, y, radius, tint, sun)


def houses(
    rng: np.random.Generator,
    image: Image,
    count: int,
    size: float,
    free: NDArray[np.uint8] | None = None,
) -> None:
    """Paint roofs seen from above, two slopes and a shadow each, in place.

    Args:
        rng: source of randomness.
        image: uint8 (height, width, 3), RGB, changed in place.
        count: number of houses.
        size: typical half side, pixels.
        free: uint8 (height, width), nonzero where a house may stand; None for everywhere.
    """
    height, width = image.shape[:2]
    angle = rng.uniform(0, np.pi)
    for _ in range(count):
        centre = rng.random(2) * (width, height)
        half = size * rng.uniform(0.5, 1.3, 2)
        turn = angle + rng.normal(0, 0.08)
        corners = np.array([[-1, -1], [1, -1], [1, 1], [-1, 1]]) * half
        slope = corners * np.array([1, 0.5]) + np.array([0, half[1] / 2])
        roof = colour(rng, _choice(rng, "brick", "grey", "concrete", "earth"))
        if not _allowed(free, float(centre[0]), float(centre[1])):
            continue
        _fill(image, _oriented(corners, turn) + centre + size * 0.25, _scaled(roof, 0.3))
        _fill(image, _oriented(corners, turn) + centre, _scaled(roof, 0.8))
        _fill(image, _oriented(slope, turn) + centre, _tuple(roof))


def _fields(rng: np.random.Generator, height: int, width: int) -> Image:
    """Farmland: a Voronoi patchwork of tinted fields with furrows."""
    count = int(rng.integers(6, 28))
    seeds = np.full((height // 2 + 1, width // 2 + 1), 255, np.uint8)
    seeds[rng.integers(0, seeds.shape[0], count), rng.integers(0, seeds.shape[1], count)] = 0
    _, labels = cv2.distanceTransformWithLabels(
        seeds, cv2.DIST_L2, 3, labelType=cv2.DIST_LABEL_PIXEL
    )
    labels = cv2.resize(
        labels.astype(np.float32), (width, height), interpolation=cv2.INTER_NEAREST
    ).astype(np.intp)
    families = ("grass", "earth", "sand", "forest", "grass")
    tints = np.stack([colour(rng, _choice(rng, *families)) for _ in range(count + 1)])
    angles = rng.uniform(0, np.pi, count + 1).astype(np.float32)
    waves = rng.uniform(0.2, 1.2, count + 1).astype(np.float32)
    x = np.arange(width, dtype=np.float32)[None]
    y = np.arange(height, dtype=np.float32)[:, None]
    phase = x * (np.cos(angles) * waves)[labels] + y * (np.sin(angles) * waves)[labels]
    return _modulate(tints[labels], 0.5 + 0.5 * np.sin(phase), 0.85, 1.1)


def aerial_ground(rng: np.random.Generator, height: int, width: int) -> Image:
    """Bare meadows or a patchwork of fields seen from a drone, without anything on them."""
    extent = max(height, width)
    ground = noise(rng, height, width, extent * rng.uniform(0.15, 0.5), rng.uniform(0.5, 0.75))
    if rng.random() < 0.5:
        return _modulate(_fields(rng, height, width), ground, 0.75, 1.15)
    families = ("grass", "forest", "earth", "sand", "concrete", "snow")
    return colourise(ground, palette(rng, *(_choice(rng, *families) for _ in range(2))))


def aerial(rng: np.random.Generator, height: int, width: int) -> Image:
    """Ground seen from a drone: meadows or fields, roads, trees, roofs."""
    extent = max(height, width)
    image = aerial_ground(rng, height, width)
    for _ in range(int(rng.integers(0, 3))):
        line = winding(rng, height, width, int(rng.integers(3, 6)))
        road(rng, image, line, round(extent * rng.uniform(0.02, 0.09)) + 1)
    if rng.random() < 0.6:
        houses(rng, image, int(rng.integers(2, 22)), extent * rng.uniform(0.015, 0.06))
    if rng.random() < 0.75:
        trees(rng, image, int(rng.integers(10, 110)), extent * rng.uniform(0.006, 0.03))
    return image


def _ridge(rng: np.random.Generator, width: int, level: float, rough: float) -> NDArray[np.float64]:
    knots = int(rng.integers(4, 9))
    peaks = rng.normal(size=knots + 1)
    coarse = np.interp(np.linspace(0, knots, width), np.arange(knots + 1), peaks)
    fine = np.interp(np.linspace(0, 60, width), np.arange(61), rng.normal(size=61))
    return np.asarray(level + rough * (coarse + 0.15 * fine))


def _sky(rng: np.random.Generator, height: int, width: int) -> Image:
    family = _choice(rng, "sky", "sky", "sky", "dusk", "grey", "night")
    top, bottom = colour(rng, family), colour(rng, _choice(rng, family, "snow"))
    ramp = np.linspace(0, 1, height, dtype=np.float32)[:, None, None]
    rows = top.astype(np.float32) * (1 - ramp) + bottom.astype(np.float32) * ramp
    image = np.ascontiguousarray(np.broadcast_to(rows, (height, width, 3)).astype(np.uint8))
    if rng.random() < 0.7:
        clouds = noise(rng, height, width, width * rng.uniform(0.1, 0.4), 0.5, 2.0)
        cover = np.clip((clouds - rng.uniform(0.3, 0.6)) * 3.0, 0, 1) * np.float32(0.85)
        white = np.float32(colour(rng, "snow"))
        image = (image + (white - image) * cover[..., None]).astype(np.uint8)
    return image


def landscape(rng: np.random.Generator, height: int, width: int) -> Image:
    """Sky, hills and ground seen from near the ground, with posts, bushes and houses."""
    horizon = int(height * rng.uniform(0.15, 0.7))
    image = np.empty((height, width, 3), np.uint8)
    image[: horizon + 1] = _sky(rng, horizon + 1, width)
    families = ("grass", "earth", "sand", "snow", "concrete", "water", "grey")
    rows = height - horizon
    field = noise(rng, rows, width, max(4.0, rows * rng.uniform(0.1, 0.5)), 0.65, 3.0)
    image[horizon:] = colourise(field, palette(rng, *(_choice(rng, *families) for _ in range(2))))
    for depth in range(int(rng.integers(0, 4))):
        tint = colour(rng, _choice(rng, "forest", "earth", "grey", "water"))
        line = _ridge(rng, width, horizon - height * 0.1 * (2 - depth), height * 0.035)
        outline = np.stack([np.arange(width), line], axis=1)
        base = np.array([[width, horizon], [0, horizon]], np.float64)
        _fill(image, np.concatenate([outline, base]), _scaled(tint, 1.1 - 0.15 * depth))
    if rng.random() < 0.5:
        _skyline(rng, image, horizon)
    for _ in range(int(rng.integers(0, 40))):
        depth_ratio = rng.random() ** 2
        foot = horizon + depth_ratio * rows
        tall = height * (0.02 + 0.25 * depth_ratio) * rng.uniform(0.4, 1.5)
        x = rng.uniform(0, width)
        if rng.random() < 0.3:
            post = _tuple(colour(rng, _choice(rng, "grey", "earth", "any")))
            thick = max(1, round(tall * 0.06))
            cv2.line(image, (round(x), round(foot)), (round(x), round(foot - tall)), post, thick)
        else:
            bush = colour(rng, _choice(rng, "forest", "grass", "earth"))
            for _ in range(5):
                centre = (round(x + rng.normal(0, tall * 0.2)), round(foot - tall * rng.random()))
                radius = max(1, round(tall * rng.uniform(0.15, 0.35)))
                cv2.circle(image, centre, radius, _scaled(bush, rng.uniform(0.6, 1.3)), -1, 16)
    return image


def _facade(rng: np.random.Generator, image: Image) -> None:
    """Fill an image (a view is fine) with a wall and its grid of windows."""
    height, width = image.shape[:2]
    wall = colour(rng, _choice(rng, "brick", "concrete", "concrete", "grey", "sand", "any"))
    image[:] = wall
    cell_x = max(6, int(rng.uniform(0.08, 0.35) * min(width, 3 * height)))
    cell_y = max(6, int(cell_x * rng.uniform(0.7, 1.7)))
    inner = rng.uniform(0.35, 0.8, 2)
    glass = colour(rng, _choice(rng, "night", "water", "grey", "sky"))
    frame = _scaled(wall, rng.uniform(0.5, 1.5))
    for top in range(int(rng.integers(0, cell_y)), height, cell_y):
        for left in range(int(rng.integers(0, 2)), width, cell_x):
            right, bottom = left + int(cell_x * inner[0]), top + int(cell_y * inner[1])
            shade = _scaled(glass, rng.uniform(0.6, 1.6))
            cv2.rectangle(image, (left, top), (right, bottom), frame, -1)
            cv2.rectangle(image, (left + 1, top + 1), (right - 1, bottom - 1), shade, -1)
            if cell_x > 24:
                middle = (left + right) // 2
                cv2.line(image, (middle, top), (middle, bottom), frame, max(1, cell_x // 24))


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
    kerb = _scaled(colour(rng, "concrete"), 1.1)
    cv2.line(image, (0, foot), (width, foot), kerb, max(1, height // 80))
    if rng.random() < 0.6:
        _dead_leaves(rng, image, int(rng.integers(5, 30)), 0.06, top=foot / height - 0.08)
    return image


def foliage(rng: np.random.Generator, height: int, width: int) -> Image:
    """Leaves or grass blades near the camera."""
    families = (("forest", "grass"), ("grass", "sand"), ("earth", "brick"), ("forest", "forest"))
    chosen = families[int(rng.integers(len(families)))]
    field = noise(rng, height, width, max(height, width) * 0.2, 0.6)
    image = _modulate(colourise(field, palette(rng, *chosen)), field, 0.2, 0.8)
    size = max(height, width) * rng.uniform(0.01, 0.05)
    slim = rng.uniform(0.12, 0.6)
    outline = np.array([[-1, 0], [-0.4, 0.8], [0.4, 0.7], [1, 0], [0.4, -0.7], [-0.4, -0.8]])
    lean, scatter = rng.uniform(0, np.pi), rng.uniform(0.2, 2.0)
    count = int(rng.integers(150, 420))
    greens = [colour(rng, _choice(rng, *chosen)) for _ in range(12)]
    for k in range(count):
        length = size * rng.lognormal(0, 0.4)
        leaf = _oriented(outline * (length, length * slim), lean + rng.normal(0, scatter))
        bright = 0.5 + 0.8 * k / count + rng.normal(0, 0.12)
        tint = _scaled(greens[int(rng.integers(12))], bright)
        _fill(image, leaf + rng.random(2) * (width, height), tint)
    return image


def _dead_leaves(
    rng: np.random.Generator, image: Image, count: int, size: float, top: float = 0.0
) -> None:
    """Overlapping shapes of a power law of sizes, the statistics of natural images."""
    height, width = image.shape[:2]
    family = _choice(rng, "any", "any", "grey", "earth", "concrete")
    for _ in range(count):
        radius = max(height, width) * size * min(4.0, rng.pareto(2.0) + 0.25)
        x, y = rng.uniform(0, width), height * rng.uniform(max(0.0, top), 1.0)
        tint = _tuple(colour(rng, family))
        if rng.random() < 0.4:
            axes = (round(radius) + 1, round(radius * rng.uniform(0.3, 1)) + 1)
            turn = float(rng.uniform(0, 180))
            cv2.ellipse(image, (round(x), round(y)), axes, turn, 0, 360, tint, -1, cv2.LINE_AA)
        else:
            corners = int(rng.integers(3, 8))
            angles = np.sort(rng.uniform(0, 2 * np.pi, corners))
            radii = radius * rng.uniform(0.5, 1.2, corners)
            shape = np.stack([radii * np.cos(angles), radii * np.sin(angles)], axis=1)
            _fill(image, shape + np.array([x, y]), tint)


def clutter(rng: np.random.Generator, height: int, width: int) -> Image:
    """A heap of shapes of many sizes and colours."""
    field = noise(rng, height, width, max(height, width) * 0.3)
    image = colourise(field, palette(rng, "any", "grey"))
    _dead_leaves(rng, image, int(rng.integers(60, 260)), rng.uniform(0.02, 0.09))
    grain = noise(rng, height, width, max(height, width) * rng.uniform(0.02, 0.1), 0.8)
    return _modulate(image, grain, 0.75, 1.2)


def pattern(rng: np.random.Generator, height: int, width: int) -> Image:
    """Stripes, checks, rings or wood grain, bent by noise."""
    extent = max(height, width)
    wave = 2 * np.pi / (extent * rng.uniform(0.02, 0.25))
    warp = noise(rng, height, width, extent * 0.3) * np.float32(extent * rng.uniform(0, 0.3))
    angle = rng.uniform(0, np.pi)
    kind = int(rng.integers(3))
    if kind == 0:
        value = np.sin((_plane(height, width, angle) + warp) * np.float32(wave))
    elif kind == 1:
        first = np.sin((_plane(height, width, angle) + warp) * np.float32(wave))
        value = first * np.sin((_plane(height, width, angle + np.pi / 2) + warp) * np.float32(wave))
    else:
        x = np.arange(width, dtype=np.float32)[None] - np.float32(rng.uniform(0, width))
        y = np.arange(height, dtype=np.float32)[:, None] - np.float32(rng.uniform(0, height))
        value = np.sin((np.hypot(x, y) + warp) * np.float32(wave))
    if rng.random() < 0.5:
        value = np.clip(value * rng.uniform(2, 8), -1, 1)
    family = _choice(rng, "any", "earth", "concrete", "brick", "water", "sand")
    table = palette(rng, family, _choice(rng, family, "grey"), stops=int(rng.integers(2, 4)))
    grain = noise(rng, height, width, extent * 0.05, 0.8)
    return _modulate(colourise((value + 1) * np.float32(0.5), table), grain, 0.8, 1.15)


def water(rng: np.random.Generator, height: int, width: int) -> Image:
    """A rippled surface with sparkles."""
    ripple = noise(rng, height, width, max(6.0, height * rng.uniform(0.03, 0.15)), 0.65, 5.0)
    second = _choice(rng, "water", "sky", "forest", "night")
    image = colourise(ripple, palette(rng, "water", second))
    sparkle = np.clip((ripple - np.float32(rng.uniform(0.72, 0.95))) * 6, 0, 1)[..., None]
    return np.asarray(image + (255 - image) * sparkle * np.float32(0.8), np.uint8)


def asphalt(rng: np.random.Generator, height: int, width: int) -> Image:
    """Road or yard near the camera: grain, patches, markings, cracks."""
    extent = max(height, width)
    field = noise(rng, height, width, extent * rng.uniform(0.1, 0.4), rng.uniform(0.6, 0.85))
    family = _choice(rng, "grey", "concrete", "earth", "sand", "brick")
    image = colourise(field, palette(rng, family, stops=2))
    for _ in range(int(rng.integers(0, 5))):
        half = extent * rng.uniform(0.03, 0.2, 2)
        corners = np.array([[-1, -1], [1, -1], [1, 1], [-1, 1]]) * half
        place = rng.random(2) * (width, height)
        _fill(image, _oriented(corners, rng.uniform(0, np.pi)) + place, _tuple(colour(rng, family)))
    for _ in range(int(rng.integers(0, 5))):
        line = np.round(winding(rng, height, width, 2) * 16).astype(np.int32)
        paint = _tuple(colour(rng, _choice(rng, "snow", "sand", "concrete")))
        cv2.polylines(image, [line], False, paint, max(1, round(extent * 0.012)), cv2.LINE_AA, 4)
    for _ in range(int(rng.integers(0, 4))):
        line = np.round(winding(rng, height, width, 12) * 16).astype(np.int32)
        cv2.polylines(image, [line], False, (30, 28, 26), 1, cv2.LINE_AA, 4)
    return image


def indoor(rng: np.random.Generator, height: int, width: int) -> Image:
    """A wall and a floor with furniture, shelves and pictures."""
    floor = int(height * rng.uniform(0.5, 0.9))
    image = np.empty((height, width, 3), np.uint8)
    image[:] = colour(rng, _choice(rng, "concrete", "sand", "snow", "grey", "any"))
    if rng.random() < 0.5:
        stripes = np.sin(_plane(height, width, 0.0) * np.float32(rng.uniform(0.1, 0.6)))
        image = _modulate(image, stripes * 0.5 + 0.5, 0.9, 1.05)
    boards = noise(rng, height - floor, width, max(3.0, height * 0.08), 0.6, 6.0)
    image[floor:] = colourise(boards, palette(rng, _choice(rng, "earth", "grey", "sand"), stops=3))
    for _ in range(int(rng.integers(2, 9))):
        wide = int(width * rng.uniform(0.08, 0.35)) + 4
        tall = int(height * rng.uniform(0.1, 0.6)) + 4
        x = int(rng.integers(-wide // 2, width - wide // 2))
        y = floor + int(height * rng.uniform(0, 0.15)) - tall
        if rng.random() < 0.4:
            y = int(rng.integers(0, max(1, floor - tall // 2)))
        body = colour(rng, _choice(rng, "earth", "concrete", "grey", "any", "night"))
        cv2.rectangle(image, (x, y), (x + wide, y + tall), _scaled(body, 0.6), -1)
        cv2.rectangle(image, (x + 2, y + 2), (x + wide - 2, y + tall - 2), _tuple(body), -1)
        rows = int(rng.integers(0, 5))
        for row in range(rows):
            base = y + (row + 1) * tall // rows - 2
            at = x + 3
            while at < x + wide - 4:
                thick = max(2, int(wide * rng.uniform(0.03, 0.12)))
                end = min(at + thick, x + wide - 4)
                peak = base - max(2, int(tall / rows * rng.uniform(0.4, 0.85)))
                cv2.rectangle(image, (at, peak), (end, base), _tuple(colour(rng)), -1)
                at += thick + 1
    grain = noise(rng, height, width, max(height, width) * 0.4, 0.6)
    return _modulate(image, grain, 0.75, 1.15)


def plain(rng: np.random.Generator, height: int, width: int) -> Image:
    """Sky, haze, snow or sand: almost empty, as a drone often sees it."""
    if rng.random() < 0.6:
        return _sky(rng, height, width)
    field = noise(rng, height, width, max(height, width) * rng.uniform(0.2, 0.8), 0.45)
    return colourise(field, palette(rng, _choice(rng, "snow", "sand", "water", "grass"), stops=2))


PAINTERS: dict[str, Painter] = {
    "aerial": aerial,
    "landscape": landscape,
    "city": city,
    "foliage": foliage,
    "clutter": clutter,
    "pattern": pattern,
    "water": water,
    "asphalt": asphalt,
    "indoor": indoor,
    "plain": plain,
}
_WEIGHTS = {"aerial": 3.0, "landscape": 2.0, "city": 2.0, "clutter": 1.5, "plain": 0.7}


def finish(rng: np.random.Generator, image: Image) -> Image:
    """Light an image like a camera would: uneven light, cast, contrast, defocus, grain.

    Args:
        rng: source of randomness.
        image: uint8 (height, width, 3), RGB.

    Returns:
        A new image of the same shape and type.
    """
    height, width = image.shape[:2]
    contrast = rng.uniform(0.65, 1.15)
    cast = rng.uniform(0.9, 1.1, 3) * contrast
    lift = rng.uniform(0, 1) * (1 - min(contrast, 1.0)) * 200
    coarse = rng.uniform(0.8, 1.15, (3, 3, 1)) * cast
    light = cv2.resize(coarse.astype(np.float32), (width, height), interpolation=cv2.INTER_LINEAR)
    lit = cv2.multiply(image, light, dtype=cv2.CV_32F)
    if rng.random() < 0.35:
        lit = cv2.GaussianBlur(lit, (0, 0), rng.uniform(0.5, 2.5))
    grain = rng.standard_normal((height, width), np.float32) * np.float32(rng.uniform(0, 5)) + lift
    return np.asarray(cv2.add(lit, cv2.merge([grain] * 3), dtype=cv2.CV_8U), np.uint8)


def background(rng: np.random.Generator, height: int, width: int) -> Image:
    """Paint one varied, natural-looking background.

    Args:
        rng: source of randomness; equal generators give equal pictures.
        height: rows, at least 16.
        width: columns, at least 16.

    Returns:
        uint8 (height, width, 3), RGB.

    Raises:
        ValueError: the size is smaller than 16 x 16.
    """
    if height < 16 or width < 16:
        raise ValueError(f"a background needs at least 16 x 16 pixels, not {width} x {height}")
    names = list(PAINTERS)
    weights = np.array([_WEIGHTS.get(name, 1.0) for name in names])
    name = names[int(rng.choice(len(names), p=weights / weights.sum()))]
    return finish(rng, PAINTERS[name](rng, height, width))
