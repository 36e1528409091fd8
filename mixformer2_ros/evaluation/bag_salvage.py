# Copyright 2026 mixformer2_ros contributors
# SPDX-License-Identifier: Apache-2.0
"""The part of a truncated bag file that can still be read.

A recording that was cut off (power lost, disk full, copy interrupted) lacks its index, and readers
refuse it as a whole, although nearly all of its messages are there.
"""

from __future__ import annotations

import io
import sqlite3
from contextlib import closing, suppress
from pathlib import Path
from typing import BinaryIO

_MCAP_MAGIC = b"\x89MCAP0\r\n"
# Record 0x02 (footer), 20 bytes long: no summary, no offsets, no checksum (MCAP specification).
_MCAP_END = b"\x02" + (20).to_bytes(8, "little") + bytes(20) + _MCAP_MAGIC
_MCAP_HEAD_BYTES = 9


def salvage(file: Path, folder: Path) -> Path | IntactMcap:
    """Return something readable in place of a truncated bag file.

    Args:
        file: A .mcap or .db3 file.
        folder: Where a copy may be made (of .db3 only; a .mcap is read in place).

    Returns:
        A file, or a stand-in for its path, as `rosbags` takes it; the file itself where nothing
        can be done for it.
    """
    if file.suffix == ".mcap":
        return IntactMcap(file)
    if file.suffix == ".db3":
        copy = folder / file.name
        _copy_rows(file, copy)
        return copy
    return file


class IntactMcap:
    """A .mcap file up to its last whole record, with an end put to it; stands in for its path.

    Args:
        path: The file.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self.suffix = path.suffix

    def __str__(self) -> str:
        return str(self._path)

    def exists(self) -> bool:
        """Return whether the file is there."""
        return self._path.exists()

    def is_dir(self) -> bool:
        """Return False: it is a file."""
        return False

    def open(self, _mode: str = "rb") -> BinaryIO:
        """Open the intact part for reading."""
        return io.BufferedReader(_FileWithEnd(self._path, _intact_bytes(self._path), _MCAP_END))


class _FileWithEnd(io.RawIOBase):
    """The first bytes of a file, followed by others."""

    def __init__(self, path: Path, size: int, end: bytes) -> None:
        self._file = path.open("rb")
        self._size = size
        self._end = end
        self._position = 0

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        bases = (0, self._position, self._size + len(self._end))
        self._position = max(0, bases[whence] + offset)
        return self._position

    def readinto(self, buffer) -> int:  # type: ignore[no-untyped-def]
        if self._position < self._size:
            self._file.seek(self._position)
            data = self._file.read(min(len(buffer), self._size - self._position))
        else:
            start = self._position - self._size
            data = self._end[start : start + len(buffer)]
        buffer[: len(data)] = data
        self._position += len(data)
        return len(data)

    def close(self) -> None:
        self._file.close()
        super().close()


def _intact_bytes(path: Path) -> int:
    """Return where the last whole record ends; data of chunks end before any summary."""
    size = path.stat().st_size
    position = len(_MCAP_MAGIC)
    with path.open("rb") as file:
        while position + _MCAP_HEAD_BYTES <= size:
            file.seek(position)
            head = file.read(_MCAP_HEAD_BYTES)
            data_end, footer = head[0] == 0x0F, head[0] == 0x02
            end = position + _MCAP_HEAD_BYTES + int.from_bytes(head[1:], "little")
            if end > size or data_end or footer:
                break
            position = end
    return position


def _copy_rows(file: Path, copy: Path) -> None:
    """Copy every table up to its first unreadable row."""
    with (
        closing(sqlite3.connect(f"file:{file}?mode=ro&immutable=1", uri=True)) as source,
        closing(sqlite3.connect(copy)) as target,
    ):
        # SQLite's own way to look into a file that is shorter than its header says.
        source.execute("PRAGMA writable_schema = ON")
        tables = source.execute("SELECT name, sql FROM sqlite_master WHERE type = 'table'")
        for name, definition in tables.fetchall():
            target.execute(definition)
            # The order of row numbers reads the table itself: the index may be gone.
            rows = source.execute(f'SELECT * FROM "{name}" ORDER BY rowid')
            with suppress(sqlite3.DatabaseError):
                for row in rows:
                    places = ",".join("?" * len(row))
                    target.execute(f'INSERT INTO "{name}" VALUES ({places})', row)
        target.commit()
