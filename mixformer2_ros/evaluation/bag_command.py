# Copyright 2026 mixformer2_ros contributors
# SPDX-License-Identifier: Apache-2.0
"""`mixformer2 bag make`: a bag out of a video, image folder, annotated sequence or scene."""

from __future__ import annotations

import argparse
from pathlib import Path

from tqdm import tqdm

from mixformer2_ros.evaluation.extras import require
from mixformer2_ros.sources import open_source


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare what `mixformer2 bag` takes."""
    actions = parser.add_subparsers(dest="action", required=True, metavar="ACTION")
    make = actions.add_parser(
        "make",
        help="make a bag with images, camera_info and, where it is known, the truth",
        description="Make a ROS 2 bag with the topics /image (or /image/compressed), /camera_info "
        "and, where the source knows it, /truth (vision_msgs/Detection2D).",
    )
    make.add_argument(
        "source",
        metavar="SOURCE",
        help="video file, image folder, sequence (img/ and groundtruth_rect.txt), or scene:SEED",
    )
    make.add_argument("out", metavar="OUT", type=Path, help="folder of the bag; must not exist")
    make.add_argument(
        "--storage", choices=("mcap", "sqlite3"), default="mcap", help="default: %(default)s"
    )
    make.add_argument(
        "--compressed", choices=("jpeg", "png"), help="compressed images (png: lossless)"
    )
    make.add_argument("--rate", type=float, metavar="HZ", help="default: the source's own, or 30")


def run(args: argparse.Namespace) -> int:
    """Make the bag.

    Raises:
        BagError: OUT exists, or the source is empty.
        MissingExtraError: `rosbags` is not installed.
        SourceError: The source cannot be read.
    """
    require("bags", "rosbags")
    from mixformer2_ros.evaluation.bag_maker import make_bag

    source = open_source(args.source, rate=args.rate)
    with tqdm(source, total=source.length, unit="frame", disable=None) as frames:
        count = make_bag(frames, args.out, args.storage, args.compressed, source.field_of_view)
    print(f"{args.out}: {count} frames of {source.name}")
    return 0
