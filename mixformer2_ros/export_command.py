# Copyright 2026 mixformer2_ros contributors
# SPDX-License-Identifier: Apache-2.0
"""`mixformer2 export`: a network made ready for a runtime, so that a robot only has to load it."""

from __future__ import annotations

import argparse
import shutil
import time
from pathlib import Path

from mixformer2_ros.inference import ModelError, cache, export
from mixformer2_ros.inference.artefact import METADATA, Artefact, Recipe
from mixformer2_ros.inference.loading import find_weights, load_engine
from mixformer2_ros.inference.ranges import Ranges
from mixformer2_ros.inference.selection import choose_backend, exact_precision, require_installed
from mixformer2_ros.model.variants import VARIANTS

_PRECISIONS = ("fp32", "fp16", "bf16", "int8")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare what `mixformer2 export` takes."""
    parser.add_argument("--model", choices=tuple(VARIANTS), default="small")
    parser.add_argument("--checkpoint", type=Path, help="weights; default: the package's own")
    parser.add_argument(
        "--backend",
        choices=("auto", *export.EXPORTS),
        default="auto",
        help="runtime; auto: the one that would run here",
    )
    parser.add_argument("--precision", choices=("auto", *_PRECISIONS), default="auto")
    parser.add_argument(
        "--batch",
        type=int,
        default=0,
        metavar="N",
        help="targets in one forward; default: any number",
    )
    parser.add_argument(
        "--calibrate",
        nargs="+",
        metavar="SOURCE",
        help="int8: measure its ranges on these bags, videos, image folders or scene:SEED; "
        "default: those beside the weights",
    )
    parser.add_argument(
        "-o",
        "--out",
        type=Path,
        metavar="DIR",
        help="folder to give as checkpoint, on this machine or another one like it; default: the "
        f"cache (${cache.CACHE_VARIABLE}), where it is found by itself",
    )


def run(args: argparse.Namespace) -> int:
    """Make the artefact, start it once, and say where it is."""
    if args.batch < 0:
        raise ModelError(f"--batch is {args.batch}: give 1 or more, or leave it out")
    if args.batch and args.out is None:
        raise ModelError("--batch needs --out: what is in the cache is for any number of targets")
    if args.calibrate and (args.out is None or args.precision != "int8"):
        raise ModelError("--calibrate is for --precision int8 and needs --out")
    backend, device = args.backend, "auto"
    if backend == "auto":
        backend, device, _ = choose_backend("auto", args.precision, tuple(export.EXPORTS))
    require_installed(backend)
    checkpoint = find_weights(args.model, args.checkpoint)
    progress = _Progress()
    ranges = None
    if args.calibrate:
        from mixformer2_ros.precision.command import measure_ranges

        progress("following targets in float32")
        ranges = measure_ranges(args.model, checkpoint, args.calibrate)
    precision, _ = exact_precision(backend, args.precision, device, checkpoint)
    recipe = export.make_recipe(args.model, checkpoint, backend, precision, args.batch, ranges)
    artefact = _make(recipe, checkpoint, args.out, progress, ranges)
    progress("starting it")
    engine = load_engine(args.model, artefact.folder)
    progress.end()
    size = sum(path.stat().st_size for path in artefact.folder.iterdir())
    print(f"{artefact.folder}: {size / 1e6:.0f} MB, {engine.description}")
    if args.out is None:
        print("It is found by itself wherever the same network is asked for.")
    else:
        print(f"Give it as checkpoint: --checkpoint {args.out}, or checkpoint:={args.out}")
    return 0


def _make(
    recipe: Recipe,
    checkpoint: Path,
    out: Path | None,
    progress: _Progress,
    ranges: Ranges | None,
) -> Artefact:
    def build(folder: Path) -> None:
        export.build(folder, recipe, checkpoint, progress, ranges)

    if out is None:
        return cache.obtain(recipe, build)
    out = out.expanduser()
    if out.exists() and not (out / METADATA).is_file():
        raise ModelError(f"{str(out)!r} is there and is no artefact: give a folder that is not")
    shutil.rmtree(out, ignore_errors=True)
    cache.store(out, build)
    return export.use(out, recipe.variant)


class _Progress:
    """Prints every step, and after it the seconds it took."""

    def __init__(self) -> None:
        self._began = 0.0

    def __call__(self, step: str) -> None:
        self.end()
        print(f"{step} ... ", end="", flush=True)
        self._began = time.monotonic()

    def end(self) -> None:
        """End the step before, if there was one."""
        if self._began:
            print(f"{time.monotonic() - self._began:.1f} s", flush=True)
        self._began = 0.0
