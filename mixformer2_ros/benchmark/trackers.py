# Copyright 2026 mixformer2_ros contributors
# SPDX-License-Identifier: Apache-2.0
"""Whole trackers, from the image to the box, beside the classical ones of OpenCV."""

from __future__ import annotations

import argparse

from mixformer2_ros.benchmark.crew import busy_neighbour, crew, ratio, take_turns
from mixformer2_ros.benchmark.subjects import Spec
from mixformer2_ros.benchmark.tables import Table, median, p99
from mixformer2_ros.evaluation.baselines import BASELINES
from mixformer2_ros.inference import ModelError


def measure_trackers(args: argparse.Namespace) -> list[Table]:
    """Time trackers on the same scene, in turns.

    Returns:
        One table: a frame, what of it is not the network, and how many times faster than CSRT.

    Raises:
        ModelError: No engine could be loaded.
    """
    width, height = args.size
    rows, skipped = [], list[str]()
    for threads in args.threads:
        specs = [
            Spec(
                "tracker",
                threads,
                args.model,
                args.checkpoint,
                args.backend,
                precision,
                args.size,
                device=args.device,
            )
            for precision in args.precisions
        ]
        specs += [Spec("baseline", threads, backend=name, size=args.size) for name in BASELINES]
        with crew(specs, skipped) as workers:
            if not any(worker.spec.kind == "tracker" for worker in workers):
                raise ModelError("; ".join(skipped))
            samples = take_turns(workers, args.frames)
            with busy_neighbour():
                beside = take_turns(workers, args.frames)
        csrt = next(
            (s for w, s in zip(workers, samples, strict=True) if w.spec.backend == "csrt"), None
        )
        for worker, sample, busy in zip(workers, samples, beside, strict=True):
            extra = median(sample.extra) if sample.extra else None
            times = None if csrt is None else ratio(csrt, sample)
            figures = median(sample.frames), p99(sample.frames), extra, times
            rows.append((worker.description, *figures, ratio(busy, sample)))
    return [
        Table(
            f"trackers-{args.network}",
            f"From image to box, {width}x{height}, {args.frames} frames each, in turns of ten",
            (
                "tracker",
                "median, ms",
                "p99, ms",
                "beyond the network, ms",
                "times CSRT's speed",
                "times slower beside a busy process",
            ),
            rows,
            tuple(f"Left out: {reason}" for reason in skipped),
        )
    ]
