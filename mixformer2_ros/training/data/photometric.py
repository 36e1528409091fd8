# Copyright 2026 mixformer2_ros contributors
# SPDX-License-Identifier: Apache-2.0
"""What light and camera do to a picture: the changes of appearance that a tracker must survive."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

Image = NDArray[np.uint8]


@dataclass(frozen=True)
class Camera:
    """What the pictures of one video have in common.

    Attributes:
        grey: The camera has no colour.
        target_pixels: Size of the target on the sensor, sqrt(width * height); a crop shows no
            more detail than that.
        noise: Standard deviation of the sensor noise in grey levels.
        quality: JPEG quality, or None for an uncompressed picture.
    """

    grey: bool
    target_pixels: float
    noise: float
    quality: int | None


def draw_camera(rng: np.random.Generator) -> Camera:
    """Draw a camera: mostly good, sometimes grey, coarse, noisy or compressed."""
    coarse = float(np.exp(rng.uniform(np.log(16), np.log(64))))
    return Camera(
        grey=bool(rng.random() < 0.06),
        target_pixels=coarse if rng.random() < 0.5 else np.inf,
        noise=float(rng.uniform(1, 8)) if rng.random() < 0.3 else 0.0,
        quality=int(rng.integers(35, 90)) if rng.random() < 0.25 else None,
    )


def photograph(rng: np.random.Generator, camera: Camera, image: Image, target_size: float) -> Image:
    """Take a picture of a painted crop.

    Args:
        rng: Source of randomness.
        camera: The camera of the video.
        image: (H, W, 3) uint8 RGB, the ideal picture.
        target_size: Size of the target in it, sqrt(width * height), pixels.

    Returns:
        A picture of the same shape.
    """
    image = _coarse(image, min(1.0, camera.target_pixels / max(target_size, 1.0)))
    if rng.random() < 0.15:
        image = _blurred(rng, image)
    if rng.random() < 0.7:
        image = _relit(rng, image)
    if camera.grey:
        image = cv2.cvtColor(cv2.cvtColor(image, cv2.COLOR_RGB2GRAY), cv2.COLOR_GRAY2RGB)
    if camera.noise > 0:
        grain = np.empty(image.shape, np.int16)
        cv2.setRNGSeed(int(rng.integers(2**31 - 1)))
        cv2.randn(grain, 0, camera.noise)
        image = cv2.add(image, grain, dtype=cv2.CV_8U)
    if camera.quality is not None:
        _, data = cv2.imencode(".jpg", image, [cv2.IMWRITE_JPEG_QUALITY, camera.quality])
        return np.asarray(cv2.imdecode(data, cv2.IMREAD_COLOR), np.uint8)
    return np.asarray(image, np.uint8)


def _coarse(image: Image, scale: float) -> Image:
    if scale > 0.9:
        return image
    height, width = image.shape[:2]
    small = cv2.resize(
        image, (round(width * scale), round(height * scale)), interpolation=cv2.INTER_AREA
    )
    return np.asarray(cv2.resize(small, (width, height), interpolation=cv2.INTER_LINEAR))


def _blurred(rng: np.random.Generator, image: Image) -> Image:
    if rng.random() < 0.5:
        return np.asarray(cv2.GaussianBlur(image, (0, 0), float(rng.uniform(0.6, 2.0))))
    length = int(rng.integers(3, 12))
    kernel = np.zeros((length, length), np.float32)
    angle = rng.uniform(0, np.pi)
    reach = np.array([np.cos(angle), np.sin(angle)]) * (length - 1) / 2
    start, end = ((length - 1) / 2 - reach).round(), ((length - 1) / 2 + reach).round()
    cv2.line(kernel, tuple(start.astype(int).tolist()), tuple(end.astype(int).tolist()), 1.0)
    return np.asarray(cv2.filter2D(image, -1, kernel / kernel.sum()))


def _relit(rng: np.random.Generator, image: Image) -> Image:
    gamma = np.exp(rng.normal(0, 0.15))
    gain = np.exp(rng.normal(0, 0.12)) * np.exp(rng.normal(0, 0.03, 3))
    levels = (np.arange(256) / 255.0) ** gamma * 255.0
    table = np.clip(levels[:, None] * gain + rng.normal(0, 6), 0, 255).astype(np.uint8)
    return np.asarray(cv2.LUT(image, table[None]))
