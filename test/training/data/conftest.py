# Copyright 2026 mixformer2_ros contributors
# SPDX-License-Identifier: Apache-2.0
"""Tiny training sets on disk, with the names and formats of the published ones."""

from __future__ import annotations

import json
from pathlib import Path
from types import SimpleNamespace

import cv2
import numpy as np
import pytest

FRAMES = 12
WIDTH, HEIGHT = 160, 120
SIDE = 24


def box_at(frame: int) -> tuple[int, int, int, int]:
    """Return x, y, w, h of the square in a frame."""
    return 10 + 8 * frame, 40, SIDE, SIDE


def write_video(
    images: Path, truth: Path, name: str, first: int, colour: tuple[int, int, int]
) -> None:
    """Write frames with a moving square (RGB colour) on grey, and its boxes."""
    images.mkdir(parents=True, exist_ok=True)
    truth.parent.mkdir(parents=True, exist_ok=True)
    for frame in range(FRAMES):
        image = np.full((HEIGHT, WIDTH, 3), 90, np.uint8)
        x, y, w, h = box_at(frame)
        image[y : y + h, x : x + w] = colour[::-1]
        cv2.imwrite(str(images / name.format(first + frame)), image)
    lines = (",".join(f"{value:.4f}" for value in box_at(frame)) for frame in range(FRAMES))
    truth.write_text("\n".join(lines) + "\n")


def write_got10k(root: Path, names: tuple[str, ...] = ("GOT-10k_Train_000001",)) -> Path:
    """Write GOT-10k's train folder; the target is absent in frame 5 and covered in frame 6."""
    for name in names:
        folder = root / "train" / name
        write_video(folder, folder / "groundtruth.txt", "{:08d}.jpg", 1, (250, 30, 30))
        absent = [int(frame == 5) for frame in range(FRAMES)]
        cover = [0 if frame == 6 else 8 for frame in range(FRAMES)]
        (folder / "absence.label").write_text("\n".join(map(str, absent)))
        (folder / "cover.label").write_text("\n".join(map(str, cover)))
        (folder / "cut_by_image.label").write_text("\n".join("0" * FRAMES))
        (folder / "meta_info.ini").write_text(
            f"[METAINFO]\nurl: x\nanno_fps: 10Hz\nresolution: ({WIDTH}, {HEIGHT})\n"
        )
    (root / "train" / "list.txt").write_text("\n".join(names))
    return root


def write_lasot(root: Path, names: tuple[str, ...] = ("airplane-1", "airplane-2")) -> Path:
    """Write LaSOT's folders; the target is hidden in frame 3 and out of view from frame 8 to 9."""
    for name in names:
        folder = root / name.split("-")[0] / name
        write_video(folder / "img", folder / "groundtruth.txt", "{:08d}.jpg", 1, (30, 250, 30))
        lines = (folder / "groundtruth.txt").read_text().splitlines()
        lines[8:10] = ["0,0,0,0"] * 2
        (folder / "groundtruth.txt").write_text("\n".join(lines))
        hidden = ("1" if frame == 3 else "0" for frame in range(FRAMES))
        away = ("1" if frame in (8, 9) else "0" for frame in range(FRAMES))
        (folder / "full_occlusion.txt").write_text(",".join(hidden))
        (folder / "out_of_view.txt").write_text(",".join(away))
    return root


def write_trackingnet(root: Path, names: tuple[str, ...] = ("abc_0",), chunk: int = 0) -> Path:
    """Write a chunk of TrackingNet."""
    base = root / f"TRAIN_{chunk}"
    for name in names:
        write_video(
            base / "frames" / name, base / "anno" / f"{name}.txt", "{}.jpg", 0, (30, 30, 250)
        )
    return root


def write_coco(root: Path, boxes: tuple[tuple[float, ...], ...] = ((20, 30, 50, 40),)) -> Path:
    """Write COCO with one photograph of some objects and a crowd."""
    (root / "annotations").mkdir(parents=True)
    (root / "train2017").mkdir()
    image = np.full((HEIGHT, WIDTH, 3), 90, np.uint8)
    objects = []
    for number, box in enumerate(boxes):
        if np.isfinite(box).all() and min(box[2:]) >= 0:
            x, y, w, h = map(int, box)
            image[y : y + h, x : x + w] = (250, 250, 40)  # cyan, in OpenCV's order
        objects.append({"id": 100 + number, "image_id": 7, "bbox": list(box), "iscrowd": 0})
    objects.append({"id": 1, "image_id": 7, "bbox": [0, 0, 90, 90], "iscrowd": 1})
    cv2.imwrite(str(root / "train2017" / "000000000007.jpg"), image)
    content = {"images": [{"id": 7, "file_name": "000000000007.jpg"}], "annotations": objects}
    (root / "annotations" / "instances_train2017.json").write_text(json.dumps(content))
    return root


@pytest.fixture
def sets() -> SimpleNamespace:
    """The functions above."""
    return SimpleNamespace(
        FRAMES=FRAMES,
        SIDE=SIDE,
        box_at=box_at,
        got10k=write_got10k,
        lasot=write_lasot,
        trackingnet=write_trackingnet,
        coco=write_coco,
    )
