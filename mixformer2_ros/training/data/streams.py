# Copyright 2026 mixformer2_ros contributors
# SPDX-License-Identifier: Apache-2.0
"""The training batches that a configuration asks for: made on the host, the device, or both."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import fields, replace

import torch
from torch.utils.data import Dataset

from mixformer2_ros.model.variants import Variant
from mixformer2_ros.scenes.batched.description import Mixture
from mixformer2_ros.training.data.batch import Batch, batches
from mixformer2_ros.training.data.config import SOURCES, DataConfig
from mixformer2_ros.training.data.dataset import TrackingDataset
from mixformer2_ros.training.data.device_atlas import build_atlas
from mixformer2_ros.training.data.generated import GeneratedStream
from mixformer2_ros.training.data.pools import Pools
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
    read = _read_groups(config, pools, groups, part) if pools.published else 0
    made = GeneratedStream(
        build_atlas(pools, config, seed, device),
        mixture_of(config, pools),
        config.jitter,
        variant,
        seed,
        part.of(groups - read),
        searches,
    )
    if not read:
        return made
    alone = Pools([], [], [], [], [], [], pools.published, pools.skipped)
    files = TrackingDataset(alone, config, variant, seed, read, searches, part)
    return MixedStream(made, files, device)


class MixedStream(Dataset[Batch]):
    """Batches of which one part is rendered on the device and the rest read on the host.

    Args:
        made: Makes the first samples of each batch.
        read: Makes the others.
        device: Where the batches are wanted.
    """

    def __init__(self, made: GeneratedStream, read: TrackingDataset, device: torch.device) -> None:
        self._made, self._read, self._device = made, read, device

    def __getitem__(self, index: int) -> Batch:
        """Make batch `index`."""
        return self._joined(index, self._read[index])

    def batches(self, start: int, stop: int, workers: int) -> Iterator[Batch]:
        """See `batch.Streamed`; the workers read."""
        ahead = batches(self._read, start, stop, workers)
        return (self._joined(index, read) for index, read in enumerate(ahead, start))

    def _joined(self, index: int, read: Batch) -> Batch:
        made, read = self._made[index], read.to(self._device)
        names = (field.name for field in fields(Batch))
        return Batch(*(torch.cat([getattr(made, name), getattr(read, name)]) for name in names))


def _read_groups(config: DataConfig, pools: Pools, groups: int, part: Part) -> int:
    """Return how many samples of a batch the published sets give, the same in each process."""
    own = len(part.of(groups))
    if own < 2:
        raise ValueError(
            f"a batch of {groups} samples on {part.world} processes cannot hold both generated "
            "samples and those of published sets: raise groups, or set data.generated to false"
        )
    published = sum(config.sources.values())
    share = published / (published + sum(_weights(config, pools).values()))
    return min(max(round(share * own), 1), own - 1) * part.world


def _weights(config: DataConfig, pools: Pools) -> dict[str, float]:
    """Return the weights of the sources that have material."""
    material = {
        "procedural": pools.sprites,
        "cutouts": pools.cutouts,
        "scenes": pools.scenes,
        "videos": pools.clips,
        "photos": pools.photos,
    }
    return {name: getattr(config, name) if material[name] else 0.0 for name in SOURCES}


def mixture_of(config: DataConfig, pools: Pools) -> Mixture:
    """Return how often the generator does what, as far as the configuration says."""
    weights = _weights(config, pools)
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
