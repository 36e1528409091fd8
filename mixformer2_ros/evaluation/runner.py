# Copyright 2026 mixformer2_ros contributors
# SPDX-License-Identifier: Apache-2.0
"""Running a tracker over a data set: in parallel, resumable, one failure at a time."""

from __future__ import annotations

import multiprocessing
import traceback
from collections.abc import Callable, Iterable
from collections.abc import Sequence as Several
from concurrent.futures import Future, ProcessPoolExecutor, as_completed
from concurrent.futures.process import BrokenProcessPool
from dataclasses import dataclass, field
from typing import Any

import cv2
from tqdm import tqdm

from mixformer2_ros.evaluation.datasets import Sequence
from mixformer2_ros.evaluation.playback import TrackerLike, play
from mixformer2_ros.evaluation.results import ResultStore, SequenceResult
from mixformer2_ros.evaluation.trackers import TrackerFactory
from mixformer2_ros.inference import processor

Player = Callable[[TrackerLike, Sequence], SequenceResult]
"""How a sequence is given to a tracker, such as `playback.play`."""


@dataclass
class RunReport:
    """How a run went.

    Attributes:
        finished: Names of the sequences tracked in this run.
        skipped: Names of those that were finished before.
        failed: Why, for each sequence that could not be tracked.
    """

    finished: list[str] = field(default_factory=list)
    skipped: list[str] = field(default_factory=list)
    failed: dict[str, str] = field(default_factory=dict)

    def __str__(self) -> str:
        """Return the numbers of sequences in words."""
        counts = f"{len(self.finished)} sequences run, {len(self.skipped)} finished before"
        return f"{counts}, {len(self.failed)} failed" if self.failed else counts


@dataclass(frozen=True)
class _Job:
    factory: TrackerFactory
    player: Player
    store: ResultStore
    tracker: str
    recipe: dict[str, Any]

    def __call__(self, sequence: Sequence) -> None:
        if not self.store.has(self.tracker, sequence.name):  # another shard may have been faster
            result = self.player(self.factory(), sequence)
            result.meta["recipe"] = self.recipe
            describe = getattr(self.factory, "describe", None)
            if describe is not None:
                result.meta["engine"] = describe()
            self.store.write(self.tracker, sequence.name, result)


def run(
    factory: TrackerFactory,
    sequences: Several[Sequence],
    store: ResultStore,
    tracker: str,
    *,
    player: Player = play,
    recipe: dict[str, Any] | None = None,
    workers: int | None = None,
    progress: bool = True,
) -> RunReport:
    """Track sequences and keep the results; finished ones are skipped.

    An error, even the death of a worker process, costs only the sequence it happens in.

    Args:
        factory: Makes the tracker, once per sequence. Where it has a method `describe`, the text
            that returns is kept with the results as `meta["engine"]`.
        sequences: What to track.
        store: Where the results go.
        tracker: Name the results get.
        player: How frames are given to the tracker.
        recipe: What decides the results (JSON values). It is kept with them, and results of another
            recipe are not taken for finished ones.
        workers: Processes; None = one per core, but no more than there are sequences left. With 1
            everything runs in this process.
        progress: Show a progress bar on a terminal.

    Returns:
        Which sequences were tracked, skipped, failed.

    Raises:
        ValueError: `workers` is below 1, or the store holds results of another recipe.
    """
    if workers is not None and workers < 1:
        raise ValueError(f"workers is {workers}; give at least 1")
    report = RunReport()
    pending = []
    for sequence in sequences:
        if store.has(tracker, sequence.name):
            _check_recipe(store, tracker, sequence.name, recipe or {})
            report.skipped.append(sequence.name)
        else:
            pending.append(sequence)
    pending.sort(key=len, reverse=True)  # the longest first keeps all workers busy to the end
    count = min(workers or processor.cores(), max(len(pending), 1))
    job = _Job(factory, player, store, tracker, recipe or {})
    frames = sum(len(sequence) for sequence in pending)
    with tqdm(total=frames, unit="frame", desc=tracker, disable=None if progress else True) as bar:
        done = _run_here(job, pending) if count == 1 else _run_pool(job, pending, count)
        for sequence, error in done:
            bar.update(len(sequence))
            if error is None:
                report.finished.append(sequence.name)
            else:
                report.failed[sequence.name] = error.strip().splitlines()[-1]
                store.write_error(tracker, sequence.name, error)
    return report


