# Copyright 2026 mixformer2_ros contributors
# SPDX-License-Identifier: Apache-2.0
"""Batches that are rendered on the device, from material that lies there (see scenes.batched)."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, fields

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.utils.data import Dataset

from mixformer2_ros.model.variants import Variant
from mixformer2_ros.scenes.batched.atlas import Atlas
from mixformer2_ros.scenes.batched.describe import TEMPLATES, describe
from mixformer2_ros.scenes.batched.description import Mixture
from mixformer2_ros.scenes.batched.render import render
from mixformer2_ros.scenes.batched.tape import Tape
from mixformer2_ros.scenes.batched.upload import upload
from mixformer2_ros.training.data.batch import Batch
from mixformer2_ros.training.data.samples import Jitter

Floats = NDArray[np.float64]

_MIN_VISIBLE = 0.3
# Search crops that are rendered at once, with the templates that belong to them: about 5 GB on a
# GPU, where few large kernels count; on a CPU it is what the cache holds.
_CHUNK = {"cuda": 1024, "cpu": 16}


@dataclass
class GeneratedBatch(Batch):
    """A batch that also tells how hard it is.

    Attributes:
        visibility: (G, K) float32 share of the target that is in sight, 0 where it is absent.
        difficulty: (G, K) float32 in [0, 1): grows with what hides the target, with twins, with
            lost detail, blur and noise, and with its way from the middle of the crop.
    """

    visibility: Tensor
    difficulty: Tensor


class GeneratedStream(Dataset[Batch]):
    """Batches by index, on the atlas' device.

    Sample g of batch i depends on (seed, i, g) alone, so that processes can share a batch out.

    Args:
        atlas: The material.
        mixture: How often what happens.
        jitter: Placing of the search crops.
        variant: Gives the crops' sizes and factors.
        seed: Decides everything together with index and sample.
        samples: Numbers of the batch's samples that this stream makes.
        searches: Search crops K of a sample.
    """

    def __init__(
        self,
        atlas: Atlas,
        mixture: Mixture,
        jitter: Jitter,
        variant: Variant,
        seed: int,
        samples: Sequence[int],
        searches: int,
    ) -> None:
        self._atlas, self._mixture, self._jitter = atlas, mixture, jitter
        self._variant, self._seed, self._searches = variant, seed, searches
        chunk = max(1, _CHUNK.get(atlas.device.type, _CHUNK["cpu"]) // searches)
        numbers = np.asarray(samples, np.int64)
        self._chunks = [numbers[start : start + chunk] for start in range(0, len(numbers), chunk)]

    def __getitem__(self, index: int) -> GeneratedBatch:
        """Make this process's part of batch `index`."""
        parts = [self._make(index, numbers) for numbers in self._chunks]
        return GeneratedBatch(
            **{
                field.name: torch.cat([getattr(part, field.name) for part in parts])
                for field in fields(GeneratedBatch)
            }
        )

    def batches(self, start: int, stop: int, workers: int) -> Iterator[GeneratedBatch]:
        """See `batch.Streamed`; only this process reaches the device, `workers` are not used."""
        return (self[index] for index in range(start, stop))

    def _make(self, index: int, numbers: NDArray[np.int64]) -> GeneratedBatch:
        variant, device, searches = self._variant, self._atlas.device, self._searches
        tape = Tape(self._seed, index, numbers)
        sizes, centres = place_targets(tape, self._jitter, variant, searches)
        described = describe(
            tape,
            self._atlas,
            self._mixture,
            (variant.template_size, variant.template_factor),
            variant.search_size,
            sizes,
            centres,
        )
        shown, searched = render(described, self._atlas)
        templates = shown.images.unflatten(0, (-1, TEMPLATES))
        same = upload(described.same_templates, device)[:, None, None, None]
        templates[:, 1] = torch.where(same, templates[:, 0], templates[:, 1])
        visibility = searched.visibility.unflatten(0, (-1, searches))
        present = visibility > _MIN_VISIBLE
        boxes = searched.boxes.unflatten(0, (-1, searches)) / variant.search_size
        seen = torch.where(upload(described.absent, device), 1.0, visibility)
        return GeneratedBatch(
            templates,
            searched.images.unflatten(0, (-1, searches)),
            boxes * present[..., None],
            present,
            visibility,
            1.0 - seen * upload(described.ease, device),
        )


def place_targets(
    tape: Tape, jitter: Jitter, variant: Variant, searches: int
) -> tuple[Floats, Floats]:
    """Draw where the targets appear in their search crops: `samples.place_target` for many.

    Returns:
        (G, K) their sizes sqrt(width * height) in pixels of the crop, and (G, K, 2) their centres.
    """
    side = variant.search_size
    nominal = side / variant.search_factor
    near = tape.chance(jitter.near_share, searches)
    close = np.clip(tape.normal(searches, 2) * jitter.near_centre, -1.8, 1.8)
    wide = jitter.centre * (tape.uniform(searches, 2) - 0.5)
    offset = np.where(near[..., None], close, wide)
    deviation = tape.normal(searches)
    far_scale = np.clip(deviation * jitter.scale, -1.0, 1.0)
    scale = np.exp(np.where(near, deviation * jitter.near_scale, far_scale))
    centres = np.clip(side / 2 + offset * nominal, 0.02 * side, 0.98 * side)
    return nominal * scale, centres
