# Copyright 2026 mixformer2_ros contributors
# SPDX-License-Identifier: Apache-2.0
"""Files of a training that a kill at any moment leaves complete, whole or in parts.

In parts, `state.pt` is `state.pt.<digest>.000`, `.001`, ... and `state.pt.manifest.json`, which
names them with their sha256. The manifest is replaced last, and the parts of the former one go
after that. `join` (or `cat` in the order of the names) makes the whole file of them again.
"""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from mixformer2_ros.checksums import file_sha256

_MANIFEST = ".manifest.json"
_PARTIAL = ".partial"


class StorageError(ValueError):
    """A file of a training is damaged; the message names it and the cure."""


class Store:
    """Named files in one folder.

    Args:
        folder: Made if it does not exist.
        part_bytes: Largest file to write; None for whole files.
    """

    def __init__(self, folder: Path, part_bytes: int | None = None) -> None:
        self.folder, self._part_bytes = folder, part_bytes
        folder.mkdir(parents=True, exist_ok=True)

    def __contains__(self, name: str) -> bool:
        return self._newest(name) is not None

    def write(self, name: str, save: Callable[[Path], None]) -> None:
        """Replace a file; until the new one is complete on disk, the former one stays.

        Args:
            name: Name of the file.
            save: Writes the content to the path that it is given.
        """
        partial = self.folder / (name + _PARTIAL)
        save(partial)
        if self._part_bytes is None:
            _flush(partial)
            os.replace(partial, self.folder / name)
            keep: set[str] = set()
        else:
            keep = self._split(name, partial)
        self._tidy(name, keep)

    def read(self, name: str) -> bytes:
        """Return the content of a file, joined where it is kept in parts.

        Raises:
            FileNotFoundError: There is no such file.
            StorageError: A part is missing or damaged.
        """
        newest = self._newest(name)
        if newest is None:
            raise FileNotFoundError(f"there is no {name} in {self.folder}")
        if newest.name == name:
            return newest.read_bytes()
        return b"".join(_parts(newest))

    def _newest(self, name: str) -> Path | None:
        """Return the whole file or the manifest; both exist when a kill came between the two."""
        candidates = [self.folder / name, self.folder / (name + _MANIFEST)]
        found = [path for path in candidates if path.is_file()]
        return max(found, key=lambda path: path.stat().st_mtime_ns, default=None)

    def _split(self, name: str, whole: Path) -> set[str]:
        assert self._part_bytes is not None
        digest = file_sha256(whole)
        parts: list[dict[str, Any]] = []
        with whole.open("rb") as file:
            while data := file.read(self._part_bytes):
                part = f"{name}.{digest[:12]}.{len(parts):03d}"
                _replace(self.folder / part, data)
                found = hashlib.sha256(data).hexdigest()
                parts.append({"name": part, "bytes": len(data), "sha256": found})
        size = whole.stat().st_size
        manifest = {"name": name, "bytes": size, "sha256": digest, "parts": parts}
        _replace(self.folder / (name + _MANIFEST), json.dumps(manifest, indent=1).encode())
        return {part["name"] for part in parts} | {name + _MANIFEST}

    def _tidy(self, name: str, keep: set[str]) -> None:
        """Remove what an older or broken-off write left."""
        if keep:
            (self.folder / name).unlink(missing_ok=True)
        else:
            (self.folder / (name + _MANIFEST)).unlink(missing_ok=True)
        for path in self.folder.glob(f"{name}.*"):
            if path.name not in keep and (_is_part(path) or path.name.endswith(_PARTIAL)):
                path.unlink()


def join(folder: Path) -> list[Path]:
    """Make whole files of all that is kept in parts under `folder`, and remove the parts.

    Returns:
        The whole files.

    Raises:
        StorageError: A part is missing or damaged; nothing is removed then.
    """
    made = []
    for manifest in sorted(folder.rglob(f"*{_MANIFEST}")):
        whole = manifest.with_name(manifest.name.removesuffix(_MANIFEST))
        _replace(whole, b"".join(_parts(manifest)))
        Store(manifest.parent)._tidy(whole.name, set())
        made.append(whole)
    return made


def _parts(manifest: Path) -> Iterator[bytes]:
    try:
        parts = json.loads(manifest.read_text(encoding="utf-8"))["parts"]
        digests = {part["name"]: part["sha256"] for part in parts}
    except (ValueError, KeyError, TypeError) as error:
        raise StorageError(f"{manifest} is no list of parts ({error}): copy it again") from error
    for name, digest in digests.items():
        path = manifest.parent / Path(name).name
        if not path.is_file():
            raise StorageError(f"part {path} is missing: copy it again, beside {manifest.name}")
        data = path.read_bytes()
        if hashlib.sha256(data).hexdigest() != digest:
            raise StorageError(
                f"part {path} has another sha256 than {manifest.name} says: copy it again"
            )
        yield data


def _is_part(path: Path) -> bool:
    return len(path.suffix) == 4 and path.suffix[1:].isdigit()


def _replace(path: Path, data: bytes) -> None:
    partial = path.with_name(path.name + _PARTIAL)
    partial.write_bytes(data)
    _flush(partial)
    os.replace(partial, path)


def _flush(path: Path) -> None:
    """Wait until a file is on disk, so that no power cut leaves its name without its content."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
