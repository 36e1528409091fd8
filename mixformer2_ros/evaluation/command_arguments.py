# Copyright 2026 mixformer2_ros contributors
# SPDX-License-Identifier: Apache-2.0
"""What `mixformer2 evaluate` takes."""

from __future__ import annotations

import argparse
import re
from pathlib import Path

from mixformer2_ros.evaluation.bag_evaluation import add_bag_arguments
from mixformer2_ros.evaluation.baselines import BASELINES
from mixformer2_ros.evaluation.layouts import KINDS
from mixformer2_ros.evaluation.streaming import Latency, parse_latency
from mixformer2_ros.inference.selection import BACKENDS
from mixformer2_ros.model.variants import VARIANTS


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare what `mixformer2 evaluate` takes."""
    _add_data_arguments(parser.add_argument_group("what to evaluate on"))
    add_bag_arguments(parser.add_argument_group("a bag instead"))
    _add_tracker_arguments(parser.add_argument_group("trackers"))
    _add_judging_arguments(parser.add_argument_group("how to judge"))
    _add_output_arguments(parser.add_argument_group("output"))


def _add_data_arguments(parser: argparse._ArgumentGroup) -> None:
    parser.add_argument("path", nargs="?", type=Path, metavar="PATH", help="folder of the data set")
    parser.add_argument("--dataset", choices=KINDS, help="which data set; folder = any sequences")
    parser.add_argument(
        "--sequence", action="append", metavar="NAME", help="only this sequence; may be repeated"
    )
    parser.add_argument(
        "--fps", type=float, metavar="HZ", help="frame rate, where the data set states none"
    )
    parser.add_argument(
        "--shard", type=_shard, metavar="I/N", help="only part I of N, for job arrays"
    )


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


def _add_judging_arguments(parser: argparse._ArgumentGroup) -> None:
    parser.add_argument(
        "--latency",
        action="append",
        type=_latency,
        default=[],
        metavar="TIME",
        help="judge with this latency too: 30ms, 30ms~5ms (mean ~ deviation), recorded (the stored "
        "times) or measured (run again with the time it takes); repeat it for a curve",
    )
    parser.add_argument(
        "--pipelined",
        action="store_true",
        help="with --latency: results are late, none is left out",
    )
    parser.add_argument(
        "--replay",
        action="store_true",
        help="with --latency: take the boxes of the offline run instead of running again",
    )
    parser.add_argument(
        "--supervised", action="store_true", help="start again after failures, and count them"
    )


def _add_output_arguments(parser: argparse._ArgumentGroup) -> None:
    parser.add_argument(
        "--results",
        type=Path,
        default=Path("results"),
        metavar="DIR",
        help="where results are kept; what is finished there is not run again (default: results)",
    )
    parser.add_argument(
        "--merge", action="append", type=Path, default=[], metavar="DIR", help="add these results"
    )
    parser.add_argument(
        "--json", nargs="?", const="-", metavar="FILE", help="all numbers as JSON, or - for stdout"
    )
    parser.add_argument("--report", type=Path, metavar="DIR", help="write an HTML report there")


def check(args: argparse.Namespace) -> None:
    """Refuse arguments that do not fit together.

    Raises:
        ValueError: Two of them do not, or one is missing.
    """
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
