# Copyright 2026 mixformer2_ros contributors
# SPDX-License-Identifier: Apache-2.0
"""`mixformer2 train`: trains a network by a recipe, which is one configuration or a chain of them.

The same command again resumes what was broken off. Several devices of one machine:

    torchrun --nproc-per-node 8 -m mixformer2_ros.training chain.yaml --out OUT --device cuda
"""

from __future__ import annotations

import argparse
import json
import logging
from dataclasses import replace
from pathlib import Path
from typing import Any

import torch

from mixformer2_ros.training.chain import Link, as_mapping, read_chain, train_chain
from mixformer2_ros.training.checkpoints import join
from mixformer2_ros.training.config import ConfigError
from mixformer2_ros.training.distributed import own_part, processes
from mixformer2_ros.training.pipeline import Machine
from mixformer2_ros.training.schedule import Budget

RECIPES = Path(__file__).parent / "configs"
_MB = 1_000_000


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options."""
    parser.add_argument(
        "recipe",
        nargs="?",
        help="YAML or JSON file of a stage or a chain, or the name of one of: "
        + ", ".join(sorted(path.stem for path in RECIPES.glob("*.yaml"))),
    )
    parser.add_argument("--out", type=Path, help="folder; what was broken off in it is resumed")
    budget = parser.add_mutually_exclusive_group()
    budget.add_argument(
        "--minutes",
        type=float,
        help="minutes of training, resumed parts included; a chain shares them out",
    )
    budget.add_argument("--steps", type=int, help="steps of training, likewise")
    parser.add_argument("--start", help="weights to begin with, in place of the recipe's")
    parser.add_argument("--teacher", help="weights to learn from, in place of the recipe's")
    parser.add_argument("--corpus", type=Path, help="folder with images/ and videos/, or its pack")
    parser.add_argument(
        "--data",
        action="append",
        default=[],
        metavar="KIND=FOLDER",
        help="a published training set, such as got10k=/data/got10k",
    )
    parser.add_argument("--device", default="cpu", help="cpu, cuda, cuda:1 ... (default: cpu)")
    parser.add_argument("--workers", type=int, default=1, help="processes that make the samples")
    parser.add_argument("--threads", type=int, help="threads of the network on a CPU")
    parser.add_argument("--checkpoint", type=float, default=420.0, help="seconds between two")
    parser.add_argument("--parts", type=float, metavar="MB", help="write no file larger than this")
    parser.add_argument("--join", type=Path, metavar="FOLDER", help="make whole files of parts")
    parser.add_argument(
        "--json", type=Path, metavar="FILE", help="write the recipe for machines without PyYAML"
    )


def run(args: argparse.Namespace) -> int:
    """Train, or do one of the side jobs; return the exit code."""
    logging.basicConfig(level=logging.INFO, format="%(message)s")
    if args.join is not None:
        return _join(args.join)
    if args.recipe is None:
        raise ConfigError("give a recipe: a file, or the name of one of the package's")
    links = _overridden(read_chain(_recipe(args.recipe)), args)
    if args.json is not None:
        args.json.write_text(json.dumps(as_mapping(links), indent=1) + "\n", encoding="utf-8")
        return 0
    if args.out is None:
        raise ConfigError("give --out, the folder for the results")
    if args.threads is not None:
        torch.set_num_threads(args.threads)
    budget = None
    if args.minutes is not None or args.steps is not None:
        budget = Budget(args.minutes, args.steps)
    with processes(args.device) as device:
        machine = Machine(
            corpus=args.corpus,
            folders=_folders(args.data),
            device=device,
            workers=args.workers,
            part_bytes=None if args.parts is None else max(1, int(args.parts * _MB)),
            checkpoint_seconds=args.checkpoint,
        )
        train_chain(links, budget, args.out, machine)
        if own_part().rank == 0:
            print(f"the weights are in {args.out / links[-1].name}")
    return 0


def _recipe(given: str) -> Path:
    """Return the path of a recipe given by path or by the name of one of the package's."""
    path = Path(given)
    own = RECIPES / f"{given}.yaml"
    return own if not path.exists() and own.exists() else path


def _overridden(links: list[Link], args: argparse.Namespace) -> list[Link]:
    given: dict[str, Any] = {
        name: value for name in ("start", "teacher") if (value := getattr(args, name)) is not None
    }
    if given and len(links) > 1:
        raise ConfigError("--start and --teacher are for a single stage: write them into the chain")
    return [replace(link, config=replace(link.config, **given)) for link in links]


def _folders(pairs: list[str]) -> dict[str, str]:
    folders = {}
    for pair in pairs:
        kind, separator, folder = pair.partition("=")
        if not separator or not kind or not folder:
            raise ConfigError(f"--data {pair}: give KIND=FOLDER, such as got10k=/data/got10k")
        folders[kind] = folder
    return folders


def _join(folder: Path) -> int:
    made = join(folder)
    if not made:
        raise ConfigError(f"--join {folder}: nothing is kept in parts there; check the folder")
    for path in made:
        print(path)
    return 0
