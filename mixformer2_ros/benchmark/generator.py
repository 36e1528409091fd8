# Copyright 2026 mixformer2_ros contributors
# SPDX-License-Identifier: Apache-2.0
"""How fast training samples are generated on a device, and how much memory traffic they take."""

from __future__ import annotations

import argparse
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves

from mixformer2_ros.benchmark.tables import Table
from mixformer2_ros.model.variants import get_variant
from mixformer2_ros.scenes.batched.description import Mixture
from mixformer2_ros.training.data.config import DataConfig
from mixformer2_ros.training.data.device_atlas import build_atlas
from mixformer2_ros.training.data.generated import GeneratedStream
from mixformer2_ros.training.data.pools import build_pools

# Enough to choose from; how much there is does not change the speed.
_MATERIAL = DataConfig(sprites=100, backgrounds=30, scene_clips=6)
_WARM_UP = 2


class _Traffic(TorchDispatchMode):
    """Counts the bytes of all tensors that each operation touches, as if nothing were cached."""

    def __init__(self) -> None:
        super().__init__()
        self.bytes = 0

    def __torch_dispatch__(
        self,
        function: Any,
        types: Sequence[Any],
        arguments: Sequence[Any] = (),
        options: Mapping[str, Any] | None = None,
    ) -> Any:
        result = function(*arguments, **(options or {}))
        if not function.is_view:
            leaves = tree_leaves((arguments, options, result))
            # By its memory, so that what is changed in place counts once.
            tensors = {leaf.data_ptr(): leaf for leaf in leaves if isinstance(leaf, Tensor)}
            self.bytes += sum(tensor.nbytes for tensor in tensors.values())
        return result


def measure_generator(args: argparse.Namespace) -> list[Table]:
    """Time the generator of training samples alone.

    Returns:
        One table, a row for each number of search crops of a sample.
    """
    device, corpus = torch.device(args.device), args.corpus
    pools = build_pools(_MATERIAL, None if corpus is None else Path(corpus), 0, held_out=False)
    atlas = build_atlas(pools, _MATERIAL, 0, device)
    variant = get_variant(args.model)
    rows = []
    for searches in args.searches:

        def stream(samples: int, searches: int = searches) -> GeneratedStream:
            return GeneratedStream(
                atlas, Mixture(), _MATERIAL.jitter, variant, 0, range(samples), searches
            )

        seconds = _time(stream(args.samples), args.batches, device)
        traffic = _traffic(stream(min(args.samples, 64)), min(args.samples, 64))
        rate = args.samples / seconds
        rows.append((searches, rate, rate * searches, traffic / 1e6, rate * traffic / 1e9))
    notes = [
        f"material on the device: {atlas.bytes / 1e6:.0f} MB",
        "traffic: bytes of all tensors that each operation touches, an upper bound",
    ]
    if device.type == "cuda":
        notes.append(f"most memory in use: {torch.cuda.max_memory_allocated(device) / 1e9:.1f} GB")
        notes.append(f"GPU: {torch.cuda.get_device_name(device)}")
    else:
        notes.append(f"CPU threads: {torch.get_num_threads()}")
    return [
        Table(
            f"generator-{args.model}",
            f"Training samples generated on {device.type}, model {args.model}, "
            f"batches of {args.samples}",
            (
                "search crops a sample",
                "samples/s",
                "search crops/s",
                "traffic, MB a sample",
                "traffic, GB/s",
            ),
            rows,
            tuple(notes),
        )
    ]


def _time(stream: GeneratedStream, batches: int, device: torch.device) -> float:
    """Return the median seconds of a batch."""
    seconds = []
    for index in range(_WARM_UP + batches):
        start = _now(device)
        stream[index]
        seconds.append(_now(device) - start)
    return float(np.median(seconds[_WARM_UP:]))


def _now(device: torch.device) -> float:
    if device.type == "cuda":
        torch.cuda.synchronize(device)
    return time.perf_counter()


def _traffic(stream: GeneratedStream, samples: int) -> float:
    """Return the bytes a sample."""
    with _Traffic() as traffic:
        stream[0]
    return traffic.bytes / samples
