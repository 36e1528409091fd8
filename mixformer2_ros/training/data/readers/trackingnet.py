# Copyright 2026 mixformer2_ros contributors
# SPDX-License-Identifier: Apache-2.0
"""TrackingNet (arXiv 1803.10794): the training chunks TRAIN_0 to TRAIN_11."""

from __future__ import annotations

from pathlib import Path

from mixformer2_ros.annotations import AnnotationError, natural_key
from mixformer2_ros.training.data.readers.reader import Track, read_track


class TrackingNetReader:
    """Targets of `TRAIN_<k>/frames/<video>/` with `TRAIN_<k>/anno/<video>.txt`.

    Args:
        root: Folder of the chunks; those that are there are used.

    Raises:
        AnnotationError: There is no annotation of a chunk.
    """

    def __init__(self, root: Path) -> None:
        self.root = root
        files = (path.relative_to(root) for path in root.glob("TRAIN_*/anno/*.txt"))
        self._files = sorted(map(str, files), key=natural_key)
        if not self._files:
            raise AnnotationError(
                f"{root}: no TrackingNet; expected TRAIN_0/frames/<video>/ and "
                "TRAIN_0/anno/<video>.txt, and so on"
            )

    def __len__(self) -> int:
        return len(self._files)

    def __getitem__(self, index: int) -> Track:
        truth = self.root / self._files[index]
        return read_track(truth.stem, truth.parents[1] / "frames" / truth.stem, truth)
