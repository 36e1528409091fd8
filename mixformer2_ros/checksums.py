# Copyright 2026 mixformer2_ros contributors
# SPDX-License-Identifier: Apache-2.0
"""SHA256SUMS files, as `sha256sum` writes and checks them."""

from __future__ import annotations

import hashlib
import os
import re
from pathlib import Path

NAME = "SHA256SUMS"
"""Name of the file, beside what it lists."""

_BLOCK = 1 << 20


def file_sha256(path: Path) -> str:
    """Return the SHA-256 of a file's content, 64 hexadecimal digits."""
    digest = hashlib.sha256()
    with path.open("rb") as file:
        while block := file.read(_BLOCK):
            digest.update(block)
    return digest.hexdigest()


def read_sums(folder: Path) -> dict[str, str]:
    """Return file name to SHA-256, as listed in a folder; empty without a list.

    Raises:
        ValueError: A line is not a checksum and a name.
    """
    path = folder / NAME
    sums = {}
    for line in path.read_text(encoding="utf-8").splitlines() if path.is_file() else ():
        found = re.fullmatch(r"([0-9a-f]{64}) [ *](.+)", line)
        if found is None:
            raise ValueError(f"{path}: {line!r} is no checksum and file name; see sha256sum")
        sums[found[2]] = found[1]
    return sums


def add_sum(path: Path) -> str:
    """List a file in its folder, or renew its line; return its SHA-256."""
    sums = read_sums(path.parent)
    sums[path.name] = file_sha256(path)
    partial = path.with_name(NAME + ".part")
    partial.write_text("".join(f"{sums[name]}  {name}\n" for name in sorted(sums)), "utf-8")
    os.replace(partial, path.with_name(NAME))
    return sums[path.name]


def problem(path: Path) -> str | None:
    """Say what is wrong with a file's content; None where it is as listed."""
    listed = read_sums(path.parent).get(path.name)
    if listed is None:
        return f"not listed in {path.with_name(NAME)}"
    found = file_sha256(path)
    return None if found == listed else f"has sha256 {found} instead of {listed}: copy it again"
