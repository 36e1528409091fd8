# Copyright 2026 mixformer2_ros contributors
# SPDX-License-Identifier: Apache-2.0
"""The public tracking benchmarks, read from the folders as they are published."""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from mixformer2_ros.annotations import (
    AnnotationError,
    got10k_labels,
    lasot_labels,
    list_images,
    natural_key,
    read_flags,
    read_numbers,
)
from mixformer2_ros.evaluation.datasets import DatasetError, Sequence, make_sequence
from mixformer2_ros.splits import (
    LASOT_ATTRIBUTES,
    LASOT_TEST_NAMES,
    OTB_ATTRIBUTES,
    OTB_RANGES,
    UAV123_ATTRIBUTES,
    UAV123_PARTS,
)


def open_dataset(kind: str, path: str | os.PathLike[str]) -> list[Sequence]:
    """Return the sequences of a data set, in the order of their names.

    Args:
        kind: One of `KINDS`. "folder" is any folder of `<name>/img/` with
            `<name>/groundtruth_rect.txt` or `groundtruth.txt` beside, or one such `<name>`.
        path: The folder the benchmark unpacks to.

    Raises:
        DatasetError: Unknown kind, missing folder, or files that do not fit together.
    """
    if kind not in _OPENERS:
        raise DatasetError(f"data set kind {kind!r} is unknown; choose one of {', '.join(KINDS)}")
    root = Path(path)
    if not root.is_dir():
        raise DatasetError(f"{root}: no such folder; give the folder the data set was unpacked to")
    try:
        sequences = sorted(_OPENERS[kind](root), key=lambda sequence: natural_key(sequence.name))
    except AnnotationError as error:
        raise DatasetError(str(error)) from error
    if not sequences:
        raise DatasetError(f"{root}: no sequence found; expected {_EXPECTED[kind]}")
    return sequences


def _subfolders(root: Path) -> list[Path]:
    folders = [path for path in root.iterdir() if path.is_dir() and not path.name.startswith(".")]
    return sorted(folders, key=lambda path: natural_key(path.name))


def _attributes(names: tuple[str, ...], *candidates: Path) -> frozenset[str]:
    """Read the first attribute file there is: 0/1 flags in the order of `names`, or names."""
    path = next((path for path in candidates if path.is_file()), None)
    if path is None:
        return frozenset()
    words = path.read_text().replace(",", " ").split()
    if not all(re.fullmatch(r"[01](\.0*)?", word) for word in words):
        return frozenset(words)
    known = names if len(names) == len(words) else [f"attribute {i + 1}" for i in range(len(words))]
    return frozenset(name for name, word in zip(known, words, strict=True) if float(word))


def _plain(folder: Path, names: tuple[str, ...] = ()) -> Iterator[Sequence]:
    """Read `img/` and every non-empty `groundtruth*.txt` beside it (several: several targets)."""
    files = [path for path in sorted(folder.glob("groundtruth*.txt")) if path.read_text().strip()]
    if not files:
        return
    frames = list_images(folder / "img")
    if folder.name in OTB_RANGES and names is OTB_ATTRIBUTES:
        first, last = OTB_RANGES[folder.name]
        number = {int(re.sub(r"\D", "", path.stem)): path for path in frames}
        frames = [number[i] for i in range(first, last + 1) if i in number]
    for i, path in enumerate(files, 1):
        name = folder.name if len(files) == 1 else f"{folder.name}.{i}"
        attributes = _attributes(
            names, folder / "attributes.txt", folder.parent / "att" / f"{folder.name}.txt"
        )
        hidden = read_flags(folder / "absence.label")
        yield make_sequence(
            name, frames, read_numbers(path, 4), hidden=hidden, attributes=attributes
        )


def _otb(root: Path) -> Iterator[Sequence]:
    for folder in _subfolders(root):
        yield from _plain(folder, OTB_ATTRIBUTES)


def _folder(root: Path) -> Iterator[Sequence]:
    for folder in [root] if (root / "img").is_dir() else _subfolders(root):
        yield from _plain(folder)


def _lasot_like(root: Path, keep: Callable[[str], bool]) -> Iterator[Sequence]:
    for truth_file in root.glob("*/*/groundtruth.txt"):
        folder = truth_file.parent
        name = folder.name
        if not keep(name):
            continue
        yield make_sequence(
            name,
            list_images(folder / "img"),
            read_numbers(truth_file, 4),
            hidden=lasot_labels(folder),
            attributes=_attributes(
                LASOT_ATTRIBUTES,
                folder / "attributes.txt",
                root / "att" / f"{name}.txt",
                root / "annos" / "att" / f"{name}.txt",
            ),
            fps=30.0,
        )


def _lasot(root: Path) -> Iterator[Sequence]:
    return _lasot_like(root, LASOT_TEST_NAMES.__contains__)


def _lasot_ext(root: Path) -> Iterator[Sequence]:
    return _lasot_like(root, lambda _: True)


