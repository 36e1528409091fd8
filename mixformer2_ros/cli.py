# Copyright 2026 mixformer2_ros contributors
# SPDX-License-Identifier: Apache-2.0
"""The command `mixformer2 <verb>`.

A verb is a module with `add_arguments(parser)` and `run(args) -> int` (the exit code), imported
only when it is asked for.
"""

from __future__ import annotations

import argparse
import importlib
import os
import sys
from collections.abc import Sequence

COMMANDS: dict[str, tuple[str, str]] = {
    "track": ("mixformer2_ros.track_command", "follow a target through a video or image folder"),
    "evaluate": ("mixformer2_ros.evaluation.command", "score trackers on a data set or a bag"),
    "bag": ("mixformer2_ros.evaluation.bag_command", "make a bag of a video, sequence or scene"),
    "inspect": (
        "mixformer2_ros.evaluation.inspection_command",
        "draw what the network saw: crops, edges, attention",
    ),
    "train": ("mixformer2_ros.training.command", "train a network by a recipe"),
    "benchmark": ("mixformer2_ros.benchmark.command", "measure engines, trackers and the node"),
    "export": ("mixformer2_ros.export_command", "make a network ready for a runtime, ahead"),
    "precision": ("mixformer2_ros.precision.command", "calibrate int8, compare precisions"),
    "weights": ("mixformer2_ros.weights_command", "list, verify, import and convert weights"),
    "doctor": ("mixformer2_ros.doctor", "check this installation and say what is missing"),
}
"""Verb to its module and its line in the help."""

# What bad input raises throughout the package, with a message that is meant for the user.
_USER_ERRORS = (ValueError, RuntimeError, OSError)


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line.

    Args:
        arguments: without the program's name; None takes the process's own.

    Returns:
        Exit code: 0, or 2 after an error of the user's, which is explained in one line.
    """
    arguments = list(sys.argv[1:] if arguments is None else arguments)
    parser = argparse.ArgumentParser(
        prog="mixformer2", description="Visual object tracking with MixFormerV2."
    )
    verbs = parser.add_subparsers(dest="verb", metavar="VERB", required=True)
    for verb, (module, text) in COMMANDS.items():
        own = verbs.add_parser(verb, help=text, description=f"{text[0].upper()}{text[1:]}.")
        if arguments[:1] == [verb]:
            importlib.import_module(module).add_arguments(own)
    args = parser.parse_args(arguments, argparse.Namespace(arguments=arguments))
    try:
        return int(importlib.import_module(COMMANDS[args.verb][0]).run(args) or 0)
    except BrokenPipeError:
        # The reader (head, less) has seen enough; Python would complain again at exit.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0
    except _USER_ERRORS as error:
        print(f"mixformer2 {args.verb}: error: {error}", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        print(f"mixformer2 {args.verb}: interrupted", file=sys.stderr)
        return 130


if __name__ == "__main__":
    sys.exit(main())
