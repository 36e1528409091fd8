# Copyright 2026 mixformer2_ros contributors
# SPDX-License-Identifier: Apache-2.0
"""Mixes the sources into batches; batch i is a function of the seed and i alone."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from numpy.typing import NDArray
from torch.utils.data import Dataset

from mixformer2_ros.model.variants import Variant
from mixformer2_ros.training.data.batch import Batch
from mixformer2_ros.training.data.config import SOURCES, DataConfig
from mixformer2_ros.training.data.pairs import photo_sample, video_sample
from mixformer2_ros.training.data.pasted import pasted_sample
from mixformer2_ros.training.data.pools import Pools
from mixformer2_ros.training.data.samples import Sample, Sampling
from mixformer2_ros.training.distributed import Part


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
        self._pools, self._config = pools, config
        self._sampling = Sampling(variant, config.jitter, searches, config.absent_share)
        self._seed, self._groups = seed, (part or Part()).of(groups)
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
        pools, sampling = self._pools, self._sampling
        source = (*SOURCES, "published")[rng.choice(len(self._weights), p=self._weights)]
        if source == "published":
            assert pools.published is not None
            made = pools.published.sample(rng, sampling)
        elif source == "videos":
            made = video_sample(rng, pools.clips, self._clip_weights, sampling)
        elif source == "scenes":
            made = video_sample(rng, pools.scenes, None, sampling)
        elif source == "photos":
            made = photo_sample(rng, pools.photos, sampling)
        else:
            objects = pools.sprites if source == "procedural" else pools.cutouts
            share = self._config.plain_share
            plain = share > 0 and bool(rng.random() < share)
            made = pasted_sample(rng, objects, self._backgrounds(rng, source), sampling, plain)
        return made.mirrored() if rng.random() < 0.5 else made

    def _backgrounds(self, rng: np.random.Generator, source: str) -> Sequence[NDArray[np.uint8]]:
        painted = rng.random() < (0.7 if source == "procedural" else 0.3)
        if (painted or not self._photo_backgrounds) and self._pools.backgrounds:
            return self._pools.backgrounds
        return self._photo_backgrounds


def clip_weight(name: str, weights: dict[str, float]) -> float:
    """Return the weight of a video called `name`; see `DataConfig.video_weights`."""
    return next((weight for prefix, weight in weights.items() if name.startswith(prefix)), 1.0)
