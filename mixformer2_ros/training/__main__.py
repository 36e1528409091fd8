# Copyright 2026 mixformer2_ros contributors
# SPDX-License-Identifier: Apache-2.0
"""Command line of the training: ``python -m mixformer2_ros.training --help``."""

from __future__ import annotations

import argparse
import logging
import sys
from collections.abc import Sequence
from pathlib import Path

import torch

from mixformer2_ros.training.config import ConfigError, read_config
from mixformer2_ros.training.runner import Budget, train


def main(arguments: Sequence[str] | None = None) -> int:
    """Train; return the exit status."""
    parser = argparse.ArgumentParser(prog="mixformer2_ros.training", description=__doc__)
    parser.add_argument("--config", type=Path, required=True, help="YAML file, see configs/")
    budget = parser.add_mutually_exclusive_group(required=True)
    budget.add_argument("--minutes", type=float, help="minutes of training, resumed parts included")
    budget.add_argument("--steps", type=int, help="steps of training")
    parser.add_argument("--out", type=Path, required=True, help="folder; a state in it is resumed")
    parser.add_argument("--corpus", type=Path, help="folder with images/ and videos/")
    parser.add_argument("--workers", type=int, default=1, help="processes that make the samples")
    parser.add_argument("--threads", type=int, default=2, help="threads of the network")
    parser.add_argument("--device", default="cpu")
    options = parser.parse_args(arguments)
    logging.basicConfig(level=logging.INFO, format="%(message)s")
    torch.set_num_threads(options.threads)
    try:
        train(
            read_config(options.config),
            Budget(options.minutes, options.steps),
            options.out,
            options.corpus,
            options.workers,
            options.device,
        )
    except (ConfigError, FileNotFoundError) as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    return 0


if __name__ == "__main__":
    sys.exit(main())
