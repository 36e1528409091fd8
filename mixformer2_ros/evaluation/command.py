# Copyright 2026 mixformer2_ros contributors
# SPDX-License-Identifier: Apache-2.0
"""`mixformer2 evaluate`: trackers on a benchmark or a bag, as numbers that can be defended."""

from __future__ import annotations

import argparse
import json
import re
import sys
from collections.abc import Sequence as Several
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

from tqdm import tqdm

from mixformer2_ros.evaluation.bag_evaluation import run_bag
from mixformer2_ros.evaluation.bags import read_bag_image
from mixformer2_ros.evaluation.command_arguments import add_arguments, check
from mixformer2_ros.evaluation.datasets import DatasetError, Sequence
from mixformer2_ros.evaluation.extras import require
from mixformer2_ros.evaluation.latency_curve import latency_curve
from mixformer2_ros.evaluation.layouts import open_dataset
from mixformer2_ros.evaluation.playback import play, play_supervised, read_image
from mixformer2_ros.evaluation.results import ResultStore
from mixformer2_ros.evaluation.runner import merge, shard
from mixformer2_ros.evaluation.runner import run as run_tracker
from mixformer2_ros.evaluation.scores import TrackerScore
from mixformer2_ros.evaluation.scoring import score_tracker
from mixformer2_ros.evaluation.summary import LatencyPoint, as_dict, as_text
from mixformer2_ros.evaluation.trackers import Entrant, recipe_of, tracker_factory
from mixformer2_ros.inference import processor
from mixformer2_ros.tracking.config import TrackerConfig

__all__ = ["add_arguments", "run"]

_SERVERS = ("got10k", "trackingnet")
_INCOMPLETE = 1


def run(args: argparse.Namespace) -> int:
    """Track what is not finished, then score.

    Returns:
        0, or 1 when a sequence failed or is missing.

    Raises:
        DatasetError: The data set cannot be read.
        ModelError: The network cannot be loaded.
        ValueError: Arguments that do not fit together, or results of other settings.
    """
    check(args)
    store = ResultStore(args.results, "got10k" if args.dataset == "got10k" else "flat")
    copied = merge(store, [ResultStore(folder) for folder in args.merge])
    if copied:
        print(f"merged {copied} sequences", file=sys.stderr)
    sequences = [] if args.bag else _open(args)
    trackers = _trackers(args)
    if args.bag:
        sequences = _run_bags(args, store, trackers)
    names = [_import(store, name, folder, sequences) for name, folder in args.imported]
    if not args.bag:
        for tracker in trackers:
            _run(args, store, tracker, sequences)
    names += [tracker.name for tracker in trackers]
    if not names:
        names = [name for name in store.trackers() if "@" not in name]
    curves = {}
    judged = list(names)
    for name in names if args.latency else []:
        known = next((tracker for tracker in trackers if tracker.name == name), None)
        curves[name], late = latency_curve(args, store, name, known, sequences)
        judged += late
    progress = partial(tqdm, desc="scoring", leave=False, disable=None)
    scores = [score_tracker(sequences, store, name, progress) for name in judged]
    _pack(args, store, names, sequences)
    _print(args, scores, len(names), curves, sequences)
    if args.report is not None:
        _report(args, store, names, curves, sequences)
    return _INCOMPLETE if any(score.missing for score in scores) else 0


def _trackers(args: argparse.Namespace) -> list[Entrant]:
    specs = args.tracker or ([] if args.imported or args.merge else ["mixformer"])
    engine: dict[str, Any] = {
        "variant": args.model,
        "checkpoint": args.checkpoint,
        "backend": args.backend,
        "device": args.device,
        "precision": args.precision,
        "threads": args.threads,
    }
    workers = args.workers or processor.cores()
    if args.threads is None and workers > 1 and args.bag is None:
        engine["threads"] = 1
    config = TrackerConfig(robust=not args.paper, search_factor=args.search_factor)
    if args.update_interval is not None:
        config = replace(config, update_interval=args.update_interval)
    trackers = []
    for spec in specs:
        if spec == "none":
            continue
        factory = tracker_factory(spec, engine, config)
        recipe = recipe_of(factory)
        if args.supervised:
            recipe["supervised"] = True
        trackers.append(Entrant(args.name or _name(args, spec), factory, recipe))
    return trackers


def _name(args: argparse.Namespace, spec: str) -> str:
    name = re.sub(r"\W+", "-", spec).strip("-")
    if spec == "mixformer":
        name = f"mixformerv2-{args.model}{'-paper' if args.paper else ''}"
    return f"{name}-supervised" if args.supervised else name


