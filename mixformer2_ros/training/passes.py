# Copyright 2026 mixformer2_ros contributors
# SPDX-License-Identifier: Apache-2.0
"""The forward pass as the paper's stages train it.

It is exact, and cheaper than the plain forward: the templates of a sample are encoded once for all
its search crops, and the last block is evaluated only for the tokens that are asked for. Blocks may
be faded out: both residual branches are scaled (arXiv 2305.15896, section 3.4).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from mixformer2_ros.model.attention import KeyValue
from mixformer2_ros.model.backbone import PREDICTION_TOKENS, Backbone, Block, TokenMixer
from mixformer2_ros.model.mixformerv2 import MixFormerV2
from mixformer2_ros.model.teacher import MixViT, TeacherPrediction
from mixformer2_ros.model.variants import IMAGE_MEAN, IMAGE_STD


@dataclass
class Tokens:
    """Outputs of every block.

    Attributes:
        templates: (G, 2 * N_template, C) each; the last block's only where it was asked for.
        searches: (G * K, N, C) each, with the prediction tokens where the network has them; the
            last block's are the prediction tokens alone unless all were asked for.
    """

    templates: list[Tensor]
    searches: list[Tensor]


def normalised(images: Tensor) -> Tensor:
    """Return images (B, H, W, 3) uint8 RGB as the networks take them, (B, 3, H, W) float32."""
    mean = torch.tensor(IMAGE_MEAN, device=images.device).view(3, 1, 1)
    std = torch.tensor(IMAGE_STD, device=images.device).view(3, 1, 1)
    return (images.permute(0, 3, 1, 2).float() / 255 - mean) / std


class SharedTemplates(nn.Module):
    """Runs a network, MixFormerV2 or MixViT, on samples with several search crops each.

    Args:
        model: The network.
        complete: Evaluate the last block for all tokens, not only for those its heads read.
    """

    def __init__(self, model: MixFormerV2 | MixViT, complete: bool = False) -> None:
        super().__init__()
        self.model = model
        self._complete = complete

    def forward(
        self,
        templates: Tensor,
        searches: Tensor,
        fades: Sequence[float] | None = None,
        owners: Tensor | None = None,
    ) -> Tokens:
        """Return the outputs of all blocks.

        Args:
            templates: (G, 2, T, T, 3) uint8 RGB.
            searches: (G, K, S, S, 3) uint8 RGB.
            fades: Factor of every block's residual branches; None for 1.
            owners: (G * K,) which sample's templates each search crop meets; None for its own.
        """
        backbone: TokenMixer = self.model.backbone
        count, repeats = searches.shape[:2]
        if owners is None:
            owners = torch.arange(count, device=searches.device).repeat_interleave(repeats)
        first, second = normalised(templates.flatten(0, 1)).unflatten(0, (count, 2)).unbind(1)
        memory = backbone.embed_templates(first, second)
        tokens = backbone.embed_search(normalised(searches.flatten(0, 1)))
        found = Tokens([], [])
        blocks = backbone.layers()
        for index, block in enumerate(blocks):
            fade = 1.0 if fades is None else fades[index]
            last = index == len(blocks) - 1
            # The score module of the teacher reads the templates.
            if last and not self._complete and isinstance(backbone, Backbone):
                seen, leaving = block.key_value(memory), PREDICTION_TOKENS
            else:
                memory, seen = _encode(block, memory, fade)
                found.templates.append(memory)
                leaving = tokens.shape[1]
            seen = KeyValue(seen.keys[owners], seen.values[owners])
            tokens = _locate(block, tokens, seen, leaving, fade)
            found.searches.append(tokens)
        return found


def edge_logits(model: MixFormerV2, tokens: Tokens) -> Tensor:
    """Return a student's edge logits (G * K, 4, bins), float32."""
    return model.box_head(tokens.searches[-1][:, -PREDICTION_TOKENS:]).float()


def teacher_prediction(
    model: MixViT, tokens: Tokens, owners: Tensor | None = None
) -> TeacherPrediction:
    """Read a teacher's answer out of its last tokens; `owners` as given to `SharedTemplates`."""
    templates, searches = tokens.templates[-1], tokens.searches[-1]
    if owners is None:
        memory = templates.repeat_interleave(len(searches) // len(templates), dim=0)
    else:
        memory = templates[owners]
    return model.predict(memory, searches)


def _encode(block: Block, tokens: Tensor, fade: float) -> tuple[Tensor, KeyValue]:
    """`Block.encode` with faded branches."""
    query, memory = block.attn.query_key_value(block.norm1(tokens))
    tokens = tokens + fade * block.attn.attend(query, memory)
    return tokens + fade * block.mlp(block.norm2(tokens)), memory


def _locate(block: Block, tokens: Tensor, templates: KeyValue, leaving: int, fade: float) -> Tensor:
    """`Block.locate` with faded branches."""
    normed = block.norm1(tokens)
    own = block.attn.key_value(normed)
    memory = KeyValue(
        torch.cat([templates.keys, own.keys], dim=2),
        torch.cat([templates.values, own.values], dim=2),
    )
    tokens, query = tokens[:, -leaving:], block.attn.query(normed[:, -leaving:])
    tokens = tokens + fade * block.attn.attend(query, memory)
    return tokens + fade * block.mlp(block.norm2(tokens))
