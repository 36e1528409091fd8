# Copyright 2026 mixformer2_ros contributors
# SPDX-License-Identifier: Apache-2.0
"""`mixformer2 evaluate`: trackers on a benchmark or a bag, as numbers that can be defended."""

from __future__ import annotations

import argparse
import json
import re
import sys
from collections.abc import Sequence as Several
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from tqdm import tqdm

from mixformer2_ros.evaluation.bags import (
    BagRun,
    add_bag_arguments,
    read_bag_image,
    run_bag,
)
from mixformer2_ros.evaluation.baselines import BASELINES
from mixformer2_ros.evaluation.datasets import KINDS, DatasetError, Sequence, open_dataset
from mixformer2_ros.evaluation.extras import require
from mixformer2_ros.evaluation.playback import play, play_supervised, read_image
from mixformer2_ros.evaluation.results import ResultStore
from mixformer2_ros.evaluation.runner import RunReport, available_cores, merge, shard
from mixformer2_ros.evaluation.runner import run as run_tracker
from mixformer2_ros.evaluation.scores import TrackerScore
from mixformer2_ros.evaluation.scoring import score_tracker
from mixformer2_ros.evaluation.streaming import Latency, StreamPlayer, parse_latency, replay
from mixformer2_ros.evaluation.summary import LatencyPoint, as_dict, as_text
from mixformer2_ros.evaluation.trackers import TrackerFactory, recipe_of, tracker_factory
from mixformer2_ros.inference.loading import BACKENDS
from mixformer2_ros.model.variants import VARIANTS
from mixformer2_ros.tracking.config import TrackerConfig

