# Copyright 2026 mixformer2_ros contributors
# SPDX-License-Identifier: Apache-2.0
"""The raw material that samples are made of, in memory."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from mixformer2_ros.scenes.backgrounds import background
from mixformer2_ros.scenes.scene import Scene
from mixformer2_ros.scenes.sprites import sprite
from mixformer2_ros.training.data.compose import Cutout, make_cutout
from mixformer2_ros.training.data.config import DataConfig
from mixformer2_ros.training.data.corpus import Clip, Corpus, Photo, load_corpus
from mixformer2_ros.training.data.pairs import usable_boxes
from mixformer2_ros.training.data.published import PublishedSets
from mixformer2_ros.training.data.readers import KINDS, open_reader
from mixformer2_ros.training.data.skipped import SkippedFiles

_LOG = logging.getLogger(__name__)
_BACKGROUND_SIZE = (480, 640)
_SPRITE_SIZE = 128
_HELD_OUT_EVERY = 10
_SCENE_SIZE = (640, 360)
_SCENE_FRAMES = 8
# Scenes below are for demonstration and evaluation.
_FIRST_SCENE = 1_000_000
_SCENES_PER_SEED = 10_000


@dataclass
class Pools:
    """The raw material in memory.

    Attributes:
        sprites: Procedural objects.
        backgrounds: Procedural backgrounds, (H, W, 3) uint8 RGB.
        scenes: Rendered scenes as videos.
        cutouts: Objects from photographs.
        photos: Photographs.
        clips: Videos with at least two usable boxes of one target.
        published: Published training sets.
        skipped: Bad files met so far.
    """

    sprites: list[Cutout]
    backgrounds: list[NDArray[np.uint8]]
    scenes: list[Clip]
    cutouts: list[Cutout]
    photos: list[Photo]
    clips: list[Clip]
    published: PublishedSets | None = None
    skipped: SkippedFiles = field(default_factory=SkippedFiles)


def is_held_out(index: int) -> bool:
    """Tell whether a video, numbered in the order of names, is kept for validation."""
    return index % _HELD_OUT_EVERY == 0


def build_pools(
    config: DataConfig,
    corpus_root: Path | None,
    seed: int,
    held_out: bool,
    skipped: SkippedFiles | None = None,
) -> Pools:
    """Make the procedural pools, read the corpus and open the published training sets.

    Args:
        config: Sizes of the procedural pools.
        corpus_root: Folder or pack of the corpus, or None to train on procedural material alone.
        seed: Decides the procedural material; training and validation use different ones.
        held_out: Read the videos kept for validation instead of the others; no photographs and
            no published set.
        skipped: Takes the bad files.

    Raises:
        ValueError: A published set is unknown, or has a weight but no folder, or the wrong one.
    """
    skipped = skipped or SkippedFiles()
    corpus = Corpus() if corpus_root is None else _read_corpus(corpus_root, held_out, skipped)
    sprites = [
        make_cutout(sprite(np.random.default_rng((seed, 1, index)), _SPRITE_SIZE))
        for index in range(config.sprites)
    ]
    backgrounds = [
        background(np.random.default_rng((seed, 2, index)), *_BACKGROUND_SIZE)
        for index in range(config.backgrounds)
    ]
    scenes = [scene_clip(seed * _SCENES_PER_SEED + index) for index in range(config.scene_clips)]
    _LOG.info(
        "%d sprites, %d backgrounds, %d scenes, %d cutouts, %d photographs, %d videos",
        len(sprites),
        len(backgrounds),
        len(scenes),
        len(corpus.cutouts),
        len(corpus.photos),
        len(corpus.clips),
    )
    return Pools(
        sprites,
        backgrounds,
        _usable(scenes),
        corpus.cutouts,
        corpus.photos,
        _usable(corpus.clips),
        None if held_out else _open_published(config, skipped),
        skipped,
    )


def _read_corpus(root: Path, held_out: bool, skipped: SkippedFiles) -> Corpus:
    corpus = load_corpus(root, lambda index: is_held_out(index) == held_out, photos=not held_out)
    for reason in corpus.skipped:
        skipped.add(reason)
    return corpus


def _open_published(config: DataConfig, skipped: SkippedFiles) -> PublishedSets | None:
    unknown = (config.sources.keys() | config.folders.keys()) - set(KINDS)
    if unknown:
        raise ValueError(
            f"training set {min(unknown)!r} is unknown; choose one of {', '.join(KINDS)}"
        )
    weights = {kind: weight for kind, weight in config.sources.items() if weight > 0}
    for kind in config.folders.keys() - weights.keys():
        _LOG.warning("%s has a folder but no weight in data.sources: it is not used", kind)
    missing = weights.keys() - config.folders.keys()
    if missing:
        raise ValueError(
            f"training set {min(missing)!r} has a weight but no folder: give --data "
            f"{min(missing)}=FOLDER, or set its weight under data.sources to 0"
        )
    readers = {kind: open_reader(kind, config.folders[kind]) for kind in weights}
    for kind, reader in readers.items():
        _LOG.info("%s: %d targets in %s", kind, len(reader), reader.root)
    return PublishedSets(readers, weights, skipped) if readers else None


def _usable(clips: Sequence[Clip]) -> list[Clip]:
    return [clip for clip in clips if (usable_boxes(clip).sum(axis=1) >= 2).any()]


def scene_clip(number: int) -> Clip:
    """Render a few frames of scene `number`: every second one is like the demo's, but elsewhere."""
    seed = _FIRST_SCENE + number
    width, height = _SCENE_SIZE
    scene = Scene.random(seed, width, height)
    if number % 2:
        scene = replace(Scene.demo(seed), width=width, height=height, target_size=48, speed=75.0)
    frames = [
        scene.frame(index) for index in np.linspace(0, scene.length - 1, _SCENE_FRAMES, dtype=int)
    ]
    boxes = np.stack([frame.box for frame in frames])
    return Clip(f"scene_{seed}", [frame.image for frame in frames], boxes[None])
