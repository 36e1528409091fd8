# Copyright 2026 mixformer2_ros contributors
# SPDX-License-Identifier: Apache-2.0
"""What the network saw in a frame: its crops, its edge distributions, where it looked.

Needs PyTorch: attention is recomputed from the parts of the module.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import cast

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from mixformer2_ros.inference.engine import Locations
from mixformer2_ros.inference.torch_engine import TorchEngine, TorchMemory
from mixformer2_ros.model.attention import KeyValue
from mixformer2_ros.model.backbone import Block
from mixformer2_ros.model.heads import EDGE_ORDER, TOKEN_ORDER
from mixformer2_ros.model.mixformerv2 import MixFormerV2
from mixformer2_ros.model.variants import IMAGE_MEAN, IMAGE_STD
from mixformer2_ros.sources import SourceFrame
from mixformer2_ros.tracking.config import TrackerConfig
from mixformer2_ros.tracking.tracker import Tracker
from mixformer2_ros.tracking.types import TrackResult

_EDGES_OF_TOKENS = [TOKEN_ORDER.index(edge) for edge in EDGE_ORDER]


@dataclass(frozen=True)
class Attention:
    """Attention of L layers, mean over the heads; S and T are patches a side of the crops.

    A query's attention sums to 1 over both templates, the search crop and the four prediction
    tokens together.

    Attributes:
        edges_to_search: (L, 4, S, S) float32, of the prediction tokens left, top, right, bottom to
            the patches of the search crop.
        edges_to_templates: (L, 4) of the same tokens to both templates, summed.
        search_to_templates: (L, S, S) of each patch of the search crop to both templates, summed.
        templates_from_search: (L, 2, T, T) of all patches of the search crop, on average, to each
            patch of the initial and the online template.
    """

    edges_to_search: NDArray[np.float32]
    edges_to_templates: NDArray[np.float32]
    search_to_templates: NDArray[np.float32]
    templates_from_search: NDArray[np.float32]


@dataclass(frozen=True)
class Inspection:
    """Everything about one frame of a run.

    Attributes:
        index: Number of the frame in its source.
        templates: Initial and online template, (2, T, T, 3) uint8 RGB.
        crop: Search crop, (S, S, 3) uint8 RGB.
        box: cx, cy, w, h as fractions of the search crop, as the network says.
        score: Probability that the target is in the crop.
        edges: (4, bins) probabilities of the left, top, right and bottom edge over the crop.
        attention: Where the network looked.
        result: What the tracker made of it.
    """

    index: int
    templates: NDArray[np.uint8]
    crop: NDArray[np.uint8]
    box: NDArray[np.float64]
    score: float
    edges: NDArray[np.float32]
    attention: Attention
    result: TrackResult


def inspect(
    model: MixFormerV2,
    frames: Iterable[SourceFrame],
    box: Sequence[float] | None,
    wanted: Collection[int],
    config: TrackerConfig | None = None,
) -> Iterator[Inspection]:
    """Track through frames and look closely at some.

    Args:
        model: The network.
        frames: In order; the tracker is started on the first.
        box: x, y, w, h in pixels of the first frame; None takes its truth.
        wanted: Numbers of the frames to look at; 0, on which the tracker is started, has nothing to
            show.
        config: Settings of the tracker.

    Yields:
        The frames that were wanted, in order; nothing is read after the last of them.

    Raises:
        ValueError: There is no box to start with, or a frame that is wanted does not exist.
    """
    if not wanted or min(wanted) < 1:
        raise ValueError("the tracker is started on frame 0: name frames from 1 on")
    engine = _WitnessedEngine(model)
    tracker = Tracker(engine, config)
    last = max(wanted)
    for frame in frames:
        if frame.index == 0:
            tracker.init(frame.image, _start_box(frame, box), frame.time)
            continue
        result = tracker.update(frame.image, frame.time)
        if frame.index in wanted:
            yield engine.inspection(frame.index, result)
        if frame.index == last:
            return
    raise ValueError(f"frame {last} does not exist: the source ends before it")


def attention(
    model: MixFormerV2, templates: NDArray[np.uint8], crop: NDArray[np.uint8]
) -> Attention:
    """Return where a network looks.

    Args:
        model: The network, in evaluation mode.
        templates: Initial and online template, (2, T, T, 3) uint8 RGB.
        crop: Search crop, (S, S, 3) uint8 RGB.
    """
    backbone, variant = model.backbone, model.variant
    first = backbone.template_tokens
    search = slice(first, first + variant.search_tokens)
    search_side, template_side = (
        size // variant.patch for size in (variant.search_size, variant.template_size)
    )
    rows = []
    with torch.inference_mode():
        images = [_normalised(image, model) for image in (*templates, crop)]
        tokens = torch.cat(
            [backbone.embed_templates(images[0], images[1]), backbone.embed_search(images[2])],
            dim=1,
        )
        for block in cast("list[Block]", list(backbone.blocks)):
            query, memory = block.attn.query_key_value(block.norm1(tokens))
            rows.append(_weights(query[:, :, first:], memory))
            tokens = block(tokens, first)
        layers = torch.stack(rows).float().cpu().numpy()
    of_search, of_edges = layers[:, : variant.search_tokens], layers[:, variant.search_tokens :]
    of_edges = of_edges[:, _EDGES_OF_TOKENS]
    count = len(layers)
    return Attention(
        edges_to_search=of_edges[:, :, search].reshape(count, 4, search_side, search_side),
        edges_to_templates=of_edges[:, :, :first].sum(axis=-1),
        search_to_templates=of_search[:, :, :first].sum(-1).reshape(-1, search_side, search_side),
        templates_from_search=of_search[:, :, :first]
        .mean(axis=1)
        .reshape(count, 2, template_side, template_side),
    )


def _weights(query: Tensor, memory: KeyValue) -> Tensor:
    """Return the attention (N_query, N) of batch 1, mean over the heads."""
    scale = query.shape[-1] ** -0.5
    return (query * scale @ memory.keys.transpose(-2, -1)).softmax(dim=-1).mean(dim=1)[0]


def _normalised(image: NDArray[np.uint8], model: MixFormerV2) -> Tensor:
    mean, std = np.array(IMAGE_MEAN, np.float32), np.array(IMAGE_STD, np.float32)
    scaled = (image.astype(np.float32) / 255 - mean) / std
    weight = model.backbone.patch_embed.proj.weight
    return torch.from_numpy(scaled.transpose(2, 0, 1)[None].copy()).to(weight)


def _start_box(frame: SourceFrame, box: Sequence[float] | None) -> Sequence[float]:
    if box is not None:
        return box
    if frame.truth is None or not np.isfinite(frame.truth).all():
        raise ValueError(
            "the source does not know where the target is in its first frame: give it with "
            "--box x,y,w,h"
        )
    return frame.truth.tolist()


class _WitnessedEngine:
    """A PyTorch engine that remembers what it was shown last, and what it answered."""

    def __init__(self, model: MixFormerV2) -> None:
        self._model = model.eval()
        self._engine = TorchEngine(model, device="cpu")
        self.variant = self._engine.variant
        self.description = self._engine.description
        self._templates = np.empty(0, np.uint8)
        self._crop = np.empty(0, np.uint8)
        self._locations: Locations | None = None

    def encode_templates(
        self, templates: NDArray[np.uint8], online_templates: NDArray[np.uint8]
    ) -> list[tuple[TorchMemory, NDArray[np.uint8]]]:
        memories = self._engine.encode_templates(templates, online_templates)
        pairs = np.stack([templates, online_templates], axis=1)
        return list(zip(memories, pairs, strict=True))

    def locate(
        self,
        memories: Sequence[tuple[TorchMemory, NDArray[np.uint8]]],
        crops: NDArray[np.uint8],
    ) -> Locations:
        self._locations = self._engine.locate([memory for memory, _ in memories], crops)
        self._templates, self._crop = memories[0][1], crops[0].copy()
        return self._locations

    def inspection(self, index: int, result: TrackResult) -> Inspection:
        assert self._locations is not None
        return Inspection(
            index=index,
            templates=self._templates,
            crop=self._crop,
            box=self._locations.boxes[0],
            score=float(self._locations.scores[0]),
            edges=self._locations.edges[0],
            attention=attention(self._model, self._templates, self._crop),
            result=result,
        )
