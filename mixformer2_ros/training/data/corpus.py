# Copyright 2026 mixformer2_ros contributors
# SPDX-License-Identifier: Apache-2.0
"""Reads a small training corpus (labelled photographs and short videos) into memory.

Layout: ``images/<source>/<name>.jpg`` with an optional ``<name>.png`` (8-bit mask, 0 = background,
k = object k) or ``<name>.txt`` (one ``x,y,w,h`` per object), and ``videos/<name>/00000.jpg ...``
with ``groundtruth_rect.txt`` or ``groundtruth_rect.<k>.txt`` (NaN = not visible). The same files
may lie in one file instead of a folder, see packing.py.
"""

from __future__ import annotations

import io
import logging
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path, PurePosixPath

import cv2
import numpy as np
from numpy.typing import NDArray

from mixformer2_ros.training.data.compose import Cutout, make_cutout
from mixformer2_ros.training.data.packing import CorpusFiles, decode_image, open_files

_LOG = logging.getLogger(__name__)
_MIN_OBJECT_SIDE = 12
_MAX_PHOTO_SIDE = 512


@dataclass(frozen=True)
class Photo:
    """A photograph with the boxes of its labelled objects.

    Attributes:
        image: (H, W, 3) uint8 RGB.
        boxes: (N, 4) x, y, w, h in pixels; N may be 0.
    """

    image: NDArray[np.uint8]
    boxes: NDArray[np.float64]


@dataclass(frozen=True)
class Clip:
    """A short video with the tracks of its labelled objects.

    Attributes:
        name: Folder name.
        frames: (H, W, 3) uint8 RGB images of one size.
        tracks: (objects, frames, 4) x, y, w, h in pixels; NaN where not visible.
    """

    name: str
    frames: list[NDArray[np.uint8]]
    tracks: NDArray[np.float64]


@dataclass
class Corpus:
    """Everything that was read, and what could not be.

    Attributes:
        photos: All photographs; those without labels serve as backgrounds.
        cutouts: Objects cut out of photographs along their masks.
        clips: Videos.
        skipped: What could not be used: file, and why.
    """

    photos: list[Photo] = field(default_factory=list)
    cutouts: list[Cutout] = field(default_factory=list)
    clips: list[Clip] = field(default_factory=list)
    skipped: list[str] = field(default_factory=list)


def load_corpus(
    root: Path, use_clip: Callable[[int], bool] = lambda _index: True, *, photos: bool = True
) -> Corpus:
    """Read a corpus.

    Args:
        root: Folder that holds ``images`` and ``videos``, or a packed corpus.
        use_clip: Tells whether to read the clip of an index (in name order); keeps a part of the
            videos for validation.
        photos: Read the photographs too.

    Returns:
        The corpus. A bad file is logged by name, skipped and counted.

    Raises:
        FileNotFoundError: `root` holds neither folder.
        ValueError: `root` is a file, but no pack.
    """
    files = open_files(root)
    names = files.names()
    corpus = Corpus()
    known = set(names)
    for name in names if photos else ():
        if name.startswith("images/") and name.endswith(".jpg"):
            _read(corpus, root / name, partial(_add_photo, corpus, files, name, known))
    clips: dict[str, list[str]] = {}
    for name in names:
        if name.startswith("videos/"):
            clips.setdefault(PurePosixPath(name).parts[1], []).append(name)
    for index, (clip, members) in enumerate(clips.items()):
        if use_clip(index):
            add = partial(_add_clip, corpus, files, clip, members)
            _read(corpus, root / "videos" / clip, add)
    if corpus.skipped:
        _LOG.warning("%d files of %s were skipped", len(corpus.skipped), root)
    return corpus


def _read(corpus: Corpus, path: Path, add: Callable[[], None]) -> None:
    try:
        add()
    except (OSError, ValueError, cv2.error) as error:
        _LOG.warning("skipped %s: %s", path, error)
        corpus.skipped.append(f"{path}: {error}")


def _read_rgb(files: CorpusFiles, name: str) -> NDArray[np.uint8]:
    image = decode_image(files.read(name))
    return np.asarray(cv2.cvtColor(image, cv2.COLOR_BGR2RGB), np.uint8)


def _read_boxes(files: CorpusFiles, name: str) -> NDArray[np.float64]:
    text = io.StringIO(files.read(name).decode())
    boxes = np.loadtxt(text, delimiter=",", ndmin=2, dtype=np.float64)
    if boxes.shape[1] != 4:
        raise ValueError(f"expected x,y,w,h on every line, found {boxes.shape[1]} numbers")
    return boxes


def _add_photo(corpus: Corpus, files: CorpusFiles, name: str, known: set[str]) -> None:
    image = _read_rgb(files, name)
    mask_name, boxes_name = (str(PurePosixPath(name).with_suffix(end)) for end in (".png", ".txt"))
    boxes = np.zeros((0, 4))
    if mask_name in known:
        mask = decode_image(files.read(mask_name), cv2.IMREAD_GRAYSCALE)
        if mask.shape != image.shape[:2]:
            raise ValueError("the mask does not fit the photograph")
        boxes = _add_cutouts(corpus, image, mask)
    elif boxes_name in known:
        boxes = _read_boxes(files, boxes_name)
    scale = min(1.0, _MAX_PHOTO_SIDE / max(image.shape[:2]))
    if scale < 1.0:
        image = np.asarray(
            cv2.resize(image, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA), np.uint8
        )
    corpus.photos.append(Photo(image, boxes * scale))


def _add_cutouts(
    corpus: Corpus, image: NDArray[np.uint8], mask: NDArray[np.uint8]
) -> NDArray[np.float64]:
    boxes = []
    for label in range(1, int(mask.max()) + 1):
        alpha = np.where(mask == label, np.uint8(255), np.uint8(0))
        x, y, w, h = cv2.boundingRect(alpha)
        if min(w, h) < _MIN_OBJECT_SIDE:
            continue
        boxes.append((x, y, w, h))
        window = np.s_[y : y + h, x : x + w]
        corpus.cutouts.append(make_cutout(np.dstack([image[window], alpha[window]])))
    return np.array(boxes, np.float64).reshape(-1, 4)


def _add_clip(corpus: Corpus, files: CorpusFiles, clip: str, names: Sequence[str]) -> None:
    frames = [_read_rgb(files, name) for name in names if name.endswith(".jpg")]
    tracks = [_read_boxes(files, name) for name in names if name.endswith(".txt")]
    if not frames or not tracks:
        raise ValueError("a video needs frames and groundtruth_rect*.txt")
    if any(len(track) != len(frames) for track in tracks):
        raise ValueError("groundtruth_rect*.txt and frames differ in number")
    corpus.clips.append(Clip(clip, frames, np.stack(tracks)))
