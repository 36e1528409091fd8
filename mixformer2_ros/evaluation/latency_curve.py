# Copyright 2026 mixformer2_ros contributors
# SPDX-License-Identifier: Apache-2.0
"""Accuracy over latency: the same tracker judged with results that come late."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence as Several

from mixformer2_ros.evaluation.datasets import Sequence
from mixformer2_ros.evaluation.results import ResultStore
from mixformer2_ros.evaluation.runner import run
from mixformer2_ros.evaluation.scores import TrackerScore
from mixformer2_ros.evaluation.scoring import score_tracker
from mixformer2_ros.evaluation.streaming import Latency, StreamPlayer, replay
from mixformer2_ros.evaluation.summary import LatencyPoint
from mixformer2_ros.evaluation.trackers import Entrant


def latency_curve(
    args: argparse.Namespace,
    store: ResultStore,
    name: str,
    tracker: Entrant | None,
    sequences: Several[Sequence],
) -> tuple[list[LatencyPoint], list[str]]:
    """Judge a tracker at every latency that the arguments ask for.

    Args:
        args: Those of `mixformer2 evaluate`.
        store: Holds the results without latency; takes those with it.
        name: Of the results without latency.
        tracker: What made them; None where they can only be replayed.
        sequences: The data set.

    Returns:
        The curve, and the names of the new results.
    """
    offline = score_tracker(sequences, store, name)
    points = [_point("0ms", "offline", offline)]
    names = []
    for latency in args.latency:
        again = not (args.pipelined or args.replay or latency.source == "recorded")
        how = "pipelined" if args.pipelined else "replayed"
        late = f"{name}@{latency}"
        if again and tracker is not None and args.bag is None:
            how = "run"
            report = run(
                tracker.factory,
                sequences,
                store,
                late,
                player=StreamPlayer(latency),
                recipe={**tracker.recipe, "latency": str(latency), "fps": args.fps},
                workers=args.workers,
            )
            print(f"{late}: {report}", file=sys.stderr)
        else:
            late = f"{late}-{how}"
            _replay(store, name, late, latency, args.pipelined, sequences)
        names.append(late)
        points.append(_point(str(latency), how, score_tracker(sequences, store, late)))
    return points, names


def _replay(
    store: ResultStore,
    name: str,
    late: str,
    latency: Latency,
    pipelined: bool,
    sequences: Several[Sequence],
) -> None:
    for sequence in sequences:
        if store.has(name, sequence.name):
            offline = store.read(name, sequence.name)
            result = replay(sequence, offline, latency, pipelined=pipelined)
            store.write(late, sequence.name, result)


def _point(latency: str, how: str, score: TrackerScore) -> LatencyPoint:
    return LatencyPoint(
        latency, how, score.overall["success_auc"], score.overall["effective_frame_rate"]
    )
