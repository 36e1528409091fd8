# Copyright 2026 mixformer2_ros contributors
# SPDX-License-Identifier: Apache-2.0
"""Evaluating a bag from the command line: its arguments, and what they ask for."""

from __future__ import annotations

import argparse
from decimal import Decimal, InvalidOperation
from pathlib import Path

import numpy as np

from mixformer2_ros.evaluation.bag_truth import read_truth
from mixformer2_ros.evaluation.bags import BagRun, Start, track_bag
from mixformer2_ros.evaluation.extras import require
from mixformer2_ros.evaluation.playback import TrackerLike


def parse_start(text: str) -> Start:
    """Read `x,y,w,h` or `x,y,w,h@stamp` from the command line; stamp in seconds.

    Raises:
        argparse.ArgumentTypeError: It is neither.
    """
    box_text, _, stamp_text = text.partition("@")
    try:
        x, y, w, h = (float(part) for part in box_text.split(","))
        stamp = Decimal(stamp_text) if stamp_text else None
    except (ValueError, InvalidOperation):
        raise argparse.ArgumentTypeError(
            f"{text!r} is not x,y,w,h@stamp: give the box in pixels and, after @, the stamp of its "
            "image in seconds, for example 100,50,64,48@1700000000.25"
        ) from None
    if not np.isfinite([x, y, w, h]).all() or w <= 0 or h <= 0:
        raise argparse.ArgumentTypeError(f"{text!r} has no finite, positive size")
    return Start((x, y, w, h), None if stamp is None else int(stamp * 1_000_000_000))


def add_bag_arguments(parser: argparse.ArgumentParser | argparse._ArgumentGroup) -> None:
    """Declare what evaluating a bag takes."""
    parser.add_argument("--bag", type=Path, help="rosbag2 folder, or .mcap, .db3 or .bag file")
    parser.add_argument(
        "--image-topic",
        metavar="TOPIC",
        help="Image or CompressedImage topic; may be left out where there is only one",
    )
    parser.add_argument(
        "--truth",
        metavar="TOPIC|FILE",
        help="true boxes: Detection2D topic, or text file with x,y,w,h or stamp,x,y,w,h a line",
    )
    parser.add_argument(
        "--init",
        type=parse_start,
        metavar="X,Y,W,H@STAMP",
        help="box to start with, pixels, and the stamp of its image, seconds (default: the first); "
        "without it the first visible true box is taken",
    )
    parser.add_argument(
        "--output-bag",
        type=Path,
        metavar="OUT",
        help="write a bag with the boxes found (vision_msgs/Detection2D at the images' stamps)",
    )


def run_bag(args: argparse.Namespace, tracker: TrackerLike) -> BagRun:
    """Do what the arguments of `add_bag_arguments` ask for, and print what was left out.

    Args:
        args: The arguments.
        tracker: The tracker, without a target.

    Raises:
        BagError: The bag, its topics or the truth cannot be used, or the output exists.
        MissingExtraError: `rosbags` is not installed.
    """
    require("bags", "rosbags")
    from mixformer2_ros.evaluation.bag_maker import write_detections
    from mixformer2_ros.evaluation.bag_messages import BagError
    from mixformer2_ros.evaluation.bag_reader import BagReader

    if args.truth is None and args.init is None:
        raise BagError("where is the target? Give --truth TOPIC, --truth FILE or --init x,y,w,h")
    if args.output_bag is not None and args.output_bag.exists():
        raise BagError(f"{args.output_bag} exists already: remove it or choose another folder")
    with BagReader(args.bag) as bag:
        topic = bag.image_topic(args.image_topic)
        truth = None if args.truth is None else read_truth(bag, args.truth)
        run = track_bag(bag, topic, tracker, args.init, truth)
        warnings = bag.warnings
    if truth is not None and not run.labelled.all():
        warnings.append(
            f"{np.count_nonzero(~run.labelled)} of {len(run.labelled)} images have no truth and "
            "are not scored"
        )
    for warning in warnings:
        print(f"warning: {warning}")
    if args.output_bag is not None:
        count = write_detections(args.output_bag, run)
        print(f"{args.output_bag}: {count} detections")
    return run
