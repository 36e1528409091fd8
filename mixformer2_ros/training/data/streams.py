# Copyright 2026 mixformer2_ros contributors
# SPDX-License-Identifier: Apache-2.0
"""The training batches that a data configuration asks for: made on the host, or on the device."""

from __future__ import annotations

from dataclasses import replace

import torch
from torch.utils.data import Dataset

from mixformer2_ros.model.variants import Variant
from mixformer2_ros.scenes.batched.description import Mixture
from mixformer2_ros.training.data.dataset import SOURCES, Batch, DataConfig, Pools, TrackingDataset
from mixformer2_ros.training.data.device_atlas import build_atlas
from mixformer2_ros.training.data.generated import GeneratedStream
from mixformer2_ros.training.distributed import Part

_PAINTED = ("procedural", "cutouts")


def open_stream(
    pools: Pools,
    config: DataConfig,
    variant: Variant,
    seed: int,
    groups: int,
    searches: int,
    part: Part,
    device: torch.device,
) -> Dataset[Batch]:
    """Return batches by index.

    Args:
        pools: Raw material.
        config: Mixture, and where the batches are made.
        variant: Gives the crops' sizes and factors.
        seed: Decides everything together with the index.
        groups: Samples G of a batch, of all processes together.
        searches: Search crops K of a sample.
        part: Which of the samples this process makes.
        device: Where batches are made if not on the host.

    Raises:
        ValueError: No source of samples has both weight and material.
    """
    if not config.generated:
        return TrackingDataset(pools, config, variant, seed, groups, searches, part)
    atlas = build_atlas(pools, config, seed, device)
    mixture = mixture_of(config, pools)
    return GeneratedStream(atlas, mixture, config.jitter, variant, seed, part.of(groups), searches)


def mixture_of(config: DataConfig, pools: Pools) -> Mixture:
    """Return how often the generator does what, as far as the configuration says."""
    material = {
        "procedural": pools.sprites,
        "cutouts": pools.cutouts,
        "scenes": pools.scenes,
        "videos": pools.clips,
        "photos": pools.photos,
    }
    weights = {name: getattr(config, name) if material[name] else 0.0 for name in SOURCES}
    total = sum(weights.values())
    if total <= 0:
        raise ValueError("no source of samples has both a weight and material: see DataConfig")
    painted = sum(weights[name] for name in _PAINTED)
    return replace(
        Mixture(),
        tracks=1.0 - painted / total,
        absent=config.absent_share,
        plain=config.plain_share,
    )