_SERVERS = ("got10k", "trackingnet")
_INCOMPLETE = 1


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare what `mixformer2 evaluate` takes."""
    data = parser.add_argument_group("what to evaluate on")
    data.add_argument("path", nargs="?", type=Path, metavar="PATH", help="folder of the data set")
    data.add_argument("--dataset", choices=KINDS, help="which data set; folder = any sequences")
    data.add_argument(
        "--sequence", action="append", metavar="NAME", help="only this sequence; may be repeated"
    )
    data.add_argument(
        "--fps", type=float, metavar="HZ", help="frame rate, where the data set states none"
    )
    data.add_argument(
        "--shard", type=_shard, metavar="I/N", help="only part I of N, for job arrays"
    )
    add_bag_arguments(parser.add_argument_group("a bag instead"))
    _add_tracker_arguments(parser.add_argument_group("trackers"))
    judged = parser.add_argument_group("how to judge")
    judged.add_argument(
        "--latency",
        action="append",
        type=_latency,
        default=[],
        metavar="TIME",
        help="judge with this latency too: 30ms, 30ms~5ms (mean ~ deviation), recorded (the stored "
        "times) or measured (run again with the time it takes); repeat it for a curve",
    )
    judged.add_argument(
        "--pipelined",
        action="store_true",
        help="with --latency: results are late, none is left out",
    )
    judged.add_argument(
        "--replay",
        action="store_true",
        help="with --latency: take the boxes of the offline run instead of running again",
    )
    judged.add_argument(
        "--supervised", action="store_true", help="start again after failures, and count them"
    )
    output = parser.add_argument_group("output")
    output.add_argument(
        "--results",
        type=Path,
        default=Path("results"),
        metavar="DIR",
        help="where results are kept; what is finished there is not run again (default: results)",
    )
    output.add_argument(
        "--merge", action="append", type=Path, default=[], metavar="DIR", help="add these results"
    )
    output.add_argument(
        "--json", nargs="?", const="-", metavar="FILE", help="all numbers as JSON, or - for stdout"
    )
    output.add_argument("--report", type=Path, metavar="DIR", help="write an HTML report there")


def _add_tracker_arguments(parser: argparse._ArgumentGroup) -> None:
    parser.add_argument(
        "--tracker",
        action="append",
        metavar="TRACKER",
        help=f"mixformer (default), {', '.join(BASELINES)}, module:callable, or none to score what "
        "is there; may be repeated",
    )
    parser.add_argument("--name", help="name of the results (default: from the tracker)")
    parser.add_argument(
        "--import",
        dest="imported",
        action="append",
        type=_named_folder,
        default=[],
        metavar="NAME=DIR",
        help="add the results of another toolkit, one text file a sequence; may be repeated",
    )
    parser.add_argument("--model", choices=sorted(VARIANTS), default="small")
    parser.add_argument("--checkpoint", metavar="FILE", help="weights (default: the package's own)")
    parser.add_argument("--backend", choices=("auto", *BACKENDS), default="auto")
    parser.add_argument("--device", default="auto", help="auto, cpu, cuda or cuda:N")
    precisions = ("auto", "fp32", "fp16", "bf16", "int8")
    parser.add_argument("--precision", choices=precisions, default="auto")
    parser.add_argument("--threads", type=int, help="of one process (default: 1 with several)")
    parser.add_argument("--workers", type=int, metavar="N", help="processes (default: one a core)")
    parser.add_argument("--paper", action="store_true", help="the published procedure exactly")
    parser.add_argument(
        "--update-interval", type=int, metavar="FRAMES", help="between online templates"
    )
    parser.add_argument("--search-factor", type=float, help="search region over target size")


def run(args: argparse.Namespace) -> int:
    """Track what is not finished, then score.

    Returns:
        0, or 1 when a sequence failed or is missing.

    Raises:
        DatasetError: The data set cannot be read.
        ModelError: The network cannot be loaded.
        ValueError: Arguments that do not fit together, or results of other settings.
    """
    _check(args)
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
        curves[name], late = _latency_curve(args, store, name, known, sequences)
        judged += late
    progress = partial(tqdm, desc="scoring", leave=False, disable=None)
    scores = [score_tracker(sequences, store, name, progress) for name in judged]
    _pack(args, store, names, sequences)
    _print(args, scores, len(names), curves, sequences)
    if args.report is not None:
        _report(args, store, names, curves, sequences)
    return _INCOMPLETE if any(score.missing for score in scores) else 0


@dataclass(frozen=True)
class _Tracker:
    name: str
    factory: TrackerFactory
    recipe: dict[str, Any]


def _check(args: argparse.Namespace) -> None:
    if args.bag is None and (args.dataset is None or args.path is None):
        raise ValueError("give --dataset KIND and PATH, or --bag BAG: what is to be evaluated on?")
    if args.bag is not None and (args.dataset or args.path or args.shard):
        raise ValueError("give either a data set or --bag, not both")
    if args.name is not None and len(args.tracker or [""]) > 1:
        raise ValueError("--name names one tracker; leave it out, or run the trackers one by one")
    if args.output_bag is not None and len(args.tracker or [""]) > 1:
        raise ValueError("--output-bag holds the boxes of one tracker: run the trackers one by one")
    if args.fps is not None and args.fps <= 0:
        raise ValueError(f"--fps is {args.fps}; give frames per second")


def _trackers(args: argparse.Namespace) -> list[_Tracker]:
    specs = args.tracker or ([] if args.imported or args.merge else ["mixformer"])
    engine: dict[str, Any] = {
        "variant": args.model,
        "checkpoint": args.checkpoint,
        "backend": args.backend,
        "device": args.device,
        "precision": args.precision,
        "threads": args.threads,
    }
    workers = args.workers or available_cores()
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
        trackers.append(_Tracker(args.name or _name(args, spec), factory, recipe))
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


def _run(
    args: argparse.Namespace,
    store: ResultStore,
    tracker: _Tracker,
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
    _tell(tracker.name, report)


def _tell(name: str, report: RunReport) -> None:
    counts = f"{len(report.finished)} sequences run, {len(report.skipped)} finished before"
    failed = f", {len(report.failed)} failed" if report.failed else ""
    print(f"{name}: {counts}{failed}", file=sys.stderr)


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


def _latency_curve(
    args: argparse.Namespace,
    store: ResultStore,
    name: str,
    tracker: _Tracker | None,
    sequences: Several[Sequence],
) -> tuple[list[LatencyPoint], list[str]]:
    """Judge a tracker at each latency; return the curve and the names of the new results."""
    offline = score_tracker(sequences, store, name)
    points = [_point("0ms", "offline", offline)]
    names = []
    for latency in args.latency:
        again = not (args.pipelined or args.replay or latency.source == "recorded")
        how = "pipelined" if args.pipelined else "replayed"
        late = f"{name}@{latency}"
        if again and tracker is not None and args.bag is None:
            how = "run"
            report = run_tracker(
                tracker.factory,
                sequences,
                store,
                late,
                player=StreamPlayer(latency),
                recipe={**tracker.recipe, "latency": str(latency), "fps": args.fps},
                workers=args.workers,
            )
            _tell(late, report)
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


def _run_bags(
    args: argparse.Namespace, store: ResultStore, trackers: Several[_Tracker]
) -> list[Sequence]:
    """Run the trackers on a bag and return it as a sequence; images without truth are left out."""
    sequences = []
    for tracker in trackers:
        bag_run = run_bag(args, tracker.factory())
        sequence = _bag_sequence(args.bag, bag_run)
        bag_run.result.meta["recipe"] = tracker.recipe
        store.write(tracker.name, sequence.name, bag_run.result)
        sequences.append(sequence)
    if not sequences:
        raise ValueError("give a --tracker that runs on the bag")
    return sequences[:1]


def _bag_sequence(path: Path, bag_run: BagRun) -> Sequence:
    stamps = (bag_run.stamps - bag_run.stamps[0]) / 1e9
    truth, labelled = bag_run.truth.copy(), bag_run.labelled.copy()
    truth[0], labelled[0] = bag_run.result.boxes[0], True  # the box it was given
    return Sequence(
        name=path.stem,
        frames=[path / str(stamp) for stamp in bag_run.stamps.tolist()],
        truth=truth,
        absent=labelled & ~np.isfinite(truth).all(axis=1),
        fps=float(1 / np.median(np.diff(stamps))) if len(stamps) > 1 else None,
        frame_size=bag_run.result.frame_size,
        withheld=labelled.sum() == 1 < len(labelled),
        stamps=stamps,
        labelled=labelled,
    )


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


def _shard(text: str) -> tuple[int, int]:
    match = re.fullmatch(r"(\d+)/(\d+)", text)
    if match is None:
        raise argparse.ArgumentTypeError(f"{text!r} is not a shard: give i/n, for example 1/4")
    return int(match[1]), int(match[2])


def _latency(text: str) -> Latency:
    try:
        return parse_latency(text)
    except ValueError as error:
        raise argparse.ArgumentTypeError(str(error)) from error


def _named_folder(text: str) -> tuple[str, Path]:
    name, equals, folder = text.partition("=")
    if not equals or not name or not folder:
        raise argparse.ArgumentTypeError(f"{text!r} is not NAME=DIR")
    return name, Path(folder)
