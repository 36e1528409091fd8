# Copyright 2026 mixformer2_ros contributors
# SPDX-License-Identifier: Apache-2.0
"""A training corpus in one small file, to carry to a training machine.

    python -m mixformer2_ros.training.data.packing CORPUS OUT [--limit MB]

The pack is a zip archive of the corpus's own layout (see corpus.py): photographs, frames, masks and
boxes, and the notes on their origin. Photographs and frames keep their bytes where all fit the
limit; otherwise they are encoded again, as well as the limit allows. Python reads it without any
library, and the same corpus always gives the same bytes.
"""

from __future__ import annotations

import argparse
import logging
import os
import sys
import zipfile
import zlib
from collections.abc import Iterable, Sequence
from pathlib import Path, PurePosixPath
from typing import Protocol

import cv2
import numpy as np
from numpy.typing import NDArray

from mixformer2_ros.training.data.skipped import SkippedFiles

_LOG = logging.getLogger(__name__)
_LIMIT_MB = 45.0
_PATTERNS = (
    "images/*/*.jpg",
    "images/*/*.png",
    "images/*/*.txt",
    "videos/*/*.jpg",
    "videos/*/*.png",
    "videos/*/groundtruth_rect*.txt",
    "README.md",
    "manifest.json",
)
_QUALITIES = (95, 92, 89, 86, 83, 80, 75, 70, 60, 50, 40, 30)
# What the archive adds to a file: two headers, and its name in both.
_HEADERS = 76
_DATE = (1980, 1, 1, 0, 0, 0)


class CorpusFiles(Protocol):
    """The files of a corpus, in a folder or in a pack.

    Attributes:
        root: The folder or the pack.
    """

    root: Path

    def names(self) -> list[str]:
        """Return the paths inside the corpus, parts separated by "/", in a fixed order."""

    def read(self, name: str) -> bytes:
        """Return the content of a file.

        Raises:
            OSError: It cannot be read.
            ValueError: It is damaged.
        """


class CorpusFolder:
    """A corpus as a folder; see `CorpusFiles`.

    Args:
        root: Folder that holds `images` and `videos`.
    """

    def __init__(self, root: Path) -> None:
        self.root = root

    def names(self) -> list[str]:
        """See `CorpusFiles`."""
        found = (path for pattern in _PATTERNS for path in self.root.glob(pattern))
        return _in_order(path.relative_to(self.root).as_posix() for path in found)

    def read(self, name: str) -> bytes:
        """See `CorpusFiles`."""
        return (self.root / name).read_bytes()


class Pack:
    """A corpus in one file; see `CorpusFiles`.

    Args:
        root: The file.

    Raises:
        ValueError: It is no pack.
    """

    def __init__(self, root: Path) -> None:
        self.root = root
        try:
            self._archive = zipfile.ZipFile(root)
        except zipfile.BadZipFile as error:
            raise ValueError(
                f"{root}: no packed corpus ({error}); copy or pack it again"
            ) from error

    def names(self) -> list[str]:
        """See `CorpusFiles`."""
        return _in_order(self._archive.namelist())

    def read(self, name: str) -> bytes:
        """See `CorpusFiles`."""
        try:
            return self._archive.read(name)
        except (zipfile.BadZipFile, zlib.error) as error:
            raise ValueError(f"damaged in the pack ({error}); copy or pack it again") from error


def _in_order(names: Iterable[str]) -> list[str]:
    return sorted(names, key=lambda name: PurePosixPath(name).parts)


def read_pack(path: Path) -> Pack:
    """Open a packed corpus.

    Raises:
        OSError: There is no such file.
        ValueError: It is no pack.
    """
    return Pack(path)


def open_files(root: Path) -> CorpusFiles:
    """Open a corpus.

    Args:
        root: Its folder, or its pack.

    Raises:
        FileNotFoundError: It is neither.
        ValueError: The file is no pack.
    """
    files: CorpusFiles = read_pack(root) if root.is_file() else CorpusFolder(root)
    if not any(name.startswith(("images/", "videos/")) for name in files.names()):
        raise FileNotFoundError(
            f"{root} is not a training corpus: it has neither a folder images nor videos; "
            "give the folder that holds them, or a packed corpus"
        )
    return files