def shard(sequences: Several[Sequence], index: int, count: int) -> list[Sequence]:
    """Return one of several parts of a data set with about equally many frames each.

    Args:
        sequences: The data set.
        index: Which part, from 1 to `count`.
        count: Number of parts; together they are the whole data set, without overlap.

    Raises:
        ValueError: `index` is not in [1, count].
    """
    if not 1 <= index <= count:
        raise ValueError(f"shard {index}/{count}: give i/n with i from 1 to n")
    parts: list[list[Sequence]] = [[] for _ in range(count)]
    for sequence in sorted(sequences, key=lambda sequence: (-len(sequence), sequence.name)):
        min(parts, key=lambda part: sum(map(len, part))).append(sequence)
    return sorted(parts[index - 1], key=lambda sequence: sequence.name)


def merge(store: ResultStore, others: Iterable[ResultStore]) -> int:
    """Copy the results of other stores that this one lacks, in the layout of this one.

    Args:
        store: Where they go.
        others: Stores of shards, or of other toolkits.

    Returns:
        How many sequences were copied.

    Raises:
        ResultError: A result is damaged.
    """
    copied = 0
    for other in others:
        for tracker in other.trackers():
            for sequence in other.sequences(tracker):
                if not store.has(tracker, sequence):
                    store.write(tracker, sequence, other.read(tracker, sequence))
                    copied += 1
    return copied


def _check_recipe(store: ResultStore, tracker: str, sequence: str, recipe: dict[str, Any]) -> None:
    stored = store.meta(tracker, sequence).get("recipe", {})
    different = sorted(
        key for key in stored.keys() | recipe.keys() if stored.get(key) != recipe.get(key)
    )
    if different:
        changes = ", ".join(f"{key} {stored.get(key)} -> {recipe.get(key)}" for key in different)
        raise ValueError(
            f"{store.root / tracker} holds results of other settings ({changes}): choose another "
            "name or another folder for the results, or delete these"
        )


def _attempt(job: _Job, sequence: Sequence) -> str | None:
    try:
        job(sequence)
    except Exception:  # one bad sequence must not stop the others, whatever the tracker raises
        return traceback.format_exc()
    return None


def _run_here(job: _Job, pending: Several[Sequence]) -> Iterable[tuple[Sequence, str | None]]:
    threads = cv2.getNumThreads()
    cv2.setNumThreads(1)  # as in the workers: speeds stay comparable
    try:
        for sequence in pending:
            yield sequence, _attempt(job, sequence)
    finally:
        cv2.setNumThreads(threads)


def _run_pool(
    job: _Job, pending: Several[Sequence], count: int
) -> Iterable[tuple[Sequence, str | None]]:
    """Run in worker processes; what was under way when one died is tried again, each alone."""
    left = {sequence.name: sequence for sequence in pending}
    while left:
        before = len(left)
        try:
            for sequence, error in _pool_once(job, list(left.values()), count):
                del left[sequence.name]
                yield sequence, error
        except BrokenProcessPool:
            suspects = list(left.values())[: count + 1]
            for sequence in suspects:
                del left[sequence.name]
                yield sequence, _run_alone(job, sequence)
        if len(left) == before:
            raise RuntimeError("worker processes die at once: run with --workers 1 to see why")


def _pool_once(
    job: _Job, pending: Several[Sequence], count: int
) -> Iterable[tuple[Sequence, str | None]]:
    context = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(count, mp_context=context, initializer=_start_worker) as pool:
        futures: dict[Future[str | None], Sequence] = {
            pool.submit(_attempt, job, sequence): sequence for sequence in pending
        }
        try:
            for future in as_completed(futures):
                yield futures[future], future.result()
        except BaseException:
            pool.shutdown(wait=False, cancel_futures=True)
            raise


def _run_alone(job: _Job, sequence: Sequence) -> str | None:
    try:
        ((_, error),) = _pool_once(job, [sequence], 1)
    except BrokenProcessPool:
        return "the process was killed while it tracked this sequence (crash, or out of memory)"
    return error


def _start_worker() -> None:
    cv2.setNumThreads(1)
