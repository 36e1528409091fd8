# Copyright 2026 mixformer2_ros contributors
# SPDX-License-Identifier: Apache-2.0
"""`mixformer2 track`: follow a target through a source, without ROS."""

from __future__ import annotations

import argparse
import csv
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from tqdm import tqdm

from mixformer2_ros.drawing import Mark, annotate
from mixformer2_ros.evaluation.metrics import iou, success_auc
from mixformer2_ros.inference import BACKENDS, load_engine
from mixformer2_ros.model.variants import VARIANTS
from mixformer2_ros.sources import Source, SourceFrame, open_source
from mixformer2_ros.tracking.config import TrackerConfig
from mixformer2_ros.tracking.tracker import Tracker
from mixformer2_ros.tracking.types import TargetState
from mixformer2_ros.video_file import VideoFile

CSV_COLUMNS = ("frame", "time", "x", "y", "w", "h", "score", "state")
_INTERRUPTED = 130


@dataclass(frozen=True)
class Step:
    """What became known of the target in one frame.

    Attributes:
        frame: the image it was found in.
        box: float64 (4,), x, y, w, h in pixels.
        score: in [0, 1]; NaN in the first frame, where the box was given.
        state: TRACKING in the first frame.
    """

    frame: SourceFrame
    box: NDArray[np.float64]
    score: float
    state: TargetState


@dataclass
class _Summary:
    frames: int = 0
    tracked: int = 0
    overlaps: list[float] = field(default_factory=list)
    judged: list[float] = field(default_factory=list)

    def add(self, step: Step) -> None:
        self.frames += 1
        self.tracked += step.state is TargetState.TRACKING
        truth = step.frame.truth
        if truth is None:
            return
        believed = step.state in (TargetState.TRACKING, TargetState.UNCERTAIN)
        overlap = float(iou(step.box, truth)) if believed else 0.0
        self.judged.append(overlap)
        if self.frames > 1 and np.isfinite(truth).all():
            self.overlaps.append(overlap)

    def lines(self) -> Iterator[str]:
        yield f"{self.frames} frames, {self.tracked} tracked"
        if self.overlaps:
            yield (
                f"mean IoU {np.mean(self.overlaps):.3f} over {len(self.overlaps)} frames with a "
                "visible target, without the given one"
            )
            yield (
                f"success AUC {success_auc(self.judged):.3f} (21 thresholds, strict >, absent "
                "frames count as misses, the given frame counts)"
            )


def parse_box(text: str) -> tuple[float, float, float, float]:
    """Read a box from the command line.

    Args:
        text: `x,y,w,h` in pixels.

    Raises:
        argparse.ArgumentTypeError: it is not four finite numbers with a positive size.
    """
    try:
        x, y, w, h = (float(part) for part in text.split(","))
    except ValueError:
        raise argparse.ArgumentTypeError(
            f"{text!r} is not a box: give x,y,w,h in pixels, for example 100,50,64,48"
        ) from None
    if not np.isfinite([x, y, w, h]).all() or w <= 0 or h <= 0:
        raise argparse.ArgumentTypeError(f"{text!r} has no finite, positive size")
    return x, y, w, h


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare what `mixformer2 track` takes."""
    parser.add_argument(
        "source",
        metavar="SOURCE",
        help="video file, folder of images, sequence folder (img/ and groundtruth_rect.txt), "
        "webcam:N, or scene:SEED",
    )
    parser.add_argument(
        "--box",
        type=parse_box,
        metavar="X,Y,W,H",
        help="target in the first frame, pixels; may be left out where the source knows the truth",
    )
    parser.add_argument("-o", "--output", type=Path, metavar="MP4", help="annotated video")
    parser.add_argument("--csv", type=Path, help=f"table with {', '.join(CSV_COLUMNS)}")
    parser.add_argument("--model", choices=tuple(VARIANTS), default="small")
    parser.add_argument("--checkpoint", type=Path, help="weights; default: the package's own")
    parser.add_argument("--backend", choices=("auto", *BACKENDS), default="auto")
    parser.add_argument("--device", default="auto", help="auto, cpu, cuda or cuda:N")
    parser.add_argument("--threads", type=int, help="CPU threads of the network")
    parser.add_argument(
        "--paper", action="store_true", help="the published procedure, without the robust additions"
    )


def run(args: argparse.Namespace) -> int:
    """Track and write what was asked for.

    Raises:
        SourceError: the source cannot be read.
        ModelError: the network cannot be loaded.
        ValueError: there is no box to start with, or it does not fit the image.
        OSError: an output cannot be written.
    """
    source = open_source(args.source)
    engine = load_engine(
        args.model, args.checkpoint, args.backend, args.device, threads=args.threads
    )
    tracker = Tracker(engine, TrackerConfig.paper() if args.paper else TrackerConfig())
    print(f"{source.name}; {engine.description}")
    summary, interrupted = _Summary(), False
    with ExitStack() as stack:
        outputs: list[Callable[[Step], None]] = [summary.add]
        if args.csv is not None:
            outputs.append(stack.enter_context(_csv_writer(args.csv)))
        if args.output is not None:
            outputs.append(stack.enter_context(_video_writer(args.output, source.rate)))
        progress = tqdm(total=source.length, unit="frame", dynamic_ncols=True)
        stack.enter_context(progress)
        try:
            for step in track(source, tracker, args.box):
                for output in outputs:
                    output(step)
                progress.set_postfix_str(f"{step.state.name} {step.score:.2f}", refresh=False)
                progress.update()
        except KeyboardInterrupt:
            interrupted = True
    for line in summary.lines():
        print(line)
    # A webcam has no other end.
    return _INTERRUPTED if interrupted and not source.live else 0


def track(
    source: Source, tracker: Tracker, box: tuple[float, float, float, float] | None
) -> Iterator[Step]:
    """Follow one target through a source.

    Args:
        source: where the frames come from.
        tracker: a tracker without a target.
        box: the target in the first frame, x, y, w, h in pixels; None takes the truth.

    Yields:
        A step for every frame, the first one with the given box.

    Raises:
        ValueError: there is no box to start with, or it does not fit the image.
    """
    for frame in source:
        if frame.index > 0:
            result = tracker.update(frame.image, frame.time)
            yield Step(frame, result.box, result.score, result.state)
            continue
        if box is None and (frame.truth is None or not np.isfinite(frame.truth).all()):
            raise ValueError(
                f"{source.name} does not know where the target is in its first frame: give it with "
                "--box x,y,w,h"
            )
        start = np.array(frame.truth if box is None else box, np.float64)
        tracker.init(frame.image, tuple(start), frame.time)
        yield Step(frame, start, float("nan"), TargetState.TRACKING)


@contextmanager
def _csv_writer(path: Path) -> Iterator[Callable[[Step], None]]:
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("w", newline="") as file:
        table = csv.writer(file)
        table.writerow(CSV_COLUMNS)

        def write(step: Step) -> None:
            numbers = [repr(float(value)) for value in (step.frame.time, *step.box, step.score)]
            table.writerow([step.frame.index, *numbers, step.state.name])

        yield write


@contextmanager
def _video_writer(path: Path, rate: float) -> Iterator[Callable[[Step], None]]:
    with VideoFile(path, rate) as video:

        def write(step: Step) -> None:
            label = (
                step.state.name if np.isnan(step.score) else f"{step.state.name} {step.score:.2f}"
            )
            caption = f"{step.frame.index}  {step.frame.time:.2f} s"
            mark = Mark(step.box, step.state, label)
            video.write(annotate(step.frame.image, [mark], step.frame.truth, caption))

        yield write