def decode_image(data: bytes, flags: int = cv2.IMREAD_COLOR) -> NDArray[np.uint8]:
    """Return the picture (H, W) or (H, W, 3), in OpenCV's order, that a file holds.

    Raises:
        ValueError: It holds none.
    """
    image = cv2.imdecode(np.frombuffer(data, np.uint8), flags) if data else None
    if image is None:
        raise ValueError("not a readable image")
    return np.asarray(image, np.uint8)


def pack_corpus(corpus: Path, out: Path, limit: int) -> SkippedFiles:
    """Write a pack.

    Args:
        corpus: The corpus, a folder or another pack.
        out: The file to write; appears when it is complete.
        limit: Largest size, bytes.

    Returns:
        The files that were left out because they cannot be read.

    Raises:
        ValueError: The corpus does not fit the limit at the lowest quality.
    """
    files = open_files(corpus)
    skipped = SkippedFiles()
    names = [name for name in files.names() if _is_sound(files, name, skipped)]
    quality = _best_quality(files, names, limit)
    _LOG.info("pictures %s", f"of JPEG quality {quality}" if quality else "keep their bytes")
    partial = out.with_name(out.name + ".part")
    with zipfile.ZipFile(partial, "w") as archive:
        for name in names:
            pressed = zipfile.ZIP_DEFLATED if _is_text(name) else zipfile.ZIP_STORED
            entry = zipfile.ZipInfo(name, _DATE)
            archive.writestr(entry, _content(files, name, quality), pressed, 9)
    os.replace(partial, out)
    return skipped


def _is_sound(files: CorpusFiles, name: str, skipped: SkippedFiles) -> bool:
    try:
        data = files.read(name)
        if not _is_text(name):
            decode_image(data)
    except (OSError, ValueError) as error:
        skipped.add(f"{files.root / name}: {error}")
        return False
    return True


def _is_text(name: str) -> bool:
    return not name.endswith((".jpg", ".png"))


def _best_quality(files: CorpusFiles, names: Sequence[str], limit: int) -> int | None:
    """Return the highest JPEG quality that fits; None where the files fit as they are."""
    for quality in (None, *_QUALITIES):
        size = sum(len(_content(files, name, quality)) + _HEADERS + 2 * len(name) for name in names)
        if size <= limit:
            return quality
        _LOG.info("%.1f MB at quality %s", size / 1e6, quality or "as it is")
    raise ValueError(
        f"{files.root}: {size / 1e6:.1f} MB at the lowest quality, more than {limit / 1e6:.1f}; "
        "leave some of it out"
    )


def _content(files: CorpusFiles, name: str, quality: int | None) -> bytes:
    data = files.read(name)
    if quality is None or not name.endswith(".jpg"):
        return data
    done, again = cv2.imencode(".jpg", decode_image(data), [cv2.IMWRITE_JPEG_QUALITY, quality])
    assert done
    return min(data, again.tobytes(), key=len)


def main(arguments: Sequence[str] | None = None) -> int:
    """Pack a corpus; return the exit code."""
    parser = argparse.ArgumentParser(
        prog="python -m mixformer2_ros.training.data.packing",
        description="Pack a training corpus into one file.",
    )
    parser.add_argument("corpus", type=Path, help="folder with images/ and videos/")
    parser.add_argument("out", type=Path, help="file to write")
    parser.add_argument("--limit", type=float, default=_LIMIT_MB, metavar="MB", help="10^6 bytes")
    options = parser.parse_args(arguments)
    logging.basicConfig(level=logging.INFO, format="%(message)s")
    try:
        skipped = pack_corpus(options.corpus, options.out, round(options.limit * 1e6))
    except (OSError, ValueError) as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    print(f"{options.out}: {options.out.stat().st_size / 1e6:.1f} MB; {skipped.report()}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
