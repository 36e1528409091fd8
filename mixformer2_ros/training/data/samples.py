# Copyright 2026 mixformer2_ros contributors
# SPDX-License-Identifier: Apache-2.0
"""What a training sample is, and where its search crops lie around the target."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

from mixformer2_ros.model.variants import Variant

T = TypeVar("T")

MIN_VISIBLE = 0.35
"""A crop with a smaller share of the target counts as one without it."""


@dataclass
class Sample:
    """Two templates of one target and several search crops, which share the templates' forward.

    Attributes:
        templates: (2, T, T, 3) uint8 RGB: the initial and the online template.
        searches: (K, S, S, 3) uint8 RGB.
        boxes: (K, 4) x1, y1, x2, y2 of the target as fractions of the search crop, clipped to it;
            zeros where the target is absent.
        present: (K,) whether the target is visible in the crop.
    """

    templates: NDArray[np.uint8]
    searches: NDArray[np.uint8]
    boxes: NDArray[np.float32]
    present: NDArray[np.bool_]

    def mirrored(self) -> Sample:
        """Return the same sample seen in a mirror."""
        boxes = self.boxes.copy()
        boxes[:, [0, 2]] = np.where(self.present[:, None], 1.0 - self.boxes[:, [2, 0]], 0.0)
        return Sample(
            np.ascontiguousarray(self.templates[:, :, ::-1]),
            np.ascontiguousarray(self.searches[:, :, ::-1]),
            boxes,
            self.present,
        )


@dataclass(frozen=True)
class Jitter:
    """How far a search crop is off the target, as a tracker's guess would be.

    Attributes:
        centre: The published jitter: the crop's centre is uniform within +-centre / 2 target sizes.
        scale: Standard deviation of the log of the crop's scale in the published jitter.
        near_share: Share of the crops that are off by little, as from one frame to the next.
        near_centre: Standard deviation of their offset in target sizes.
        near_scale: Standard deviation of the log of their scale.
    """

    centre: float = 4.5
    scale: float = 0.5
    near_share: float = 0.7
    near_centre: float = 0.4
    near_scale: float = 0.15


@dataclass(frozen=True)
class Sampling:
    """What all samples of a training have in common.

    Attributes:
        variant: Gives sizes and factors of the crops.
        jitter: Placing of the search crops.
        searches: Number of search crops K of a sample.
        absent_share: Share of search crops without the target.
    """

    variant: Variant
    jitter: Jitter
    searches: int
    absent_share: float


def pick(rng: np.random.Generator, items: Sequence[T]) -> T:
    """Draw one item."""
    return items[int(rng.integers(len(items)))]


def place_target(
    rng: np.random.Generator, jitter: Jitter, variant: Variant
) -> tuple[float, NDArray[np.float64]]:
    """Draw where the target appears in a search crop.

    Returns:
        Its size sqrt(width * height) in pixels of the crop, and the centre (2,) of its box.
    """
    side = variant.search_size
    if rng.random() < jitter.near_share:
        scale = np.exp(rng.normal(0.0, jitter.near_scale))
        offset = np.clip(rng.normal(0.0, jitter.near_centre, 2), -1.8, 1.8)
    else:
        scale = np.exp(np.clip(rng.normal(0.0, jitter.scale), -1.0, 1.0))
        offset = jitter.centre * (rng.random(2) - 0.5)
    nominal = side / variant.search_factor
    centre = np.clip(side / 2 + offset * nominal, 0.02 * side, 0.98 * side)
    return float(nominal * scale), centre


def fraction_box(box: NDArray[np.float64], side: int) -> tuple[NDArray[np.float32], float]:
    """Clip a box x1, y1, x2, y2 in pixels to its crop.

    Returns:
        The box as fractions of the crop, and the share of its area that lies in the crop.
    """
    clipped = np.clip(box, 0.0, side)
    area = max(float(np.prod(box[2:] - box[:2])), 1e-9)
    share = float(np.prod(clipped[2:] - clipped[:2])) / area
    return (clipped / side).astype(np.float32), share
