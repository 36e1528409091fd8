# Copyright 2026 mixformer2_ros contributors
# SPDX-License-Identifier: Apache-2.0
"""LaSOT (arXiv 1809.07845): the 1120 sequences that are not in the published testing list."""

from __future__ import annotations

from pathlib import Path

from mixformer2_ros.annotations import AnnotationError, lasot_labels, natural_key
from mixformer2_ros.splits import LASOT_TEST_NAMES
from mixformer2_ros.training.data.readers.reader import Track, read_track


class LasotReader:
    """Targets of `<class>/<class>-<n>/`: `img/`, `groundtruth.txt` and two label files.

    Args:
        root: Folder of the classes.

    Raises:
        AnnotationError: There is no training sequence.
    """

    def __init__(self, root: Path) -> None:
        self.root = root
        found = {path.parent.name: path.parent for path in root.glob("*/*/groundtruth.txt")}
        names = sorted(found.keys() - LASOT_TEST_NAMES, key=natural_key)
        self._folders = [found[name] for name in names]
        if not self._folders:
            raise AnnotationError(
                f"{root}: no training sequence of LaSOT; expected airplane/airplane-2/ with img/ "
                "and groundtruth.txt, and so on"
            )

    def __len__(self) -> int:
        return len(self._folders)

    def __getitem__(self, index: int) -> Track:
        folder = self._folders[index]
        return read_track(
            folder.name, folder / "img", folder / "groundtruth.txt", lasot_labels(folder)
        )