def _open(args: argparse.Namespace) -> list[Sequence]:
    sequences = open_dataset(args.dataset, args.path)
    if args.sequence:
        unknown = set(args.sequence) - {sequence.name for sequence in sequences}
        if unknown:
            raise DatasetError(f"{args.path}: has no sequence {', '.join(sorted(unknown))}")
        sequences = [sequence for sequence in sequences if sequence.name in args.sequence]
    if args.fps is not None:
        sequences = [replace(sequence, fps=args.fps) for sequence in sequences]
    return sequences if args.shard is None else shard(sequences, *args.shard)


def _run_bags(
    args: argparse.Namespace, store: ResultStore, trackers: Several[Entrant]
) -> list[Sequence]:
    """Run the trackers on a bag and return it as a sequence; images without truth are left out."""
    sequences = []
    for tracker in trackers:
        bag_run = run_bag(args, tracker.factory())
        sequence = bag_run.sequence(args.bag)
        bag_run.result.meta["recipe"] = tracker.recipe
        store.write(tracker.name, sequence.name, bag_run.result)
        sequences.append(sequence)
    if not sequences:
        raise ValueError("give a --tracker that runs on the bag")
    return sequences[:1]


def _run(
    args: argparse.Namespace,
    store: ResultStore,
    tracker: Entrant,
    sequences: Several[Sequence],
) -> None:
    report = run_tracker(
        tracker.factory,
        sequences,
        store,
        tracker.name,
        player=play_supervised if args.supervised else play,
        recipe=tracker.recipe,
        workers=args.workers,
    )
    print(f"{tracker.name}: {report}", file=sys.stderr)


def _import(store: ResultStore, name: str, folder: Path, sequences: Several[Sequence]) -> str:
    """Copy another toolkit's results; it may write names of sequences a little differently."""
    if not folder.is_dir():
        raise ValueError(f"--import {name}={folder}: no such folder")
    source = ResultStore(folder.parent)
    found = {_plain_name(stored): stored for stored in source.sequences(folder.name)}
    for sequence in sequences:
        stored = found.get(_plain_name(sequence.name))
        if stored is not None and not store.has(name, sequence.name):
            store.write(name, sequence.name, source.read(folder.name, stored))
    return name


def _plain_name(name: str) -> str:
    return re.sub(r"^(nfs|uav)_|[^a-z0-9]", "", name.lower())


def _pack(
    args: argparse.Namespace,
    store: ResultStore,
    names: Several[str],
    sequences: Several[Sequence],
) -> None:
    """Zip complete results for the servers of the benchmarks that have one."""
    if args.dataset not in _SERVERS or args.shard is not None or args.sequence:
        return
    for name in names:
        if all(store.has(name, sequence.name) for sequence in sequences):
            path = args.results / f"{name}.zip"
            store.pack(name, [sequence.name for sequence in sequences], path)
            print(f"{path}: for the server of {args.dataset}", file=sys.stderr)


def _print(
    args: argparse.Namespace,
    scores: Several[TrackerScore],
    offline: int,
    curves: dict[str, list[LatencyPoint]],
    sequences: Several[Sequence],
) -> None:
    """Print all scores as JSON, or as text: the first `offline` ones, and the curves."""
    frames = sum(len(sequence) for sequence in sequences)
    dataset = {
        "kind": args.dataset or "bag",
        "path": str(args.path or args.bag),
        "sequences": len(sequences),
        "frames": frames,
        "shard": None if args.shard is None else "/".join(map(str, args.shard)),
    }
    if args.json is not None:
        text = json.dumps(as_dict(dataset, scores, curves), indent=1, allow_nan=False)
        if args.json == "-":
            print(text)
            return
        Path(args.json).write_text(text + "\n")
    part = "" if args.shard is None else f", ONLY shard {dataset['shard']}"
    title = (
        f"{dataset['kind']} {dataset['path']}: {len(sequences)} sequences, {frames} frames{part}"
    )
    print(as_text(title, scores[:offline], curves))


def _report(
    args: argparse.Namespace,
    store: ResultStore,
    names: Several[str],
    curves: dict[str, list[LatencyPoint]],
    sequences: Several[Sequence],
) -> None:
    require("report", "matplotlib", "jinja2")
    from mixformer2_ros.evaluation.report import write_report

    page = write_report(
        args.report,
        store,
        sequences,
        title=f"{args.dataset or 'bag'}: {(args.path or args.bag).name}",
        trackers=names,
        image_of=partial(read_bag_image, args.image_topic) if args.bag else read_image,
        latency=curves,
    )
    print(page)
