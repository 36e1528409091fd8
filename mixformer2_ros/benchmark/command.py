# Copyright 2026 mixformer2_ros contributors
# SPDX-License-Identifier: Apache-2.0
"""`mixformer2 benchmark`: measure engines and the node on this machine."""

from __future__ import annotations

import argparse
import json
from pathlib import Path

from mixformer2_ros.benchmark.summary import as_table
from mixformer2_ros.inference import BACKENDS
from mixformer2_ros.model.variants import VARIANTS


def _size(text: str) -> tuple[int, int]:
    width, _, height = text.partition("x")
    try:
        return int(width), int(height)
    except ValueError:
        raise argparse.ArgumentTypeError(f"{text!r}: give WIDTHxHEIGHT in pixels") from None


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the verb's arguments."""
    kinds = parser.add_subparsers(dest="kind", metavar="WHAT", required=True)
    engine = kinds.add_parser("engine", help="the network alone, against the published way")
    node = kinds.add_parser("node", help="the tracker node on images over DDS")
    for kind in (engine, node):
        kind.add_argument("--model", choices=sorted(VARIANTS), default="small")
        kind.add_argument("--checkpoint", help="weights; default: those that ship")
        kind.add_argument("--threads", type=int, default=2, help="CPU threads of the network")
        kind.add_argument("--frames", type=int, default=300, help="frames that are measured")
        kind.add_argument("--json", type=Path, metavar="FILE", help="also write the figures there")
    engine.add_argument(
        "--backends", nargs="+", choices=BACKENDS, default=None, help="default: all installed"
    )
    engine.add_argument("--targets", type=int, default=1, help="targets in one batch")
    node.add_argument("--backend", choices=("auto", *BACKENDS), default="auto")
    node.add_argument("--size", type=_size, default=(1920, 1080), metavar="WIDTHxHEIGHT")
    node.add_argument("--encoding", default="bgr8", help="of the image messages")
    node.add_argument("--rate", type=float, default=5.0, help="images per second")


def run(args: argparse.Namespace) -> int:
    """Measure, print a table, and write it as JSON where asked for."""
    if args.kind == "engine":
        from mixformer2_ros.benchmark.engines import measure_engines

        title, rows = measure_engines(args)
    else:
        from mixformer2_ros.benchmark.node import measure_node

        title, rows = measure_node(args)
    print(f"{title}\n\n{as_table(rows)}")
    if args.json:
        args.json.write_text(json.dumps({"title": title, "rows": [row._asdict() for row in rows]}))
    return 0
