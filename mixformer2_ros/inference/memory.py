# Copyright 2026 mixformer2_ros contributors
# SPDX-License-Identifier: Apache-2.0
"""Gives memory back that a runtime needed only while it loaded a network."""

from __future__ import annotations

import ctypes
import sys
from pathlib import Path

_MADV_DONTNEED = 4


def give_back(folder: Path) -> None:
    """Let go of the pages of mapped files in a folder, and of freed heap memory. Linux only.

    Runtimes map the file of weights, copy them into the order their kernels want, and keep the
    file mapped: its pages would count as this process's memory for ever. What is read again comes
    from the file.

    Args:
        folder: Of the artefact.
    """
    if sys.platform != "linux":
        return
    library = ctypes.CDLL(None)
    prefix = f"{folder.resolve()}/"
    for line in Path("/proc/self/maps").read_text().splitlines():
        fields = line.split(maxsplit=5)
        if len(fields) < 6 or not fields[5].startswith(prefix):
            continue
        start, end = (int(address, 16) for address in fields[0].split("-"))
        library.madvise(ctypes.c_void_p(start), ctypes.c_size_t(end - start), _MADV_DONTNEED)
    if hasattr(library, "malloc_trim"):  # glibc
        library.malloc_trim(0)
