# Copyright 2026 mixformer2_ros contributors
# SPDX-License-Identifier: Apache-2.0
"""`mixformer2 inspect`: pictures of what the network saw in frames of a run."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING

from mixformer2_ros.evaluation.extras import require
from mixformer2_ros.inference import ModelError, find_default_weights
from mixformer2_ros.model.variants import VARIANTS
from mixformer2_ros.sources import open_source
from mixformer2_ros.track_command import parse_box
from mixformer2_ros.tracking.config import TrackerConfig

if TYPE_CHECKING:
    from mixformer2_ros.model import MixFormerV2


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare what `mixformer2 inspect` takes."""
    parser.add_argument(
        "source",
        metavar="SOURCE",
        help="video file, image folder, sequence (img/ and groundtruth_rect.txt), or scene:SEED",
    )
    parser.add_argument(
        "frames", metavar="FRAME", type=int, nargs="+", help="numbers of frames, from 1 on"
    )
    parser.add_argument(
        "--box",
        type=parse_box,
        metavar="X,Y,W,H",
        help="target in the first frame, pixels; may be left out where the source knows the truth",
    )
    parser.add_argument(
        "--out", type=Path, default=Path("inspection"), metavar="DIR", help="default: %(default)s"
    )
    parser.add_argument("--model", choices=tuple(VARIANTS), default="small")
    parser.add_argument("--checkpoint", type=Path, help="weights; default: the package's own")
    parser.add_argument("--threads", type=int, help="CPU threads of the network")
    parser.add_argument(
        "--paper", action="store_true", help="the published procedure, without the robust additions"
    )


def run(args: argparse.Namespace) -> int:
    """Track up to the last frame that is asked for, and draw what is asked for.

    Raises:
        MissingExtraError: PyTorch or matplotlib is not installed.
        ModelError: There are no weights, or they do not fit.
        SourceError: The source cannot be read.
        ValueError: There is no box to start with, or a frame does not exist.
    """
    require("torch", "torch")
    require("report", "matplotlib")
    import torch

    from mixformer2_ros.evaluation.inspection import inspect
    from mixformer2_ros.evaluation.inspection_plots import draw

    if args.threads is not None:
        torch.set_num_threads(args.threads)
    model = _load(args.model, args.checkpoint)
    source = open_source(args.source)
    config = TrackerConfig.paper() if args.paper else TrackerConfig()
    args.out.mkdir(parents=True, exist_ok=True)
    for inspection in inspect(model, source, args.box, set(args.frames), config):
        path = args.out / f"frame_{inspection.index:06d}.png"
        draw(path, inspection)
        print(path)
    return 0


def _load(variant: str, checkpoint: Path | None) -> MixFormerV2:
    from mixformer2_ros.model import CheckpointError, build_model, load_weights, read_checkpoint

    path = checkpoint or find_default_weights(variant)
    if path is None:
        raise ModelError(
            f"this installation has no default weights for model {variant!r}: give a file with "
            "--checkpoint"
        )
    model = build_model(variant)
    try:
        load_weights(model, read_checkpoint(path), source=f"checkpoint {str(path)!r}")
    except CheckpointError as error:
        raise ModelError(str(error)) from error
    return model
