# Copyright 2026 mixformer2_ros contributors
# SPDX-License-Identifier: Apache-2.0
"""Mixes the sources into batches; batch i is a function of the seed and i alone."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Protocol, runtime_checkable

import cv2
import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.utils.data import DataLoader, Dataset

from mixformer2_ros.model.variants import Variant
from mixformer2_ros.scenes.backgrounds import background
from mixformer2_ros.scenes.scene import Scene
from mixformer2_ros.scenes.sprites import sprite
from mixformer2_ros.training.data.compose import Cutout, make_cutout
from mixformer2_ros.training.data.corpus import Clip, Corpus, Photo, load_corpus
from mixformer2_ros.training.data.pairs import photo_sample, usable_boxes, video_sample
from mixformer2_ros.training.data.pasted import pasted_sample
from mixformer2_ros.training.data.published import PublishedSets
from mixformer2_ros.training.data.readers import KINDS, open_reader
from mixformer2_ros.training.data.samples import Jitter, Sample
from mixformer2_ros.training.data.skipped import SkippedFiles
from mixformer2_ros.training.distributed import Part

_LOG = logging.getLogger(__name__)
_BACKGROUND_SIZE = (480, 640)
_SPRITE_SIZE = 128
_HELD_OUT_EVERY = 10
_SCENE_SIZE = (640, 360)
_SCENE_FRAMES = 8
# Scenes below are for demonstration and evaluation.
_FIRST_SCENE = 1_000_000
_SCENES_PER_SEED = 10_000
SOURCES = ("procedural", "scenes", "cutouts", "videos", "photos")


@dataclass(frozen=True)
class DataConfig:
    """What the training samples are made of.

    Attributes:
        sprites: Procedural objects made at the start.
        backgrounds: Procedural backgrounds made at the start.
        scene_clips: Procedural scenes rendered at the start, a few frames of each.
        procedural: Weight of procedural objects, on procedural backgrounds or photographs.
        scenes: Weight of pairs of frames of rendered scenes.
        cutouts: Weight of objects cut out of photographs, on either background.
        videos: Weight of pairs of video frames.
        photos: Weight of photographs seen twice.
        sources: Weights of the published training sets, by kind (see data.readers.KINDS), such as
            got10k: 1; on the same scale as the weights above.
        folders: Their folders, by kind, as far as they are not named on the command line.
        video_weights: Weight of a video by the beginning of its name; 1 where none fits.
        absent_share: Share of search crops without the target.
        plain_share: Share of the painted samples that are easy: one object on a background, seen
            by a perfect camera.
        generated: Render the samples on the device, in batches (see scenes.batched), instead of on
            the host. Published training sets are read on the host all the same, for the samples of
            each batch that are theirs by weight.
        jitter: Placing of the search crops.
    """

    sprites: int = 3000
    backgrounds: int = 500
    scene_clips: int = 200
    procedural: float = 0.3
    scenes: float = 0.25
    cutouts: float = 0.25
    videos: float = 0.12
    photos: float = 0.08
    sources: dict[str, float] = field(default_factory=dict)
    folders: dict[str, str] = field(default_factory=dict)
    video_weights: dict[str, float] = field(default_factory=lambda: {"fly_": 0.1})
    absent_share: float = 0.15
    plain_share: float = 0.0
    generated: bool = False
    jitter: Jitter = field(default_factory=Jitter)


@dataclass
class Batch:
    """A batch of G samples with K search crops each.

    Attributes:
        templates: (G, 2, T, T, 3) uint8 RGB.
        searches: (G, K, S, S, 3) uint8 RGB.
        boxes: (G, K, 4) float32 x1, y1, x2, y2, fractions of the crop; zeros where absent.
        present: (G, K) bool.
    """

    templates: Tensor
    searches: Tensor
    boxes: Tensor
    present: Tensor

    def to(self, device: torch.device) -> Batch:
        """Return it on a device; the copy from pinned memory runs while the device computes."""
        return self._each(lambda values: values.to(device, non_blocking=True))

    def pin_memory(self) -> Batch:
        """Return it in memory that a GPU reads by itself; the data loader asks for this."""
        return self._each(Tensor.pin_memory)

    def _each(self, change: Callable[[Tensor], Tensor]) -> Batch:
        return Batch(
            change(self.templates), change(self.searches), change(self.boxes), change(self.present)
        )


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
    corpus = Corpus()
    if corpus_root is not None:
        corpus = load_corpus(
            corpus_root, lambda index: is_held_out(index) == held_out, photos=not held_out
        )
        for reason in corpus.skipped:
            skipped.add(reason)
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


class TrackingDataset(Dataset[Batch]):
    """Batches by index.

    Args:
        pools: Raw material.
        config: Mixture.
        variant: Gives the crops' sizes and factors.
        seed: Decides everything together with the index.
        groups: Samples G of a batch, of all processes together.
        searches: Search crops K of a sample.
        part: Which of the samples this process makes; None for all.

    Raises:
        ValueError: No source has both weight and material.
    """

    def __init__(
        self,
        pools: Pools,
        config: DataConfig,
        variant: Variant,
        seed: int,
        groups: int,
        searches: int,
        part: Part | None = None,
    ) -> None:
        self._pools, self._config, self._variant = pools, config, variant
        self._seed, self._groups, self._searches = seed, (part or Part()).of(groups), searches
        material = (
            pools.sprites and pools.backgrounds,
            pools.scenes,
            pools.cutouts,
            pools.clips,
            pools.photos,
        )
        weights = np.array(
            [
                getattr(config, source) if available else 0.0
                for source, available in zip(SOURCES, material, strict=True)
            ]
            + [sum(config.sources.values()) if pools.published else 0.0]
        )
        if weights.sum() <= 0:
            raise ValueError("no source of samples has both a weight and material: see DataConfig")
        self._weights = weights / weights.sum()
        self._photo_backgrounds = [photo.image for photo in pools.photos]
        weighted = np.array([clip_weight(clip.name, config.video_weights) for clip in pools.clips])
        self._clip_weights = weighted / weighted.sum() if len(weighted) else weighted

    def __getitem__(self, index: int) -> Batch:
        """Make batch `index`."""
        samples = [
            self.sample(np.random.default_rng((self._seed, index, group))) for group in self._groups
        ]
        return Batch(
            torch.from_numpy(np.stack([sample.templates for sample in samples])),
            torch.from_numpy(np.stack([sample.searches for sample in samples])),
            torch.from_numpy(np.stack([sample.boxes for sample in samples])),
            torch.from_numpy(np.stack([sample.present for sample in samples])),
        )

    def sample(self, rng: np.random.Generator) -> Sample:
        """Make one sample."""
        config, pools = self._config, self._pools
        common = (self._variant, config.jitter, self._searches, config.absent_share)
        source = (*SOURCES, "published")[rng.choice(len(self._weights), p=self._weights)]
        if source == "published":
            assert pools.published is not None
            made = pools.published.sample(rng, *common)
        elif source == "videos":
            made = video_sample(rng, pools.clips, self._clip_weights, *common)
        elif source == "scenes":
            made = video_sample(rng, pools.scenes, None, *common)
        elif source == "photos":
            made = photo_sample(rng, pools.photos, *common)
        else:
            objects = pools.sprites if source == "procedural" else pools.cutouts
            plain = config.plain_share > 0 and bool(rng.random() < config.plain_share)
            made = pasted_sample(rng, objects, self._backgrounds(rng, source), *common, plain)
        return made.mirrored() if rng.random() < 0.5 else made

    def _backgrounds(self, rng: np.random.Generator, source: str) -> Sequence[NDArray[np.uint8]]:
        painted = rng.random() < (0.7 if source == "procedural" else 0.3)
        if (painted or not self._photo_backgrounds) and self._pools.backgrounds:
            return self._pools.backgrounds
        return self._photo_backgrounds


def clip_weight(name: str, weights: dict[str, float]) -> float:
    """Return the weight of a video called `name`; see `DataConfig.video_weights`."""
    return next((weight for prefix, weight in weights.items() if name.startswith(prefix)), 1.0)


def _unbatched(batches: list[Batch]) -> Batch:
    return batches[0]


@runtime_checkable
class Streamed(Protocol):
    """A data set that knows itself how its batches are made one after the other."""

    def batches(self, start: int, stop: int, workers: int) -> Iterator[Batch]:
        """Yield batches `start` to `stop` (exclusive); `workers` processes may help."""


def batches(dataset: Dataset[Batch], start: int, stop: int, workers: int) -> Iterator[Batch]:
    """Yield batches `start` to `stop` (exclusive), made by `workers` processes (0 = this one)."""
    if isinstance(dataset, Streamed):
        yield from dataset.batches(start, stop, workers)
        return
    indices = range(start, stop)
    if workers == 0:
        for index in indices:
            yield dataset[index]
        return
    # Before the fork: OpenCV's pool ends here, and a forked child would wait for its threads
    # for ever.
    cv2.setNumThreads(1)
    yield from DataLoader(
        dataset,
        batch_size=1,
        sampler=indices,
        num_workers=workers,
        collate_fn=_unbatched,
        prefetch_factor=3,
        pin_memory=torch.cuda.is_available(),
        multiprocessing_context="spawn",
    )
