# Copyright 2026 mixformer2_ros contributors
# SPDX-License-Identifier: Apache-2.0
"""Several devices as one: `torchrun` starts a process (rank) for each; alone, all is a no-op."""

from __future__ import annotations

import gc
import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass

import torch
import torch.distributed as dist
from torch import Tensor


@dataclass(frozen=True)
class Part:
    """Which part of a batch's samples a process takes.

    Attributes:
        rank: Number of this process, from 0.
        world: Number of processes.
    """

    rank: int = 0
    world: int = 1

    def of(self, total: int) -> range:
        """Return the indices of this process's samples.

        Args:
            total: Samples of the joint batch.

        Raises:
            ValueError: They cannot be shared out evenly.
        """
        if total % self.world:
            raise ValueError(
                f"a batch of {total} samples cannot be shared evenly among {self.world} processes: "
                f"take a multiple of {self.world} for groups"
            )
        share = total // self.world
        return range(self.rank * share, (self.rank + 1) * share)


@contextmanager
def processes(device: str) -> Iterator[torch.device]:
    """Join the processes that `torchrun` started, if it did; leave them at the end.

    Args:
        device: Torch device name; "cuda" is every process's own one.

    Yields:
        This process's device.
    """
    chosen = torch.device(device)
    # TensorFloat-32 where precision is "fp32": the networks do not need more.
    torch.backends.cuda.matmul.allow_tf32 = True
    if int(os.environ.get("WORLD_SIZE", "1")) == 1:
        yield chosen
        return
    if chosen.type == "cuda":
        chosen = torch.device("cuda", int(os.environ["LOCAL_RANK"]))
        torch.cuda.set_device(chosen)
    dist.init_process_group("nccl" if chosen.type == "cuda" else "gloo")
    try:
        yield chosen
        dist.barrier()  # the first process may still be writing, and serves the others until then
    finally:
        # What waits for the collector still holds the group, whose threads would then be alive when
        # Python ends, and abort it.
        gc.collect()
        dist.destroy_process_group()


def own_part() -> Part:
    """Return this process's part."""
    if not dist.is_initialized():
        return Part()
    return Part(dist.get_rank(), dist.get_world_size())


def global_count(count: Tensor) -> Tensor:
    """Return what to divide a process's sum by, for the mean over the joint batch.

    The processes' gradients are averaged, not summed, so this is the count of all processes (at
    least 1) over the number of processes.

    Args:
        count: This process's count, a scalar.
    """
    total = count.detach().float()
    world = own_part().world
    if world > 1:
        total = total.clone()
        dist.all_reduce(total)
    return total.clamp_min(1) / world


def own_rand(count: int, *shape: int, generator: torch.Generator) -> Tensor:
    """Return uniform random numbers (count, *shape) for this process's `count` samples.

    Args:
        count: Samples of this process; all processes have as many.
        *shape: Numbers of a sample.
        generator: On the CPU, in the same state in every process.
    """
    part = own_part()
    numbers = torch.rand(count * part.world, *shape, generator=generator)
    return numbers[part.rank * count : (part.rank + 1) * count]


def shared_mean(values: Mapping[str, Tensor]) -> dict[str, float]:
    """Return the means over all processes of scalars by name."""
    stacked = torch.stack([value.detach().float() for value in values.values()])
    world = own_part().world
    if world > 1:
        dist.all_reduce(stacked)
    return dict(zip(values, (stacked / world).tolist(), strict=True))


def shared_clock(seconds: float, device: torch.device) -> float:
    """Return the first process's value, so that all of them decide alike."""
    if own_part().world == 1:
        return seconds
    value = torch.tensor([seconds], dtype=torch.float64, device=device)
    dist.broadcast(value, src=0)
    return float(value)
