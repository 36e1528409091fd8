# Copyright 2026 mixformer2_ros contributors
# SPDX-License-Identifier: Apache-2.0
"""`mixformer2 benchmark`: measure engines, trackers and the node on this machine."""

from __future__ import annotations

import argparse
import shlex
from collections.abc import Sequence
from contextlib import ExitStack
from importlib import import_module
from pathlib import Path

from mixformer2_ros.benchmark import documents, machine
from mixformer2_ros.benchmark.documents import MEASUREMENTS
from mixformer2_ros.benchmark.tables import Report
from mixformer2_ros.inference import BACKENDS, processor
from mixformer2_ros.model.variants import VARIANTS

_MEASURES = {
    "engine": ("mixformer2_ros.benchmark.engines", "measure_engines"),
    "tracker": ("mixformer2_ros.benchmark.trackers", "measure_trackers"),
    "node": ("mixformer2_ros.benchmark.node", "measure_node"),
    "soak": ("mixformer2_ros.benchmark.soak", "measure_soak"),
    "tokens": ("mixformer2_ros.benchmark.tokens", "study"),
    "generator": ("mixformer2_ros.benchmark.generator", "measure_generator"),
}
_PARTS = ("speed", "targets", "busy", "start")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the verb's arguments."""
    kinds = parser.add_subparsers(dest="kind", metavar="WHAT", required=True)
    engine = kinds.add_parser("engine", help="the network alone, against the published way")
    tracker = kinds.add_parser("tracker", help="from image to box, beside KCF, MOSSE and CSRT")
    node = kinds.add_parser("node", help="the tracker node on images over DDS")
    soak = kinds.add_parser("soak", help="the node under everything that can happen to it")
    generator = kinds.add_parser("generator", help="training samples made on a device")
    tokens = kinds.add_parser("tokens", help="a study: fewer patches of the search crop")
    report = kinds.add_parser("report", help="put measured tables into documents")
    for kind in (engine, tracker, node, soak, tokens):
        kind.add_argument("--checkpoint", help="weights; default: those that ship")
    for kind in (engine, tracker, node, soak, generator, tokens):
        kind.add_argument("--model", choices=sorted(VARIANTS), default="small")
        kind.add_argument("--json", type=Path, metavar="FILE", help="also write the figures there")
        kind.add_argument(
            "--markdown", type=Path, metavar="FILE", help="also write the tables there"
        )
    for kind in (engine, tracker):
        kind.add_argument(
            "--threads",
            type=_threads,
            nargs="+",
            default=sorted({1, 2, processor.cores()}),
            metavar="N",
            help="CPU threads of the network; all: one a core (default: 1 2 all)",
        )
        kind.add_argument("--frames", type=_count, default=200, help="measured of each, in turns")
        kind.add_argument("--device", default="cpu", help="of the network, such as cuda")
        kind.add_argument(
            "--full-width",
            action="store_true",
            help="random weights without repeated channels in place of a checkpoint",
        )
    tokens.add_argument("--threads", type=_threads, default=2, help="CPU threads of the network")
    for kind in (node, soak):
        kind.add_argument(
            "--threads", type=int, default=0, help="the node's parameter (default: 0, its choice)"
        )
    for kind in (tracker, node, soak):
        kind.add_argument("--backend", choices=("auto", *BACKENDS), default="auto")
    for kind in (node, soak):
        kind.add_argument("--precision", default="auto")
        kind.add_argument("--rate", type=float, default=30.0, help="images per second")
    engine.add_argument("--parts", nargs="+", choices=_PARTS, default=_PARTS, help="default: all")
    engine.add_argument(
        "--backends", nargs="+", choices=BACKENDS, default=None, help="default: all installed"
    )
    engine.add_argument(
        "--precisions", nargs="+", default=None, metavar="P", help="default: all there are"
    )
    engine.add_argument(
        "--targets", type=_count, nargs="+", default=[1, 2, 4, 8, 16], help="in one batch"
    )
    tracker.add_argument(
        "--precisions", nargs="+", default=["auto"], metavar="P", help="default: auto"
    )
    tracker.add_argument("--size", type=_size, default=(1280, 720), metavar="WIDTHxHEIGHT")
    node.add_argument("--size", type=_size, default=(1920, 1080), metavar="WIDTHxHEIGHT")
    node.add_argument("--encoding", default="bgr8", help="of the image messages")
    node.add_argument("--frames", type=_count, default=300, help="that are measured")
    generator.add_argument("--device", default="cpu", help="such as cuda (default: cpu)")
    generator.add_argument("--samples", type=_count, default=64, help="of a batch")
    generator.add_argument(
        "--searches", type=_count, nargs="+", default=[1, 4], help="search crops of a sample"
    )
    generator.add_argument("--batches", type=_count, default=5, help="that are measured")
    generator.add_argument("--corpus", help="also take the material of this corpus")
    tokens.add_argument(
        "--dataset", type=Path, metavar="FOLDER", help="sequences; default: scenes alone"
    )
    tokens.add_argument(
        "--starts",
        type=_count,
        default=1,
        metavar="N",
        help="track each sequence from N slightly different first boxes, at most 9",
    )
    report.add_argument("--results", type=Path, default=Path("out/benchmark"), metavar="FOLDER")
    report.add_argument(
        "--measure",
        nargs="*",
        choices=tuple(MEASUREMENTS),
        default=[],
        help="measure these first; otherwise what is in the folder is used",
    )
    report.add_argument("--documents", type=Path, nargs="*", default=[], metavar="FILE")
    soak.add_argument("--minutes", type=float, default=2.0, help="how long")
    soak.add_argument("--seed", type=int, default=0, help="of what happens when")


def run(args: argparse.Namespace) -> int:
    """Measure, print the tables, and write them where asked for.

    Returns:
        Exit code: 0, or 1 if the node broke a limit.
    """
    if args.kind == "report":
        print(*documents.run(args), sep="\n")
        return 0
    module, function = _MEASURES[args.kind]
    with ExitStack() as stack:
        args.network = args.model
        if getattr(args, "full_width", False):
            from mixformer2_ros.benchmark.full_width import random_weights

            args.network += "-full"
            args.checkpoint = str(stack.enter_context(random_weights(args.model)))
        tables = getattr(import_module(module), function)(args)
    command = f"mixformer2 {shlex.join(_without_outputs(args.arguments))}"
    report = Report(command, machine.describe(), tables)
    text = report.markdown()
    print(text)
    if args.json:
        report.write(args.json)
    if args.markdown:
        args.markdown.write_text(text)
    return 1 if any(table.failures for table in tables) else 0


def _without_outputs(arguments: Sequence[str]) -> list[str]:
    """The command line, without where its results go."""
    words = list(arguments)
    for option in ("--json", "--markdown"):
        if option in words:
            place = words.index(option)
            del words[place : place + 2]
    return words


def _size(text: str) -> tuple[int, int]:
    width, _, height = text.partition("x")
    try:
        return int(width), int(height)
    except ValueError:
        raise argparse.ArgumentTypeError(f"{text!r}: give WIDTHxHEIGHT in pixels") from None


def _count(text: str) -> int:
    if not text.isdecimal() or int(text) < 1:
        raise argparse.ArgumentTypeError(f"{text!r}: give a number from 1")
    return int(text)


def _threads(text: str) -> int:
    return processor.cores() if text == "all" else _count(text)
