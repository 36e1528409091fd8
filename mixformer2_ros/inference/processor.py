# Copyright 2026 mixformer2_ros contributors
# SPDX-License-Identifier: Apache-2.0
"""What this machine's processor can do, asked and not assumed."""

from __future__ import annotations

import os
import platform
from pathlib import Path

_CPUINFO = Path("/proc/cpuinfo")
# Feature flags of x86, then of ARM, that multiply a type in its own unit.
_BFLOAT16 = frozenset({"avx512_bf16", "amx_bf16", "bf16"})
_INT8 = frozenset({"avx512_vnni", "avx_vnni", "amx_int8", "asimddp", "i8mm"})
_OTHERS = frozenset({"avx2", "avx512f", "asimd", "asimdhp"})


def processor_flags(path: Path = _CPUINFO) -> frozenset[str]:
    """Feature flags of the first core; empty where the system does not tell.

    Args:
        path: The kernel's file about processors.
    """
    try:
        lines = path.read_text().splitlines()
    except OSError:
        return frozenset()
    for line in lines:
        name, _, value = line.partition(":")
        if name.strip().lower() in ("flags", "features"):
            return frozenset(value.split())
    return frozenset()


def is_x86() -> bool:
    """Whether this is an x86 processor."""
    return platform.machine() in ("x86_64", "AMD64")


def has_bfloat16() -> bool:
    """Whether the processor multiplies bfloat16 itself, so that it is faster than float32.

    Runtimes also offer it where they have to emulate it.
    """
    return not _BFLOAT16.isdisjoint(processor_flags())


def has_int8() -> bool:
    """Whether the processor sums products of 8-bit integers in one instruction.

    Without (VNNI, AMX, ARM's dot product), int8 is slower than float32.
    """
    return not _INT8.isdisjoint(processor_flags())


def cores() -> int:
    """How many cores this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def describe_features() -> str:
    """The features that inference speed depends on, such as "avx2, avx512f, avx512_vnni"."""
    known = (_BFLOAT16 | _INT8 | _OTHERS) & processor_flags()
    return ", ".join(sorted(known)) or "none that help"
