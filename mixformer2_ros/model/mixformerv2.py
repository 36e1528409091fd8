# Copyright 2026 mixformer2_ros contributors
# SPDX-License-Identifier: Apache-2.0
"""MixFormerV2 as a torch module, and the form of it that runs on a robot."""

from __future__ import annotations

import copy
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from mixformer2_ros.model.attention import KeyValue
from mixformer2_ros.model.backbone import PREDICTION_TOKENS, Backbone
from mixformer2_ros.model.folding import fold
from mixformer2_ros.model.heads import BoxHead, ScoreHead, edges_to_box, expected_edges
from mixformer2_ros.model.variants import IMAGE_MEAN, IMAGE_STD, Variant, get_variant


@dataclass(frozen=True)
class Prediction:
    """What the network says about a batch of search crops.

    Attributes:
        edge_logits: (B, 4, bins), edges in the order left, top, right, bottom.
        edges: (B, 4, bins), the same as probabilities.
        box: (B, 4) cx, cy, w, h as fractions of the search crop; w and h may be negative.
        score: (B,) logit that the target is in the crop.
    """

    edge_logits: Tensor
    edges: Tensor
    box: Tensor
    score: Tensor

    @property
    def left(self) -> Tensor:
        """(B, bins) probabilities of the left edge."""
        return self.edges[:, 0]

    @property
    def top(self) -> Tensor:
        """(B, bins) probabilities of the top edge."""
        return self.edges[:, 1]

    @property
    def right(self) -> Tensor:
        """(B, bins) probabilities of the right edge."""
        return self.edges[:, 2]

    @property
    def bottom(self) -> Tensor:
        """(B, bins) probabilities of the bottom edge."""
        return self.edges[:, 3]


class MixFormerV2(nn.Module):
    """The published network; parameter names are those of the published checkpoints.

    Args:
        variant: Sizes of the network.
    """

    def __init__(self, variant: Variant) -> None:
        super().__init__()
        self.variant = variant
        self.backbone = Backbone(variant)
        self.box_head = BoxHead(variant.width, variant.bins)
        self.score_head = ScoreHead(variant.width)

    def predict(self, tokens: Tensor) -> Prediction:
        """Read box and score out of prediction tokens (B, 4, C)."""
        logits = self.box_head(tokens)
        edges = logits.softmax(dim=-1)
        return Prediction(
            edge_logits=logits,
            edges=edges,
            box=edges_to_box(expected_edges(edges)),
            score=self.score_head(tokens),
        )

    def forward(self, template: Tensor, online_template: Tensor, search: Tensor) -> Prediction:
        """Full forward: every token through every block.

        Args:
            template: (B, 3, T, T) float, normalised RGB.
            online_template: (B, 3, T, T) float, normalised RGB.
            search: (B, 3, S, S) float, normalised RGB.
        """
        outputs = self.backbone(template, online_template, search)
        return self.predict(outputs[-1][:, -PREDICTION_TOKENS:])


def build_model(variant: str) -> MixFormerV2:
    """Return a randomly initialised MixFormerV2, `variant` "small" or "base".

    Raises:
        ValueError: There is no such variant.
    """
    return MixFormerV2(get_variant(variant))


def folded(model: MixFormerV2) -> MixFormerV2:
    """Return the narrowest network that computes what `model` does (`folding.fold`)."""
    state = {name: values.float().cpu().numpy() for name, values in model.state_dict().items()}
    variant, weights = fold(model.variant, state)
    if variant == model.variant:
        return model
    narrow = MixFormerV2(variant)
    narrow.load_state_dict({name: torch.from_numpy(array) for name, array in weights.items()})
    return narrow.train(model.training)


class FastMixFormerV2(nn.Module):
    """The exact rewrite for tracking: uint8 crops in, templates cached, last block reduced.

    Two things never change between frames: the templates' keys and values (template queries see
    templates only), and the need for only 4 tokens after the last block. The normalisation of the
    input is folded into the patch embedding. Equal to `MixFormerV2.forward` up to rounding.

    Args:
        model: The network; its weights are copied.
    """

    def __init__(self, model: MixFormerV2) -> None:
        super().__init__()
        self.model = copy.deepcopy(model).eval().requires_grad_(False)
        _fold_normalisation(self.model.backbone.patch_embed.proj)

    def _image(self, crops: Tensor) -> Tensor:
        """Crops (B, H, W, 3) uint8 to (B, 3, H, W) in the network's floating type."""
        weight = self.model.backbone.patch_embed.proj.weight
        return crops.permute(0, 3, 1, 2).to(weight.dtype)

    @torch.inference_mode()
    def encode_templates(self, templates: Tensor, online_templates: Tensor) -> list[KeyValue]:
        """Return every block's keys and values of both templates.

        Args:
            templates: (B, T, T, 3) uint8 RGB.
            online_templates: (B, T, T, 3) uint8 RGB.
        """
        return self.model.backbone.encode_templates(
            self._image(templates), self._image(online_templates)
        )

    @torch.inference_mode()
    def locate(self, memory: list[KeyValue], crops: Tensor) -> Prediction:
        """Find each target in its search crop.

        Args:
            memory: From `encode_templates`, batch B.
            crops: (B, S, S, 3) uint8 RGB.
        """
        return self.model.predict(self.model.backbone.locate(memory, self._image(crops)))


def _fold_normalisation(projection: nn.Conv2d) -> None:
    """Make a convolution of normalised RGB in [0, 1] take raw values 0..255, exactly."""
    mean = torch.tensor(IMAGE_MEAN, dtype=torch.float64).view(1, 3, 1, 1)
    std = torch.tensor(IMAGE_STD, dtype=torch.float64).view(1, 3, 1, 1)
    weight = projection.weight.double() / std
    assert projection.bias is not None
    bias = projection.bias.double() - (weight * mean).sum(dim=(1, 2, 3))
    projection.weight.copy_(weight / 255.0)
    projection.bias.copy_(bias)
