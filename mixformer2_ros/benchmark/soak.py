# Copyright 2026 mixformer2_ros contributors
# SPDX-License-Identifier: Apache-2.0
"""The node for minutes under everything a camera and an operator can do to it."""

from __future__ import annotations

import argparse
import itertools
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from copy import copy
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from mixformer2_ros.benchmark.node import node_parameters, require_ros
from mixformer2_ros.benchmark.node_process import Entry
from mixformer2_ros.benchmark.tables import Table

if TYPE_CHECKING:
    from mixformer2_ros.benchmark.rig import Rig, Shot

MOST_GROWTH = 24.0
"""MB that the node's memory may grow after the first third of the run."""
MOST_DRIFT = 1.5
"""Times that the network may get slower from the first to the last fifth of the frames."""
LONGEST_ANSWER = 1.0
"""Seconds that an answer to a request may take."""
LONGEST_SILENCE = 5.0
"""Seconds after a good image in which its state has to come."""

_CLIPS = (((1280, 720), "bgr8"), ((640, 480), "mono8"), ((960, 720), "rgb8"))
_CLIP_FRAMES = 15
_CHECK_EVERY = 60
# Fewer frames in a fifth say nothing about drift.
_LEAST_FRAMES = 60
_NAMES = tuple(f"target {number}" for number in range(10))  # two more than the node holds


class _Figure(NamedTuple):
    """One row: what was measured, its value, its limit, and whether that is kept."""

    what: str
    value: int | float
    limit: int | float | None = None
    is_kept: bool = True

    @classmethod
    def at_most(cls, what: str, value: int | float, limit: int | float) -> _Figure:
        return cls(what, value, limit, value <= limit)


def measure_soak(args: argparse.Namespace) -> list[Table]:
    """Let the node run and report what has become of it.

    Returns:
        One table; its failures are the limits that were broken.

    Raises:
        RuntimeError: ROS 2 is missing, or the node died or fell silent.
    """
    require_ros()
    from mixformer2_ros.benchmark.rig import Rig, clip

    clips = [itertools.cycle(clip(*kind, _CLIP_FRAMES)) for kind in _CLIPS]
    # So little that the history is full soon: what grows then is a leak.
    parameters = {**node_parameters(args), "history_megabytes": 32}
    with (
        tempfile.TemporaryDirectory() as folder,
        Rig(Path(folder), parameters, args.rate) as rig,
    ):
        rig.start(clips[0])
        soak = _Soak(rig, clips, np.random.default_rng(args.seed))
        soak.run(60 * args.minutes)
        figures = soak.figures()
    return [
        Table(
            "soak",
            f"{args.minutes:g} minutes of images at {args.rate:g} Hz with targets set and cleared, "
            f"other resolutions and damaged images in between (seed {args.seed})",
            ("what", "value", "limit"),
            [(figure.what, figure.value, figure.limit) for figure in figures],
            failures=tuple(
                f"{figure.what} is {figure.value:.3g}, its limit {figure.limit:.3g}"
                for figure in figures
                if not figure.is_kept
            ),
        )
    ]


class _Soak:
    """Shows images, and now and then does something else.

    Args:
        rig: The node, running.
        clips: Images, one kind each.
        rng: Source of what happens when.
    """

    def __init__(self, rig: Rig, clips: Sequence[Iterator[Shot]], rng: np.random.Generator) -> None:
        self._rig = rig
        self._clips = clips
        self._rng = rng
        self._kind = 0
        self._memory: list[float] = []
        self._done: Counter[str] = Counter()
        self._silences = 0
        self._events: dict[str, tuple[float, Callable[[Shot, int], object]]] = {
            "targets set": (0.05, self._set_target),
            "targets cleared": (0.01, self._clear_target),
            "changes of resolution": (0.01, self._change_resolution),
            "damaged images": (0.03, self._send_damaged),
            "images of the past": (0.005, self._send_old),
        }

    def run(self, seconds: float) -> None:
        """Go on for so long."""
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            if self._done["images"] % _CHECK_EVERY == 0:
                self._check()
            shot = next(self._clips[self._kind])
            stamp = self._rig.show(shot.message)
            self._done["images"] += 1
            for name, (share, happen) in self._events.items():
                if self._rng.random() < share:
                    happen(shot, stamp)
                    self._done[name] += 1

    def figures(self) -> list[_Figure]:
        """Return what is to be reported."""
        entries = self._rig.entries()
        counts = [_Figure(name, count) for name, count in self._done.items()]
        return [
            *counts,
            _Figure("frames with a target", len(entries)),
            _Figure.at_most("times it fell silent", self._silences, 0),
            _Figure.at_most("longest answer, s", max(self._rig.answer_seconds), LONGEST_ANSWER),
            _Figure("memory at the end, MB", self._memory[-1]),
            _Figure.at_most("growth of memory, MB", _growth(self._memory), MOST_GROWTH),
            _Figure.at_most("network, last fifth over first", _drift(entries), MOST_DRIFT),
        ]

    def _check(self) -> None:
        self._rig.check()
        self._memory.append(self._rig.memory() / 2**20)
        stamp = self._rig.show(next(self._clips[self._kind]).message)
        if not self._rig.wait_for_state(stamp, LONGEST_SILENCE):
            self._silences += 1

    def _set_target(self, shot: Shot, stamp: int) -> None:
        box = shot.box if self._rng.random() < 0.8 else self._rng.uniform(-2000, 4000, 4)
        late = int(self._rng.choice([0, 0, 200, 100_000])) * 1_000_000
        self._rig.set_target(box, stamp - late, str(self._rng.choice(_NAMES)))

    def _clear_target(self, shot: Shot, stamp: int) -> None:
        self._rig.clear_target(str(self._rng.choice([*_NAMES, ""])))

    def _change_resolution(self, shot: Shot, stamp: int) -> None:
        self._kind = int(self._rng.integers(len(self._clips)))

    def _send_damaged(self, shot: Shot, stamp: int) -> None:
        message = copy(shot.message)
        damage = _DAMAGES[int(self._rng.integers(len(_DAMAGES)))]
        damage(message)
        self._rig.show(message)

    def _send_old(self, shot: Shot, stamp: int) -> None:
        self._rig.show(shot.message, stamp - 3_600_000_000_000)


def _cut_short(message: Any) -> None:
    message.data = message.data[: len(message.data) // 2]


def _empty(message: Any) -> None:
    message.data = b""


def _no_pixels(message: Any) -> None:
    message.height = 0


def _no_step(message: Any) -> None:
    message.step = 0


def _huge(message: Any) -> None:
    message.width = message.height = 1 << 31


def _unknown(message: Any) -> None:
    message.encoding = "rgb99"


_DAMAGES: tuple[Callable[[Any], None], ...] = (
    _cut_short,
    _empty,
    _no_pixels,
    _no_step,
    _huge,
    _unknown,
)


def _growth(memory: Sequence[float]) -> float:
    """Return by how much memory grew, from the end of the first third to the last tenth."""
    third = memory[len(memory) // 3 :]
    part = max(1, len(third) // 10)
    return float(np.median(third[-part:]) - np.median(third[:part]))


def _drift(entries: Sequence[Entry]) -> float:
    """Return how many times slower frames with one target got; 1 where there are too few."""
    times = [entry.inference for entry in entries if entry.targets == 1]
    part = len(times) // 5
    if part < _LEAST_FRAMES:
        return 1.0
    return float(np.median(times[-part:]) / np.median(times[:part]))
