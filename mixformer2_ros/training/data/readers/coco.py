# Copyright 2026 mixformer2_ros contributors
# SPDX-License-Identifier: Apache-2.0
"""COCO detection (arXiv 1405.0312): every labelled object is a target of one frame."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np

from mixformer2_ros.annotations import AnnotationError
from mixformer2_ros.training.data.readers.reader import Track

_SPLITS = ("train2017", "train2014")


class CocoReader:
    """Objects of `annotations/instances_<split>.json` with the photographs in `<split>/`.

    Crowds are left out: their boxes hold many targets.

    Args:
        root: Folder that holds `annotations` and `train2017` (or `train2014`).

    Raises:
        AnnotationError: There are no annotations, or they are not COCO's.
    """

    def __init__(self, root: Path) -> None:
        files = {name: root / "annotations" / f"instances_{name}.json" for name in _SPLITS}
        split = next((name for name, path in files.items() if path.is_file()), None)
        if split is None:
            raise AnnotationError(
                f"{root}: no COCO; expected annotations/instances_train2017.json and train2017/"
            )
        # `images` is a folder of its own in some copies.
        self.root = next(
            (path for path in (root / split, root / "images" / split) if path.is_dir()), root
        )
        self._file = files[split]
        try:
            content = json.loads(self._file.read_text(encoding="utf-8"))
            self._index(content["images"], content["annotations"])
        except (OSError, ValueError, KeyError, TypeError) as error:
            raise AnnotationError(
                f"{self._file}: not the instances of COCO ({type(error).__name__}: {error}); "
                "download it again"
            ) from error

    def _index(self, images: list[dict[str, Any]], annotations: list[dict[str, Any]]) -> None:
        """Keep arrays alone: the workers get a copy of them."""
        row = {image["id"]: number for number, image in enumerate(images)}
        objects = [entry for entry in annotations if not entry.get("iscrowd")]
        self._names = [image["file_name"] for image in images]
        self._images = np.array([row[entry["image_id"]] for entry in objects], np.int32)
        self._boxes = np.array([entry["bbox"] for entry in objects], np.float32).reshape(-1, 4)
        self._ids = np.array([entry["id"] for entry in objects], np.int64)
        if not len(objects):
            raise ValueError("no object in it")

    def __len__(self) -> int:
        return len(self._ids)

    def __getitem__(self, index: int) -> Track:
        box, number = self._boxes[index].astype(np.float64), int(self._ids[index])
        if not np.isfinite(box).all() or min(box[2:]) < 0:
            raise AnnotationError(f"{self._file}: annotation {number}: {box.tolist()} is no box")
        names = [self._names[self._images[index]]]
        visible = np.array([min(box[2:]) > 0])
        return Track(f"{names[0]}.{number}", self.root, names, box[None], visible)
