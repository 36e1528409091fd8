# Copyright 2026 mixformer2_ros contributors
# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import mmap
import sys
from pathlib import Path

import pytest

from mixformer2_ros.inference.memory import give_back

SIZE = 8 << 20

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="needs /proc and madvise")


def resident(path: Path) -> int:
    """Bytes of a mapped file that count as this process's memory."""
    lines = iter(Path("/proc/self/smaps").read_text().splitlines())
    total = 0
    for line in lines:
        if line.endswith(str(path)):
            total += next(int(part.split()[1]) for part in lines if part.startswith("Rss:")) << 10
    return total


def test_pages_of_mapped_files_go_and_come_back(tmp_path):
    inside, outside = tmp_path / "artefact" / "weights.bin", tmp_path / "other.bin"
    inside.parent.mkdir()
    maps = []
    for path in (inside, outside):
        path.write_bytes(b"\x05" * SIZE)
        with path.open("rb") as file:
            maps.append(mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ))
        assert sum(maps[-1][::4096]) == 5 * SIZE // 4096
        assert resident(path) == SIZE
    give_back(inside.parent)
    assert resident(inside) == 0
    assert resident(outside) == SIZE
    assert sum(maps[0][::4096]) == 5 * SIZE // 4096
