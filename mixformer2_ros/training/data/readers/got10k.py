# Copyright 2026 mixformer2_ros contributors
# SPDX-License-Identifier: Apache-2.0
"""GOT-10k (arXiv 1810.11981): `train/` and `val/`."""

from __future__ import annotations

from pathlib import Path

from mixformer2_ros.annotations import AnnotationError, got10k_labels
from mixformer2_ros.training.data.readers.reader import Track, read_track


class Got10kReader:
    """Targets of `list.txt`, each a folder with frames, `groundtruth.txt` and label files.

    Args:
        root: Folder of a split, or the folder that holds `train`.

    Raises:
        AnnotationError: There is no `list.txt`, or nothing in it.
    """

    def __init__(self, root: Path) -> None:
        self.root = root if (root / "list.txt").is_file() else root / "train"
        listing = self.root / "list.txt"
        self._names = listing.read_text().split() if listing.is_file() else []
        if not self._names:
            raise AnnotationError(
                f"{root}: no GOT-10k; expected list.txt and GOT-10k_Train_000001/ ... in it or in "
                "its folder train"
            )

    def __len__(self) -> int:
        return len(self._names)

    def __getitem__(self, index: int) -> Track:
        folder = self.root / self._names[index]
        return read_track(folder.name, folder, folder / "groundtruth.txt", got10k_labels(folder))