def _got10k(root: Path) -> Iterator[Sequence]:
    splits = [name for name in ("val", "test") if (root / name / "list.txt").is_file()]
    if not (root / "list.txt").is_file():
        if len(splits) > 1:
            raise DatasetError(f"{root}: has several splits; give {root / 'val'} or .../test")
        if splits:
            root = root / splits[0]
    if not (root / "list.txt").is_file():
        return
    for name in (root / "list.txt").read_text().split():
        folder = root / name
        truth = read_numbers(folder / "groundtruth.txt", 4)
        facts = _got10k_facts(folder / "meta_info.ini")
        size = [int(number) for number in re.findall(r"\d+", facts.get("resolution", ""))]
        rate = re.match(r"[\d.]+", facts.get("anno_fps", ""))
        labels = {
            label: read_flags(folder / f"{label}.label") for label in ("absence", "cut_by_image")
        }
        yield make_sequence(
            name,
            list_images(folder),
            truth,
            hidden=got10k_labels(folder) if len(truth) > 1 else None,
            attributes=[
                label for label, flags in labels.items() if flags is not None and flags.any()
            ],
            fps=float(rate[0]) if rate else 10.0,
            frame_size=(size[0], size[1]) if len(size) == 2 else None,
        )


def _got10k_facts(path: Path) -> dict[str, str]:
    if not path.is_file():
        return {}
    pairs = (line.split(":", 1) for line in path.read_text().splitlines() if ":" in line)
    return {key.strip(): value.strip() for key, value in pairs}


def _trackingnet(root: Path) -> Iterator[Sequence]:
    base = root / "TEST" if (root / "TEST").is_dir() else root
    for path in (base / "anno").glob("*.txt"):
        frames = list_images(base / "frames" / path.stem)
        yield make_sequence(path.stem, frames, read_numbers(path, 4))


def _uav123(root: Path) -> Iterator[Sequence]:
    for path in (root / "anno" / "UAV123").glob("*.txt"):
        yield make_sequence(
            path.stem,
            _uav123_frames(root / "data_seq" / "UAV123", path.stem),
            read_numbers(path, 4),
            attributes=_attributes(UAV123_ATTRIBUTES, path.parent / "att" / path.name),
            fps=30.0,
        )


def _uav123_frames(videos: Path, name: str) -> list[Path]:
    video, _, part = name.rpartition("_")
    parts = UAV123_PARTS.get(video, ())
    if (videos / name).is_dir() or part not in map(str, range(1, len(parts) + 1)):
        return list_images(videos / name)
    first, last = parts[int(part) - 1]
    return list_images(videos / video)[first - 1 : last]


def _tnl2k(root: Path) -> Iterator[Sequence]:
    for path in [*root.glob("*/groundtruth.txt"), *root.glob("*/*/groundtruth.txt")]:
        folder = path.parent
        yield make_sequence(
            folder.name,
            list_images(folder / "imgs"),
            read_numbers(path, 4),
            attributes=_attributes((), folder / "attributes.txt"),
        )


def _nfs(root: Path) -> Iterator[Sequence]:
    """Read the 30 FPS version, as trackers are usually compared on."""
    for folder in _subfolders(root):
        truth_file = folder / "30" / f"{folder.name}.txt"
        if not truth_file.is_file():
            continue
        truth, lost = _read_vatic(truth_file)
        frames = list_images(folder / "30" / folder.name)
        if abs(len(truth) / len(frames) - 8) < 1:  # the boxes are those of the 240 FPS version
            truth, lost = truth[::8], lost[::8]
        if len(truth) == len(frames) + 1:
            truth, lost = truth[:-1], lost[:-1]
        yield make_sequence(folder.name, frames, truth, hidden=lost, fps=30.0)


def _read_vatic(path: Path) -> tuple[NDArray[np.float64], NDArray[np.bool_]]:
    """Read NfS boxes: `id left top right bottom frame lost occluded generated "label"` a line."""
    rows = [line.split()[1:7] for line in path.read_text().splitlines() if line.strip()]
    try:
        numbers = np.array(rows, np.float64).reshape(-1, 6)
    except ValueError as error:
        raise DatasetError(f"{path}: not the annotation of NfS: {error}") from error
    boxes = numbers[:, :4].copy()
    boxes[:, 2:] -= boxes[:, :2]
    return boxes, numbers[:, 5] > 0


_OPENERS: dict[str, Callable[[Path], Iterator[Sequence]]] = {
    "otb": _otb,
    "lasot": _lasot,
    "lasot_ext": _lasot_ext,
    "got10k": _got10k,
    "trackingnet": _trackingnet,
    "uav123": _uav123,
    "tnl2k": _tnl2k,
    "nfs": _nfs,
    "dtb70": _folder,
    "folder": _folder,
}
KINDS = tuple(_OPENERS)
"""Data sets that `open_dataset` reads."""

_EXPECTED = {
    "otb": "<sequence>/img/ and <sequence>/groundtruth_rect.txt",
    "lasot": "<class>/<class-n>/img/ and groundtruth.txt of the 280 test sequences",
    "lasot_ext": "<class>/<class-n>/img/ and groundtruth.txt",
    "got10k": "list.txt in the folder of a split (val or test), or that split's folder inside",
    "trackingnet": "TEST/frames/<sequence>/ and TEST/anno/<sequence>.txt",
    "uav123": "data_seq/UAV123/<sequence>/ and anno/UAV123/<sequence>.txt",
    "tnl2k": "<sequence>/imgs/ and <sequence>/groundtruth.txt",
    "nfs": "<sequence>/30/<sequence>/ and <sequence>/30/<sequence>.txt",
    "dtb70": "<sequence>/img/ and <sequence>/groundtruth_rect.txt",
    "folder": "<sequence>/img/ and <sequence>/groundtruth_rect.txt",
}
