# Copyright 2026 mixformer2_ros contributors
# SPDX-License-Identifier: Apache-2.0
"""`python -m mixformer2_ros.demo`: follow a target through the real node and show how it went.

The tracker node and the video publisher run as processes of their own and talk over DDS, in a
domain that no other ROS 2 system uses. This process is the operator and the recorder.
"""

from __future__ import annotations

import argparse
import signal
import sys
from collections.abc import Sequence
from pathlib import Path
from types import FrameType

from mixformer2_ros.demo.errors import DemoError
from mixformer2_ros.demo.page import write_page
from mixformer2_ros.demo.recording import Recording
from mixformer2_ros.demo.report import count_states, write_report
from mixformer2_ros.inference import find_default_weights
from mixformer2_ros.model.variants import VARIANTS
from mixformer2_ros.ros.isolation import isolate, make_room_for_images
from mixformer2_ros.ros.processes import Children, python_command
from mixformer2_ros.sources import Source, SourceError, open_source
from mixformer2_ros.track_command import parse_box

_TRACKER, _PUBLISHER = "tracker_node", "video_publisher"
_START_LIMIT = 180.0
_FRAME_LIMIT = 30.0
_LAST_FRAME_LIMIT = 3.0
# To the publisher's topics: the tracker's to image and camera_info, the recorder's to camera_info;
# where the source knows the truth, the recorder's to that as well.
_SUBSCRIPTIONS = 3
# Both ends of a connection find each other one after the other: the first image must not be lost.
_START_DELAY = 0.5
_RELIABLE_IMAGES = {"qos_overrides./image.subscription.reliability": "reliable"}


def _arguments(arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m mixformer2_ros.demo", description=__doc__)
    parser.add_argument("--source", help="video file or image folder; default: a procedural scene")
    parser.add_argument(
        "--box",
        type=parse_box,
        metavar="X,Y,W,H",
        help="target in the first frame, pixels; needed where the source does not know it",
    )
    parser.add_argument("--seed", type=int, default=0, help="of the scene; default: %(default)s")
    parser.add_argument(
        "--out", type=Path, default=Path("out"), help="folder of the results; default: %(default)s"
    )
    parser.add_argument("--model", choices=tuple(VARIANTS), default="small")
    parser.add_argument("--checkpoint", help="weights; default: those that ship with the package")
    return parser.parse_args(arguments)


def _require_weights(model: str, checkpoint: str | None) -> None:
    if checkpoint is None and find_default_weights(model) is None:
        raise DemoError(
            f"there are no default weights for the model {model!r} (no "
            f"models/mixformerv2_{model}.safetensors): give others with --checkpoint; the README "
            "says where the authors publish theirs"
        )


def record(args: argparse.Namespace, spec: str, source: Source) -> Recording:
    """Run the nodes on a source and record what they say.

    Args:
        args: the command line.
        spec: the source as the publisher takes it.
        source: the same source.

    Raises:
        DemoError: something did not answer, refused, or nothing was detected.
        ChildError: a process died.
        RuntimeError: there is no free ROS domain.
    """
    isolate()
    # Only now: rclpy reads the domain when it is first used.
    from mixformer2_ros.demo.client import Client

    tracker = {"model": args.model, "checkpoint": args.checkpoint or ""}
    if not make_room_for_images():
        tracker.update(_RELIABLE_IMAGES)
    publisher = {
        "source": spec,
        "wait_for_subscribers": _SUBSCRIPTIONS + int(source.has_truth),
        "start_delay": _START_DELAY,
    }
    with Children(args.out / "log") as children:
        alive = {_TRACKER}

        def watch() -> None:
            for name in alive:
                if children.check(name) and name == _TRACKER:
                    raise DemoError(f"{name} ended early{children.last_words(name)}")

        with Client(watch) as client:
            recording = client.recording
            children.start(_TRACKER, python_command("mixformer2_ros.nodes.tracker_node", tracker))
            print("waiting for the tracker to load its model", flush=True)
            client.wait_until_active(_START_LIMIT)
            command = python_command("mixformer2_ros.nodes.video_publisher", publisher)
            children.start(_PUBLISHER, command)
            alive.add(_PUBLISHER)
            print(client.set_target(args.box, _FRAME_LIMIT), flush=True)
            client.wait_for(lambda: children.check(_PUBLISHER), _FRAME_LIMIT, "the next frame")
            # Images are sent best effort: the last one may be lost on the way.
            client.drain(lambda: recording.stamps[-1] in recording.processed, _LAST_FRAME_LIMIT)
    if not recording.detections:
        raise DemoError(
            f"the tracker published no detection in {len(recording.processed)} processed frames "
            f"(its reports of the target: {count_states(recording) or 'none'})"
        )
    return recording


def _terminate(number: int, frame: FrameType | None) -> None:
    # As an exception, so that the processes are stopped on the way out.
    sys.exit(128 + number)


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the demo.

    Args:
        arguments: of the command line; None takes the process's own.

    Returns:
        Exit code: 0 when the run worked, 1 when it did not, 2 when the source cannot be used.
    """
    args = _arguments(arguments)
    for number in (signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, _terminate)
    spec = args.source or f"scene:{args.seed}"
    video, sheet = args.out / "demo.mp4", args.out / "demo.png"
    try:
        source = open_source(spec)
        if source.live:
            raise SourceError(f"{source.name}: the demo needs a source that can be read twice")
        if args.box is None and not source.has_truth:
            raise SourceError(
                f"{source.name} does not know where the target is in its first frame: give it, "
                "--box x,y,w,h (make demo: BOX=x,y,w,h)"
            )
        _require_weights(args.model, args.checkpoint)
        print(f"source: {source.name} at {source.rate:g} Hz", flush=True)
        recording = record(args, spec, source)
        print(f"target reports: {count_states(recording)}; drawing {video} and {sheet}", flush=True)
        write_report(source, recording, video, sheet)
        page = write_page(source, recording, args.out / "report")
    except SourceError as error:
        print(f"demo: {error}", file=sys.stderr)
        return 2
    except (RuntimeError, OSError) as error:
        print(f"demo failed: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("demo: interrupted", file=sys.stderr)
        return 130
    print(recording.figures().line())
    if page is not None:
        print(f"report: {page}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
