# Copyright 2026 mixformer2_ros contributors
# SPDX-License-Identifier: Apache-2.0
"""Samples side by side, and how a training gets them one batch after the other."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Protocol, runtime_checkable

import cv2
import torch
from torch import Tensor
from torch.utils.data import DataLoader, Dataset


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


def _unbatched(batches: list[Batch]) -> Batch:
    return batches[0]
