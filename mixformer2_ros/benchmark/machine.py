# Copyright 2026 mixformer2_ros contributors
# SPDX-License-Identifier: Apache-2.0
"""What is measured on, and what the operating system knows: memory, energy, cores."""

from __future__ import annotations

import os
import platform
import re
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

from mixformer2_ros.inference import processor
from mixformer2_ros.inference.cache import CACHE_VARIABLE
from mixformer2_ros.inference.cuda_driver import gpu_names

_RUNTIMES = ("openvino", "onnxruntime", "torch", "numpy")
_POWERCAP = Path("/sys/class/powercap")


def describe() -> dict[str, str]:
    """Return what the machine is, by its features, and the versions of the runtimes."""
    found = {
        "processor": f"{_processor()}, {processor.describe_features()}",
        "cores": str(processor.cores()),
        "memory": f"{_total_memory() / 2**30:.0f} GiB",
        "system": f"{platform.system()} {platform.machine()}, Python {platform.python_version()}",
    }
    gpus = gpu_names()
    if gpus:
        found["GPU"] = ", ".join(gpus)
    for runtime in (*_RUNTIMES, "tensorrt") if gpus else _RUNTIMES:
        try:
            found[runtime] = version(runtime)
        except PackageNotFoundError:
            found[runtime] = "not installed"
    return found


@contextmanager
def empty_cache() -> Iterator[Path]:
    """Give processes that are started meanwhile a cache of their own, empty at first."""
    before = os.environ.get(CACHE_VARIABLE)
    with tempfile.TemporaryDirectory() as folder:
        os.environ[CACHE_VARIABLE] = folder
        try:
            yield Path(folder)
        finally:
            del os.environ[CACHE_VARIABLE]
            if before is not None:
                os.environ[CACHE_VARIABLE] = before


def resident_memory(process: int | str = "self", peak: bool = False) -> int:
    """Return the bytes of memory that a process holds.

    Args:
        process: Its id; this one by default.
        peak: The most it has held since its program started.

    Raises:
        RuntimeError: This system does not tell.
    """
    status = Path(f"/proc/{process}/status")
    name = "VmHWM" if peak else "VmRSS"
    match = re.search(rf"{name}:\s+(\d+) kB", status.read_text() if status.is_file() else "")
    if match is None:
        raise RuntimeError(f"{status} has no {name}: memory can only be measured on Linux")
    return int(match[1]) << 10


class EnergyMeter:
    """Counts the energy of the processor packages (Intel and AMD RAPL through powercap).

    Args:
        folder: Of the kernel's power capping interface.
    """

    def __init__(self, folder: Path = _POWERCAP) -> None:
        # One colon: whole packages; two: their parts.
        zones = sorted(folder.glob("intel-rapl:*")) if folder.is_dir() else []
        self._counters = [
            zone
            for zone in zones
            if zone.name.count(":") == 1 and os.access(zone / "energy_uj", os.R_OK)
        ]

    def read(self) -> list[int] | None:
        """Return the counters in microjoules; None where there are none that may be read."""
        if not self._counters:
            return None
        return [int((zone / "energy_uj").read_text()) for zone in self._counters]

    def since(self, before: list[int] | None) -> float | None:
        """Return the joules since the counters stood as `before`; None where it was None."""
        now = self.read()
        if before is None or now is None:
            return None
        joules = 0.0
        for zone, first, last in zip(self._counters, before, now, strict=True):
            if last < first:  # the counter has gone round
                last += int((zone / "max_energy_range_uj").read_text())
            joules += (last - first) * 1e-6
        return joules


def _processor() -> str:
    info = Path("/proc/cpuinfo")
    text = info.read_text() if info.is_file() else ""
    match = re.search(r"model name\s*:\s*(.+)", text)
    return match[1].strip() if match else platform.processor() or platform.machine()


def _total_memory() -> int:
    return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
