# Copyright 2026 mixformer2_ros contributors
# SPDX-License-Identifier: Apache-2.0
"""Keeping threads on some of the machine's cores."""

from __future__ import annotations

import os
import re
from collections.abc import Collection, Iterator
from contextlib import contextmanager


def parse_cores(text: str) -> frozenset[int]:
    """Read a list of cores as taskset writes it: `0,2-3`; empty for none in particular.

    Raises:
        ValueError: The text is no such list, or names a core that this process may not use.
    """
    cores: set[int] = set()
    for part in filter(None, map(str.strip, text.split(","))):
        match = re.fullmatch(r"(\d+)(?:-(\d+))?", part)
        if match is None:
            raise ValueError(f"{part!r} is neither a core nor a range; give a list such as 0,2-3")
        first, last = int(match[1]), int(match[2] or match[1])
        if last < first:
            raise ValueError(f"the range {part!r} is empty; give the lower core first")
        if last - first > 4096:
            raise ValueError(f"the range {part!r} has more cores than any machine")
        cores.update(range(first, last + 1))
    if cores and not hasattr(os, "sched_setaffinity"):
        raise ValueError("this system cannot keep threads on cores; leave the list empty")
    missing = cores and cores - os.sched_getaffinity(0)
    if missing:
        there = ",".join(map(str, sorted(os.sched_getaffinity(0))))
        raise ValueError(
            f"this process may not use core {min(missing)}; choose among {there}, or widen what "
            "the process may use (taskset, cgroup)"
        )
    return frozenset(cores)


@contextmanager
def on_cores(cores: Collection[int]) -> Iterator[None]:
    """Keep the calling thread, and threads that it starts meanwhile, on some cores.

    The calling thread may run everywhere again afterwards; the started ones stay (Linux: a thread
    inherits the cores of the one that makes it).

    Args:
        cores: Their numbers; none in particular when empty.
    """
    if not cores:
        yield
        return
    before = os.sched_getaffinity(0)
    os.sched_setaffinity(0, cores)
    try:
        yield
    finally:
        os.sched_setaffinity(0, before)
