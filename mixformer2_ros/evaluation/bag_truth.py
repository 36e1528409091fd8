# Copyright 2026 mixformer2_ros contributors
# SPDX-License-Identifier: Apache-2.0
"""The true boxes of a bag's images: a topic of the bag, or a text file."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from mixformer2_ros.annotations import read_numbers

if TYPE_CHECKING:
    from mixformer2_ros.evaluation.bag_reader import BagImage, BagReader

Box = NDArray[np.float64]
TruthOf = Callable[["BagImage"], "Box | None"]
"""The true box of an image: NaN where the target is not visible, None where nothing is known."""

TRUTH_TOLERANCE_NS = 1_000_000
"""Largest difference between the stamps of an image and of its truth, which may be rounded."""


def read_truth(bag: BagReader, source: str) -> TruthOf:
    """Open the true boxes of a bag's images.

    Args:
        bag: The bag.
        source: A topic of the bag (vision_msgs Detection2D or Detection2DArray, matched by the
            stamps of headers); or a text file with one line an image, `x,y,w,h`, or with lines
            `stamp,x,y,w,h`, stamp in seconds. NaN or a box without area: not visible.

    Raises:
        BagError: There is neither such a topic nor such a file, or the topic is empty.
        AnnotationError: The file cannot be read.
    """
    path = Path(source)
    if source not in bag.topics and path.is_file():
        columns = len(path.read_text().split("\n", 1)[0].replace(",", " ").split())
        numbers = read_numbers(path, 5 if columns == 5 else 4)
        boxes = numbers[:, -4:].copy()
        boxes[~np.all(boxes[:, 2:] > 0, axis=1)] = np.nan
        if columns != 5:
            return lambda image: boxes[image.index] if image.index < len(boxes) else None
        stamps = np.rint(numbers[:, 0] * 1e9).astype(np.int64)
    else:
        found = bag.boxes(source)
        stamps = np.array(list(found), np.int64)
        boxes = np.stack(list(found.values()))
    order = np.argsort(stamps, kind="stable")
    return _ByStamp(stamps[order], boxes[order])


class _ByStamp:
    def __init__(self, stamps: NDArray[np.int64], boxes: NDArray[np.float64]) -> None:
        self._stamps = stamps
        self._boxes = boxes

    def __call__(self, image: BagImage) -> Box | None:
        after = int(np.searchsorted(self._stamps, image.stamp_ns))
        near = [i for i in (after - 1, after) if 0 <= i < len(self._stamps)]
        best = min(near, key=lambda i: abs(int(self._stamps[i]) - image.stamp_ns))
        if abs(int(self._stamps[best]) - image.stamp_ns) > TRUTH_TOLERANCE_NS:
            return None
        return self._boxes[best]
