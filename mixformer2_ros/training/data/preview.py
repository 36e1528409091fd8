# Copyright 2026 mixformer2_ros contributors
# SPDX-License-Identifier: Apache-2.0
"""A picture of what a recipe trains on: one row a sample, templates first, boxes drawn in.

python -m mixformer2_ros.training.data.preview RECIPE OUT.png [--corpus CORPUS]
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import torch
from numpy.typing import NDArray

from mixformer2_ros.training.config import read_config, written_variant
from mixformer2_ros.training.data.batch import Batch
from mixformer2_ros.training.data.pools import build_pools
from mixformer2_ros.training.data.streams import open_stream
from mixformer2_ros.training.distributed import Part

Image = NDArray[np.uint8]

_GAP = 4
_RED = (255, 40, 40)
# Some of the procedural material is enough to look at.
_SPRITES, _BACKGROUNDS, _SCENES = 200, 50, 10


def contact_sheet(batch: Batch) -> Image:
    """Draw a batch: (G * (S + 4), width, 3) uint8 RGB."""
    return np.concatenate([_row(batch, sample) for sample in range(len(batch.present))])


def _row(batch: Batch, sample: int) -> Image:
    side = batch.searches.shape[2]
    tiles = [_tile(template.cpu().numpy(), side) for template in batch.templates[sample]]
    for search, box, present in zip(
        batch.searches[sample], batch.boxes[sample], batch.present[sample], strict=True
    ):
        image = search.cpu().numpy().copy()
        if present:
            x1, y1, x2, y2 = (box * side).round().int().tolist()
            cv2.rectangle(image, (x1, y1), (x2 - 1, y2 - 1), _RED, 1)
        tiles.append(_tile(image, side))
    return np.concatenate(tiles, axis=1)


def _tile(image: Image, side: int) -> Image:
    below = side - image.shape[0] + _GAP
    return np.pad(image, ((0, below), (0, _GAP), (0, 0)), constant_values=60)


def main(arguments: Sequence[str] | None = None) -> int:
    """Write the picture; return the exit code."""
    parser = argparse.ArgumentParser(
        prog="python -m mixformer2_ros.training.data.preview",
        description="Write a picture of what a recipe trains on.",
    )
    parser.add_argument("recipe", type=Path, help="YAML or JSON file of one stage")
    parser.add_argument("out", type=Path, help="picture to write")
    parser.add_argument("--corpus", type=Path, help="folder or pack of the corpus")
    parser.add_argument("--samples", type=int, default=8, help="rows")
    parser.add_argument("--batch", type=int, default=0, help="number of the batch")
    options = parser.parse_args(arguments)
    try:
        config = read_config(options.recipe)
        data = replace(
            config.data,
            sprites=min(config.data.sprites, _SPRITES),
            backgrounds=min(config.data.backgrounds, _BACKGROUNDS),
            scene_clips=min(config.data.scene_clips, _SCENES),
        )
        stream = open_stream(
            build_pools(data, options.corpus, config.seed, held_out=False),
            data,
            written_variant(config),
            config.seed,
            options.samples,
            max(config.searches, 4),
            Part(),
            torch.device("cpu"),
        )
    except (OSError, ValueError) as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    sheet = contact_sheet(stream[options.batch])
    if not cv2.imwrite(str(options.out), cv2.cvtColor(sheet, cv2.COLOR_RGB2BGR)):
        print(f"error: {options.out} cannot be written: check folder and ending", file=sys.stderr)
        return 2
    return 0


if __name__ == "__main__":
    sys.exit(main())
