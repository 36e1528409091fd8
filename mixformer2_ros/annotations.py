# Copyright 2026 mixformer2_ros contributors
# SPDX-License-Identifier: Apache-2.0
"""The text files and image folders of the public data sets, read for evaluation and training."""

from __future__ import annotations

import os
import re
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

_IMAGES = frozenset({".jpg", ".jpeg", ".png", ".bmp", ".webp"})


class AnnotationError(ValueError):
    """A file or folder of a data set cannot be used; the message names it and says why."""


def read_numbers(path: Path, columns: int) -> NDArray[np.float64]:
    """Read a text file of numbers, separated by commas, tabs or spaces.

    Args:
        path: Text file; empty lines are skipped, `NaN` is a number.
        columns: Numbers in each line.

    Returns:
        (N, columns) float64.

    Raises:
        AnnotationError: The file is missing, or a line has other than `columns` numbers.
    """
    try:
        text = path.read_text()
    except (OSError, UnicodeDecodeError) as error:
        raise AnnotationError(f"{path}: cannot be read: {error}") from error
    rows = [row.split() for row in text.replace(",", " ").splitlines()]
    for line, row in enumerate(rows, 1):
        if row and len(row) != columns:
            raise AnnotationError(f"{path}: line {line} has {len(row)} numbers, not {columns}")
    try:
        numbers = np.array([float(word) for row in rows for word in row], np.float64)
    except ValueError as error:
        raise AnnotationError(f"{path}: {error}; expected {columns} numbers a line") from error
    return numbers.reshape(-1, columns)


def read_flags(path: Path) -> NDArray[np.bool_] | None:
    """Read 0/1 labels, in one line (LaSOT) or one a line (GOT-10k); None without the file.

    Raises:
        AnnotationError: Something in the file is no number.
    """
    if not path.is_file():
        return None
    try:
        return np.array(path.read_text().replace(",", " ").split(), np.float64) > 0
    except ValueError as error:
        raise AnnotationError(f"{path}: {error}; expected labels of 0 and 1") from error


def list_images(folder: Path) -> list[Path]:
    """Return the images of a folder in the order of the numbers in their names.

    Raises:
        AnnotationError: The folder is missing or has none.
    """
    return [folder / name for name in list_image_names(folder)]


def list_image_names(folder: Path) -> list[str]:
    """Return the names of what `list_images` lists; much faster for long videos."""
    names = os.listdir(folder) if folder.is_dir() else []
    images = [n for n in names if os.path.splitext(n)[1].lower() in _IMAGES and n[0] != "."]
    if not images:
        raise AnnotationError(f"{folder}: no images; unpack the frames of this sequence")
    return sorted(images, key=natural_key)


def natural_key(name: str) -> list[str | int]:
    """Return a sort key that puts `img10` after `img9`."""
    parts = re.split(r"(\d+)", name)
    return [int(part) if i % 2 else part.lower() for i, part in enumerate(parts)]


def lasot_labels(folder: Path) -> NDArray[np.bool_] | None:
    """Return the frames of a LaSOT sequence whose target is hidden or out of view.

    Returns:
        (N,) bool, or None when the sequence has neither label file.

    Raises:
        AnnotationError: The label files cannot be read, or differ in length.
    """
    labels = [read_flags(folder / f"{name}.txt") for name in ("full_occlusion", "out_of_view")]
    return _any_of(folder, labels)


def got10k_labels(folder: Path) -> NDArray[np.bool_] | None:
    """Return the frames of a GOT-10k sequence whose target is absent, or covered whole.

    Returns:
        (N,) bool, or None when the sequence has neither label file.

    Raises:
        AnnotationError: The label files cannot be read, or differ in length.
    """
    cover = folder / "cover.label"  # eighths of the target that can be seen
    covered = read_numbers(cover, 1)[:, 0] == 0 if cover.is_file() else None
    return _any_of(folder, [read_flags(folder / "absence.label"), covered])


def _any_of(folder: Path, labels: list[NDArray[np.bool_] | None]) -> NDArray[np.bool_] | None:
    present = [label for label in labels if label is not None]
    if len({len(label) for label in present}) > 1:
        raise AnnotationError(f"{folder}: its label files differ in length; unpack it again")
    return np.logical_or.reduce(present) if present else None
