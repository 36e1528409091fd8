# Copyright 2026 mixformer2_ros contributors
# SPDX-License-Identifier: Apache-2.0
"""What every reader gives: targets with their frames and boxes."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

import cv2
import numpy as np
from numpy.typing import NDArray

from mixformer2_ros.annotations import AnnotationError, list_image_names, read_numbers


@dataclass(frozen=True, eq=False)
class Track:
    """One target in one video of N frames, or in one photograph (N = 1).

    Attributes:
        name: Unique in its set.
        images: Folder of the frames.
        names: File names of the N frames in order.
        boxes: (N, 4) float64, x, y, w, h in pixels of the frame.
        visible: (N,) bool: the target can be seen, and its box has an area.
    """

    name: str
    images: Path
    names: Sequence[str]
    boxes: NDArray[np.float64]
    visible: NDArray[np.bool_]

    def read(self, frame: int) -> NDArray[np.uint8]:
        """Read a frame.

        Returns:
            (H, W, 3) uint8 RGB.

        Raises:
            AnnotationError: The file is missing or no image; the message names it.
        """
        path = self.images / self.names[frame]
        image = cv2.imread(str(path), cv2.IMREAD_COLOR)
        if image is None:
            raise AnnotationError(f"{path}: no readable image")
        return np.asarray(cv2.cvtColor(image, cv2.COLOR_BGR2RGB), np.uint8)


class Reader(Protocol):
    """A training set.

    Attributes:
        root: Its folder.
    """

    root: Path

    def __len__(self) -> int:
        """Return the number of targets."""

    def __getitem__(self, index: int) -> Track:
        """Read one target's annotation.

        Raises:
            AnnotationError: A file of it is missing or damaged; the message names the file.
        """


def read_track(
    name: str, images: Path, truth: Path, hidden: NDArray[np.bool_] | None = None
) -> Track:
    """Read a video and check that its files agree.

    Args:
        name: Name of the target.
        images: Folder of the frames.
        truth: Text file with x, y, w, h of every frame.
        hidden: (N,) frames in which the target is marked as absent; their boxes do not matter.

    Raises:
        AnnotationError: A file is missing or unreadable, numbers of frames, boxes and labels
            differ, or a box is no box: NaN, infinite or of negative size.
    """
    names, boxes = list_image_names(images), read_numbers(truth, 4)
    hidden = np.zeros(len(boxes), bool) if hidden is None else hidden
    if not len(names) == len(boxes) == len(hidden):
        raise AnnotationError(
            f"{truth}: {len(boxes)} boxes and {len(hidden)} labels for {len(names)} frames; "
            "unpack it again"
        )
    wrong = ~hidden & ~(np.isfinite(boxes).all(axis=1) & (boxes[:, 2:] >= 0).all(axis=1))
    if wrong.any():
        line = int(np.argmax(wrong))
        raise AnnotationError(
            f"{truth}: line {line + 1}: {boxes[line].tolist()} is no box x, y, w, h"
        )
    return Track(name, images, names, boxes, ~hidden & (boxes[:, 2:] > 0).all(axis=1))
