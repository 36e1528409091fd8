# Copyright 2026 mixformer2_ros contributors
# SPDX-License-Identifier: Apache-2.0
"""The network alone: every engine in turn with the published way of running it."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from functools import partial
from typing import TypeAlias

import numpy as np

from mixformer2_ros.benchmark import machine
from mixformer2_ros.benchmark.crew import Samples, busy_neighbour, crew, ratio, take_turns
from mixformer2_ros.benchmark.gemm import products as products_of
from mixformer2_ros.benchmark.subjects import Spec
from mixformer2_ros.benchmark.tables import Cell, Table, median, p99, shown
from mixformer2_ros.benchmark.work import macs_per_frame, sizes_that_run
from mixformer2_ros.benchmark.worker import Worker
from mixformer2_ros.inference import BACKENDS, ModelError, processor
from mixformer2_ros.inference.selection import GPU_PRECISIONS, PRECISIONS
from mixformer2_ros.model.variants import Variant

_PEAK_FRAMES = 20
_PAUSE = 0.02

Row: TypeAlias = "tuple[Cell, ...]"
Peaks = dict[tuple[str, int], float]
"""Multiplications a second by precision and threads."""


def measure_engines(args: argparse.Namespace) -> list[Table]:
    """Measure what the arguments of `mixformer2 benchmark engine` ask for.

    Raises:
        ModelError: No engine could be loaded.
    """
    tables: list[Table] = []
    if set(args.parts) != {"start"}:
        tables += _take_turns(args)
    if "start" in args.parts:
        tables.append(_start(args))
    return tables


def _take_turns(args: argparse.Namespace) -> list[Table]:
    """Measure with the same processes: alone, with several targets, with a busy neighbour."""
    speeds: list[Row] = []
    targets: list[Row] = []
    busy: list[Row] = []
    skipped: list[str] = []
    tables: list[Table] = []
    peaks: Peaks = {}
    on_cpu = args.device == "cpu"
    macs = 0
    if "speed" in args.parts:
        sizes = sizes_that_run(args.model, args.checkpoint)
        macs = macs_per_frame(sizes)
        if on_cpu:
            peaks, table = _peaks(args, sizes)
            tables.append(table)
    # Threads of the processor hardly matter on a GPU.
    for threads in args.threads if on_cpu else [max(args.threads)]:
        specs = _specs(args, threads)
        if "speed" in args.parts:
            reference = Spec("reference", threads, args.model, args.checkpoint, device=args.device)
            specs = [reference, *specs]
        with crew(specs, skipped) as workers:
            engines = [worker for worker in workers if worker.spec.kind == "engine"]
            if not engines:
                raise ModelError("; ".join(skipped) or "no engine was asked for")
            if "speed" in args.parts:
                speeds += _speed(workers, args, macs, peaks)
            if "targets" in args.parts and threads == max(args.threads):
                targets += _targets(engines, args)
            if "busy" in args.parts:
                busy += _busy(engines, args)
    reasons = tuple(f"Left out: {reason}" for reason in skipped)
    speed_table = partial(_speed_table, macs)
    named = ((speeds, speed_table), (targets, _targets_table), (busy, _busy_table))
    return [*(make(args, rows, reasons) for rows, make in named if rows), *tables]


def _specs(args: argparse.Namespace, threads: int) -> list[Spec]:
    return [
        Spec(
            "engine",
            threads,
            args.model,
            args.checkpoint,
            backend,
            precision,
            device=args.device,
        )
        for backend in args.backends or BACKENDS
        for precision in (PRECISIONS if args.device == "cpu" else GPU_PRECISIONS)[backend]
        if args.precisions is None or precision in args.precisions
    ]


def _speed(
    workers: Sequence[Worker], args: argparse.Namespace, macs: int, peaks: Peaks
) -> list[Row]:
    samples = take_turns(workers, args.frames)
    reference = samples[0] if workers[0].spec.kind == "reference" else None
    rows: list[Row] = []
    for worker, sample in zip(workers, samples, strict=True):
        peak = peaks.get((worker.spec.precision, worker.spec.threads))
        reached = None if peak is None else 100 * macs / float(np.median(sample.frames)) / peak
        times = None if reference is None else ratio(reference, sample)
        figures = times, reached, sample.joules_per_frame
        rows.append((worker.description, *_times(sample), *figures))
    return rows


def _speed_table(
    macs: int, args: argparse.Namespace, rows: Sequence[Row], reasons: tuple[str, ...]
) -> Table:
    if rows[0][-1] is None:
        reasons = ("Energy: not readable on this machine (no RAPL counters)", *reasons)
    return Table(
        f"engines-{args.network}",
        f"Network alone, one target, {args.frames} frames each, in turns of ten; "
        f"{2e-9 * macs:.1f} GFLOP a frame",
        ("engine", "median, ms", "p99, ms", "times the reference", "% of the peak", "J a frame"),
        rows,
        reasons,
    )


def _targets(workers: Sequence[Worker], args: argparse.Namespace) -> list[Row]:
    columns = [take_turns(workers, args.frames, targets) for targets in args.targets]
    rows: list[Row] = []
    for index, worker in enumerate(workers):
        one, *more = (column[index] for column in columns)
        several = [f"{shown(median(some.frames))} ({ratio(some, one):.1f})" for some in more]
        rows.append((worker.description, median(one.frames), *several))
    return rows


def _targets_table(
    args: argparse.Namespace, rows: Sequence[Row], reasons: tuple[str, ...]
) -> Table:
    first, *others = args.targets
    return Table(
        f"targets-{args.network}",
        f"Network alone, several targets in one batch, {args.frames} frames each",
        ("engine", f"{first}, ms", *(f"{several}, ms (times {first})" for several in others)),
        rows,
        reasons,
    )


def _busy(workers: Sequence[Worker], args: argparse.Namespace) -> list[Row]:
    pauses = 0.0, _PAUSE
    alone = [take_turns(workers, args.frames, pause=pause) for pause in pauses]
    with busy_neighbour():
        beside = [take_turns(workers, args.frames, pause=pause) for pause in pauses]
    rows: list[Row] = []
    for index, worker in enumerate(workers):
        figures: list[float] = []
        for one, two in zip(alone, beside, strict=True):
            before, after = one[index], two[index]
            figures += [median(before.frames), median(after.frames), ratio(after, before)]
        rows.append((worker.description, *figures))
    return rows


def _busy_table(args: argparse.Namespace, rows: Sequence[Row], reasons: tuple[str, ...]) -> Table:
    return Table(
        f"busy-{args.network}",
        f"Network alone, then with one busy process beside it on {processor.cores()} cores, "
        f"{args.frames} frames each: one after the other, and with {1e3 * _PAUSE:g} ms between "
        "them as a camera makes",
        (
            "engine",
            "alone, ms",
            "beside it, ms",
            "times slower",
            "with pauses, alone, ms",
            "beside it, ms",
            "times slower",
        ),
        rows,
        reasons,
    )


def _peaks(args: argparse.Namespace, sizes: Variant) -> tuple[Peaks, Table]:
    """Measure the machine's peak: the fastest product in the fastest library."""
    best: dict[tuple[str, int], tuple[float, str]] = {}
    for threads in args.threads:
        for products in products_of(sizes):
            try:
                worker = Worker(Spec("products", threads, products=products))
            except ModelError:  # the processor lacks the precision
                continue
            _, times = worker.run(_PEAK_FRAMES)
            worker.close()
            for product in products:
                rate = product.macs / float(np.median([time[product.shape] for time in times]))
                key = product.precision, threads
                by = f"{product.library}, {product.shape}"
                best[key] = max(best.get(key, (0.0, "")), (rate, by))
    table = Table(
        f"peaks-{args.network}",
        "Peak of this machine: the fastest product of matrices, of the network's own shapes and "
        "square ones, in any library installed",
        ("precision", "threads", "GFLOP/s", "by"),
        [(precision, n, 2e-9 * rate, by) for (precision, n), (rate, by) in best.items()],
    )
    return {key: rate for key, (rate, _) in best.items()}, table


def _start(args: argparse.Namespace) -> Table:
    """Time fresh processes: first with nothing cached, then with what the first left."""
    threads = max(args.threads)
    rows: list[Row] = []
    skipped: list[str] = []
    for spec in _specs(args, threads):
        with machine.empty_cache(), crew([spec], skipped) as cold, crew([spec], skipped) as cached:
            for first, again in zip(cold, cached, strict=True):
                seconds = first.start_seconds, again.start_seconds
                rows.append((first.description, *seconds, *_memory(first, again)))
    return Table(
        f"start-{args.network}",
        "A process that only loads an engine and finds one box: from its start to that box, with "
        "nothing cached and for the second time, and the most memory it holds",
        ("engine", "first start, s", "later start, s", "first, MB", "later, MB"),
        rows,
        tuple(f"Left out: {reason}" for reason in skipped),
    )


def _memory(*workers: Worker) -> tuple[int, ...]:
    return tuple(worker.peak_memory() >> 20 for worker in workers)


def _times(sample: Samples) -> tuple[float, float]:
    return median(sample.frames), p99(sample.frames)
