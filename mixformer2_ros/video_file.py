# Copyright 2026 mixformer2_ros contributors
# SPDX-License-Identifier: Apache-2.0
"""Video files written with OpenCV."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray


class VideoFile:
    """An MP4 file (MPEG-4 part 2, which every OpenCV can write) that takes the first image's size.

    Args:
        path: the file.
        rate: frames a second.
    """

    def __init__(self, path: Path, rate: float) -> None:
        self._path = path
        self._rate = rate
        self._writer: cv2.VideoWriter | None = None

    def __enter__(self) -> VideoFile:
        """Return the file itself."""
        return self

    def __exit__(self, *_: object) -> None:
        """Finish the file."""
        if self._writer is not None:
            self._writer.release()

    def write(self, image: NDArray[np.uint8]) -> None:
        """Append an image.

        Args:
            image: uint8 (height, width, 3), RGB.

        Raises:
            OSError: the file cannot be written.
        """
        # The codec's colour planes have half the size.
        even = np.ascontiguousarray(image[: image.shape[0] // 2 * 2, : image.shape[1] // 2 * 2])
        if self._writer is None:
            self._path.parent.mkdir(parents=True, exist_ok=True)
            size = (even.shape[1], even.shape[0])
            codec = cv2.VideoWriter.fourcc(*"mp4v")
            self._writer = cv2.VideoWriter(str(self._path), codec, self._rate, size)
            if not self._writer.isOpened():
                raise OSError(
                    f"video {str(self._path)!r} cannot be written: is the folder writable, and "
                    "does the name end in .mp4?"
                )
        self._writer.write(cv2.cvtColor(even, cv2.COLOR_RGB2BGR))
