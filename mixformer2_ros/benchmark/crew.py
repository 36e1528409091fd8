# Copyright 2026 mixformer2_ros contributors
# SPDX-License-Identifier: Apache-2.0
"""Several workers that take turns, so that what slows the machine down slows all of them down."""

from __future__ import annotations

import math
import os
import signal
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field

import numpy as np

from mixformer2_ros.benchmark.machine import EnergyMeter
from mixformer2_ros.benchmark.subjects import Spec
from mixformer2_ros.benchmark.worker import Worker
from mixformer2_ros.inference import ModelError

BURST = 10
"""Counted frames of one turn."""
SETTLE = 0.1
"""Seconds of every turn before they count, at least one frame: it finds the caches full of others'
data, and threads that slept take the system some time to get cores of their own again."""


@dataclass
class Samples:
    """What one worker measured.

    Attributes:
        frames: Seconds of every frame.
        extra: Seconds of every frame beyond the network's, of trackers.
        joules: Energy of all frames together; None where it cannot be read.
    """

    frames: list[float] = field(default_factory=list)
    extra: list[float] = field(default_factory=list)
    joules: float | None = 0.0

    @property
    def joules_per_frame(self) -> float | None:
        """Energy of one frame."""
        return None if self.joules is None else self.joules / len(self.frames)


@contextmanager
def crew(specs: Sequence[Spec], skipped: list[str]) -> Iterator[list[Worker]]:
    """Start a worker for every subject that can be run here; they end with the context.

    Args:
        specs: The subjects.
        skipped: Gets the reasons why others cannot.
    """
    with ExitStack() as stack:
        workers = []
        for spec in specs:
            try:
                worker = Worker(spec)
            except ModelError as error:
                if str(error) not in skipped:
                    skipped.append(str(error))
                continue
            stack.callback(worker.close)
            workers.append(worker)
        yield workers


def take_turns(
    workers: Sequence[Worker], frames: int, targets: int = 1, pause: float = 0.0
) -> list[Samples]:
    """Measure all workers in turns.

    Args:
        workers: Who is measured.
        frames: Counted frames of each.
        targets: Targets in a frame.
        pause: Seconds between frames.

    Returns:
        What each measured, in their order.
    """
    meter = EnergyMeter()
    samples = [Samples() for _ in workers]
    for worker in workers:
        worker.run(1, targets)
    for turn in range(math.ceil(frames / BURST)):
        counted = min(BURST, frames - turn * BURST)
        for worker, sample in zip(workers, samples, strict=True):
            before = meter.read()
            uncounted, times = worker.run(counted, targets, pause, SETTLE)
            joules = meter.since(before)
            sample.frames += [time["frame"] for time in times]
            sample.extra += [time["frame"] - time["network"] for time in times if "network" in time]
            if joules is None or sample.joules is None:
                sample.joules = None
            else:
                sample.joules += joules * counted / (counted + uncounted)
    return samples


@contextmanager
def busy_neighbour() -> Iterator[None]:
    """Keep one core busy with a process that only counts."""
    code = "import os\nparent = os.getppid()\nwhile os.getppid() == parent: pass"
    process = subprocess.Popen([sys.executable, "-c", code])
    try:
        yield
    finally:
        os.kill(process.pid, signal.SIGKILL)
        process.wait()


def ratio(reference: Samples, other: Samples) -> float:
    """Return how many times faster the other is than the reference, by medians."""
    return float(np.median(reference.frames) / np.median(other.frames))
