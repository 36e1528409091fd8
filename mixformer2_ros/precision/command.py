# Copyright 2026 mixformer2_ros contributors
# SPDX-License-Identifier: Apache-2.0
"""`mixformer2 precision`: ranges for int8, and what precisions cost."""

from __future__ import annotations

import argparse
import json
from collections.abc import Sequence
from pathlib import Path

from mixformer2_ros.checksums import file_sha256
from mixformer2_ros.evaluation.extras import require
from mixformer2_ros.evaluation.layouts import open_dataset
from mixformer2_ros.inference import load_engine
from mixformer2_ros.inference.export import EXPORTS
from mixformer2_ros.inference.loading import find_weights
from mixformer2_ros.inference.precisions import Accuracy, Measured, measured_path
from mixformer2_ros.inference.ranges import Ranges, find_ranges, ranges_path
from mixformer2_ros.inference.weights import read_network
from mixformer2_ros.model.variants import VARIANTS, get_variant
from mixformer2_ros.precision.recording import OTHER_SCENES, OWN_SCENES, collect_crops

_CROPS = 128
_PROCESSOR_BACKENDS = ("openvino", "onnxruntime")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare what `mixformer2 precision` takes."""
    kinds = parser.add_subparsers(dest="kind", metavar="WHAT", required=True)
    calibrate = kinds.add_parser("calibrate", help="measure the ranges that int8 needs")
    compare = kinds.add_parser("compare", help="every precision against float32")
    sensitivity = kinds.add_parser("sensitivity", help="each part of the network alone in int8")
    for kind in (calibrate, compare, sensitivity):
        kind.add_argument("--model", choices=sorted(VARIANTS), default="small")
        kind.add_argument("--checkpoint", type=Path, help="weights; default: the package's own")
        kind.add_argument("--crops", type=int, default=_CROPS, metavar="N", help="crops in all")
    calibrate.add_argument(
        "sources",
        nargs="*",
        metavar="SOURCE",
        help="bags, videos, image folders or scene:SEED; default: scenes of the package's own",
    )
    calibrate.add_argument(
        "--out", type=Path, metavar="FILE", help="default: beside the weights, where it is found"
    )
    compare.add_argument("path", nargs="?", type=Path, help="folder of sequences to track")
    compare.add_argument("--backends", nargs="+", choices=_PROCESSOR_BACKENDS, default=["openvino"])
    for kind in (compare, sensitivity):
        kind.add_argument(
            "--sources", nargs="+", metavar="SOURCE", help="of the crops; default: package's scenes"
        )
    compare.add_argument("--threads", type=int, default=1, help="CPU threads of the network")
    compare.add_argument("--workers", type=int, default=1, help="processes that track sequences")
    compare.add_argument(
        "--starts",
        type=int,
        default=1,
        metavar="N",
        help="track every sequence from N slightly different first boxes, at most 9",
    )
    compare.add_argument(
        "--results", type=Path, default=Path("results"), help="folder that keeps what was tracked"
    )
    compare.add_argument("--json", type=Path, metavar="FILE", help="also write the figures there")
    compare.add_argument(
        "--record",
        action="store_true",
        help="write them beside the weights, so that precision auto goes by them",
    )


def run(args: argparse.Namespace) -> int:
    """Calibrate, compare or study the parts."""
    weights = find_weights(args.model, args.checkpoint)
    if args.kind == "calibrate":
        out = args.out or ranges_path(weights)
        ranges = measure_ranges(args.model, weights, args.sources or OWN_SCENES, args.crops)
        out.write_text(ranges.to_json())
        print(f"{out}: {len(ranges.bounds)} ranges from {ranges.crops} crops")
        return 0
    return _compare(args, weights) if args.kind == "compare" else _sensitivity(args, weights)


def measure_ranges(
    variant: str, weights: Path, sources: Sequence[str] = OWN_SCENES, count: int = _CROPS
) -> Ranges:
    """Follow targets through videos in float32 and measure the ranges for int8.

    Args:
        variant: Name of the network's variant.
        weights: File of its weights.
        sources: As in `recording.collect_crops`.
        count: Crops in all.

    Raises:
        ModelError: The network cannot be run.
        SourceError: A source cannot be read.
    """
    require("onnx", "onnx")
    from mixformer2_ros.inference.calibration import calibrate

    engine = load_engine(variant, weights, device="cpu", precision="fp32")
    crops = collect_crops(engine, sources, count)
    network, state = read_network(weights, get_variant(variant))
    return calibrate(network, state, file_sha256(weights), crops)


def _sensitivity(args: argparse.Namespace, weights: Path) -> int:
    require("onnx", "onnx")
    from mixformer2_ros.precision.sensitivity import as_markdown, sensitivity

    engine = load_engine(args.model, weights, device="cpu", precision="fp32")
    crops = collect_crops(engine, args.sources or OTHER_SCENES, args.crops)
    del engine
    network, state = read_network(weights, get_variant(args.model))
    print(as_markdown(list(sensitivity(network, state, find_ranges(weights), crops))))
    return 0


def _compare(args: argparse.Namespace, weights: Path) -> int:
    from mixformer2_ros.precision.comparison import MOST_STARTS, Plan, as_markdown, compare

    if args.record and args.path is None:
        raise ValueError("--record needs a folder of sequences: what counts is how well it tracks")
    if not 1 <= args.starts <= MOST_STARTS:
        raise ValueError(f"--starts is {args.starts}: give 1 to {MOST_STARTS}")
    pairs = [
        (backend, precision)
        for backend in args.backends
        for precision in EXPORTS[backend]
        if precision != "fp16"
    ]
    crops = None
    if args.crops:
        engine = load_engine(args.model, weights, pairs[0][0], "cpu", "fp32", args.threads)
        crops = collect_crops(engine, args.sources or OTHER_SCENES, args.crops)
        del engine
    sequences = [] if args.path is None else open_dataset("folder", args.path)
    plan = Plan(args.model, weights, args.threads, args.workers, args.results, args.starts)
    rows = compare(plan, pairs, crops, sequences)
    print(as_markdown(rows))
    if args.json:
        args.json.write_text(json.dumps([row.as_dict() for row in rows], indent=1) + "\n")
    if args.record:
        frames = sum(map(len, sequences))
        names = ", ".join(sequence.name for sequence in sequences)
        data = f"{len(sequences)} sequences, {frames} frames, {args.starts} starts: {names}"
        accuracies: dict[str, dict[str, Accuracy]] = {}
        for row in rows:
            accuracies.setdefault(row.backend, {})[row.precision] = row.accuracy
        measured = Measured(file_sha256(weights), data, rows[0].accuracy, accuracies)
        measured_path(weights).write_text(measured.to_json())
        print(f"\n{measured_path(weights)}: precision auto goes by these figures")
    return 0
