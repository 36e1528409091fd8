# Copyright 2026 mixformer2_ros contributors
# SPDX-License-Identifier: Apache-2.0
"""A study: what does it cost to look at fewer of the search crop's patches?

Three ways, on weights that were trained with all of them:

- a smaller window: the patches in the middle only, with the position embeddings they have there,
  so that boxes mean what they mean in the whole window;
- that window only while the target is sure to be in it: confident, and in the middle last time;
- background patches that the prediction tokens look at least leave after the first block (as in
  OSTrack, arXiv 2203.11991).

Needs PyTorch.
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence as Several
from dataclasses import dataclass, replace
from itertools import islice

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from mixformer2_ros.benchmark.tables import Table
from mixformer2_ros.benchmark.work import macs_per_frame
from mixformer2_ros.evaluation.datasets import Sequence
from mixformer2_ros.evaluation.layouts import open_dataset
from mixformer2_ros.evaluation.metrics import iou, success_auc
from mixformer2_ros.evaluation.playback import play
from mixformer2_ros.evaluation.scoring import score_sequence
from mixformer2_ros.inference import Engine, Locations
from mixformer2_ros.inference.loading import find_weights
from mixformer2_ros.inference.torch_engine import TorchEngine
from mixformer2_ros.model import build_model, load_weights, read_checkpoint
from mixformer2_ros.model.attention import KeyValue
from mixformer2_ros.model.backbone import PREDICTION_TOKENS, Block
from mixformer2_ros.model.mixformerv2 import FastMixFormerV2, MixFormerV2, folded
from mixformer2_ros.model.variants import Variant
from mixformer2_ros.precision.starts import SHIFTS, shifted
from mixformer2_ros.sources import open_source
from mixformer2_ros.tracking import Tracker

_WINDOWS = (12, 10)
_KEPT = (0.7, 0.5)
_SCENES = (11, 12, 13)
_SCENE_FRAMES = 120
# In fractions of the whole window: the target lies in the middle part with room to move.
_SURE_SCORE = 0.7


@dataclass(frozen=True)
class _Way:
    """One way of looking at fewer patches.

    Attributes:
        name: What it is called.
        engine: What does it.
        shares: Share of the full work of each frame that was located.
    """

    name: str
    engine: Engine
    shares: list[float]


def study(args: argparse.Namespace) -> list[Table]:
    """Track with every way and set the loss beside the saving.

    Raises:
        ModelError: There are no weights.
        DatasetError: The data set cannot be read.
    """
    torch.set_num_threads(args.threads)
    path = find_weights(args.model, args.checkpoint)
    whole = build_model(args.model).eval()
    load_weights(whole, read_checkpoint(path))
    model = folded(whole)
    sequences = open_dataset("folder", args.dataset) if args.dataset else []
    rows = []
    for way in _ways(model):
        starts = [_on_sequences(way.engine, sequences, shift) for shift in SHIFTS[: args.starts]]
        on_sequences = float(np.mean(starts)) if sequences else None
        spread = float(np.ptp(starts)) if sequences else None
        share = 100 * float(np.mean(way.shares))
        rows.append((way.name, share, on_sequences, spread, _on_scenes(way.engine)))
    return [
        Table(
            f"tokens-{args.model}",
            f"Fewer patches of the search crop: success AUC on {len(sequences)} sequences from "
            f"{args.starts} starts and on {len(_SCENES)} procedural scenes",
            ("patches", "% of the work", "AUC, sequences", "its spread", "AUC, scenes"),
            rows,
        )
    ]


def _ways(model: MixFormerV2) -> list[_Way]:
    full = TorchEngine(model, "cpu", "fp32")
    side = model.variant.search_size // model.variant.patch
    ways = [_counted(f"all, {side}x{side}", full, 1.0)]
    for window in _WINDOWS:
        share = macs_per_frame(_smaller(model.variant, window)) / macs_per_frame(model.variant)
        small = _WindowEngine(model, window)
        ways.append(_counted(f"middle {window}x{window}", small, share))
        shares: list[float] = []
        adaptive = _AdaptiveEngine(full, small, share, window / side, shares)
        ways.append(_Way(f"middle {window}x{window} while sure", adaptive, shares))
    for kept in _KEPT:
        pruned = _PrunedEngine(model, kept)
        ways.append(_counted(f"{kept:.0%} most looked at, after block 1", pruned, pruned.share))
    return ways


def _counted(name: str, engine: Engine, share: float) -> _Way:
    return _Way(name, engine, [share])


def _on_sequences(engine: Engine, sequences: Several[Sequence], shift: Several[float]) -> float:
    aucs: list[float] = []
    for sequence in sequences:
        score = score_sequence(sequence, play(Tracker(engine), shifted(sequence, shift)))
        aucs.append(success_auc(score.overlaps))
    return 100 * float(np.mean(aucs))


def _on_scenes(engine: Engine) -> float:
    aucs = []
    for seed in _SCENES:
        first, *others = islice(open_source(f"scene:{seed}"), _SCENE_FRAMES)
        assert first.truth is not None
        tracker = Tracker(engine)
        tracker.init(first.image, first.truth.tolist())
        boxes = np.stack([tracker.update(frame.image).box for frame in others])
        truth = np.stack([frame.truth for frame in others if frame.truth is not None])
        seen = np.isfinite(truth).all(axis=1)
        aucs.append(success_auc(iou(boxes[seen], truth[seen])))
    return 100 * float(np.mean(aucs))


def _smaller(variant: Variant, window: int) -> Variant:
    return replace(variant, search_size=window * variant.patch)


class _WindowEngine:
    """Sees only the middle patches; boxes are fractions of the whole crop all the same."""

    def __init__(self, model: MixFormerV2, window: int) -> None:
        self.variant, self.description = model.variant, f"middle {window}"
        small = MixFormerV2(_smaller(model.variant, window))
        state = model.state_dict()
        side = model.variant.search_size // model.variant.patch
        first = (side - window) // 2
        middle = slice(first, first + window)
        positions = state["backbone.pos_embed_s"].unflatten(1, (side, side))
        state["backbone.pos_embed_s"] = positions[:, middle, middle].flatten(1, 2)
        small.load_state_dict(state)
        self._engine = TorchEngine(small.eval(), "cpu", "fp32")
        patch = model.variant.patch
        self._pixels = slice(first * patch, (first + window) * patch)
        self.encode_templates = self._engine.encode_templates

    def locate(self, memories: Several, crops: NDArray[np.uint8]) -> Locations:
        return self._engine.locate(
            memories, np.ascontiguousarray(crops[:, self._pixels, self._pixels])
        )


class _AdaptiveEngine:
    """Looks through the small window while the last box was confident and well inside it.

    Both engines encode templates alike, so either takes the other's memories.
    """

    def __init__(
        self, full: Engine, small: Engine, share: float, window: float, shares: list[float]
    ) -> None:
        self.variant, self.description = full.variant, "adaptive"
        self.encode_templates = full.encode_templates
        self._full, self._small, self._share = full, small, share
        self._room, self._shares = window / 2, shares
        self._is_sure = False

    def locate(self, memories: Several, crops: NDArray[np.uint8]) -> Locations:
        found = (self._small if self._is_sure else self._full).locate(memories, crops)
        self._shares.append(self._share if self._is_sure else 1.0)
        cx, cy, w, h = found.boxes[0]
        # As far again as it has moved since the last frame, the whole target stays inside.
        reach = max(2 * abs(cx - 0.5) + w / 2, 2 * abs(cy - 0.5) + h / 2)
        self._is_sure = found.scores[0] > _SURE_SCORE and reach < self._room
        return found


class _PrunedEngine:
    """Lets background patches go after the first block."""

    def __init__(self, model: MixFormerV2, kept: float) -> None:
        self.variant, self.description = model.variant, f"{kept:.0%}"
        self._network = FastMixFormerV2(model)
        self._kept = round(kept * model.variant.search_tokens)
        self.share = _pruned_share(model.variant, self._kept)

    def encode_templates(
        self, templates: NDArray[np.uint8], online_templates: NDArray[np.uint8]
    ) -> list[list[KeyValue]]:
        return [
            self._network.encode_templates(
                torch.from_numpy(templates), torch.from_numpy(online_templates)
            )
        ]

    @torch.inference_mode()
    def locate(self, memories: Several[list[KeyValue]], crops: NDArray[np.uint8]) -> Locations:
        (memory,) = memories
        model = self._network.model
        image = torch.from_numpy(crops).permute(0, 3, 1, 2).float()
        first, *layers, last = model.backbone.layers()
        tokens = model.backbone.embed_search(image)
        attention = _attention_to_search(first, tokens)
        tokens = first.locate(tokens, memory[0])
        chosen = attention.topk(self._kept).indices.sort().values
        tokens = torch.cat([tokens[:, chosen], tokens[:, -PREDICTION_TOKENS:]], dim=1)
        for block, seen in zip(layers, memory[1:-1], strict=True):
            tokens = block.locate(tokens, seen)
        found = model.predict(last.locate(tokens, memory[-1], leaving=PREDICTION_TOKENS))
        return Locations(
            found.box.double().numpy(),
            found.score.double().sigmoid().numpy(),
            found.edges.numpy(),
        )


def _attention_to_search(block: Block, tokens: Tensor) -> Tensor:
    """Attention of the prediction tokens to the search tokens, mean over tokens and heads."""
    normed = block.norm1(tokens)
    query = block.attn.query(normed[:, -PREDICTION_TOKENS:])
    keys = block.attn.key_value(normed[:, :-PREDICTION_TOKENS]).keys
    scores = query @ keys.transpose(-1, -2) * query.shape[-1] ** -0.5
    return scores.softmax(dim=-1).mean(dim=(0, 1, 2))


def _pruned_share(variant: Variant, kept: int) -> float:
    """Share of the work that is left; choosing and gathering come on top of it."""

    def block(tokens: int) -> int:
        seen, width = 2 * variant.template_tokens, variant.width
        attention = 4 * width + 2 * (tokens + seen)
        return tokens * width * (attention + 2 * variant.mlp_ratio * width)

    full = variant.search_tokens + PREDICTION_TOKENS
    saved = (variant.depth - 2) * (block(full) - block(kept + PREDICTION_TOKENS))
    return 1 - saved / macs_per_frame(variant)
