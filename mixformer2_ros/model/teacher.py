# Copyright 2026 mixformer2_ros contributors
# SPDX-License-Identifier: Apache-2.0
"""MixViT (arXiv 2302.02814), the teacher: the same tokens, but a corner head instead of tokens."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from mixformer2_ros.model.backbone import TokenMixer
from mixformer2_ros.model.corner_head import CornerHead, corner_probabilities, edge_marginals
from mixformer2_ros.model.heads import edges_to_box, expected_edges
from mixformer2_ros.model.score_module import ScoreModule
from mixformer2_ros.model.state import CheckpointError
from mixformer2_ros.model.variants import Variant


@dataclass(frozen=True)
class TeacherVariant(Variant):
    """Sizes of a MixViT.

    Attributes:
        head_channels: Channels of the corner head's first convolution; a multiple of 8.
        pyramid: Corner maps of four cells a token and axis rather than one. `bins` has no meaning.
    """

    head_channels: int = 384
    pyramid: bool = True


TEACHER_BASE = TeacherVariant(
    "teacher_base", search_size=288, template_size=128, search_factor=5.0, depth=12, mlp_ratio=4
)
TEACHER_LARGE = TeacherVariant(
    "teacher_large", search_size=288, template_size=128, search_factor=5.0, depth=24, mlp_ratio=4,
    width=1024, heads=16,
)  # fmt: skip
TEACHERS = {variant.name: variant for variant in (TEACHER_BASE, TEACHER_LARGE)}


@dataclass(frozen=True)
class TeacherPrediction:
    """What the teacher says about a batch of search crops.

    Attributes:
        corners: (B, 2, M, M) probabilities of the top left and bottom right corner over the cells
            of their maps; rows, columns. Cell i stands for the fraction i / M of the crop.
        edges: (B, 4, M) their marginals: left, top, right, bottom.
        box: (B, 4) cx, cy, w, h as fractions of the search crop; w and h may be negative.
        score: (B,) logit that the target is in the crop.
    """

    corners: Tensor
    edges: Tensor
    box: Tensor
    score: Tensor


class MixViT(nn.Module):
    """The teacher.

    Args:
        variant: Sizes of the network.
    """

    def __init__(self, variant: TeacherVariant) -> None:
        super().__init__()
        self.variant = variant
        self.backbone = TokenMixer(variant)
        self.box_head = CornerHead(variant.width, variant.head_channels, variant.pyramid)
        self.score_head = ScoreModule(variant.width, variant.heads)

    def predict(self, templates: Tensor, search: Tensor) -> TeacherPrediction:
        """Read box and score out of the last block's tokens.

        Args:
            templates: (B, 2 * N_template, C), the initial template's tokens first.
            search: (B, N_search, C).
        """
        logits = self.box_head(search).float()
        # Distributions over thousands of cells need more than half precision.
        with torch.autocast(logits.device.type, enabled=False):
            corners = corner_probabilities(logits)
            marginals = edge_marginals(corners)
            edges = expected_edges(marginals)
        template = templates[:, : templates.shape[1] // 2]
        score = self.score_head(search, template, edges.detach())
        return TeacherPrediction(corners, marginals, edges_to_box(edges), score)

    def forward(
        self, template: Tensor, online_template: Tensor, search: Tensor
    ) -> TeacherPrediction:
        """Full forward.

        Args:
            template: (B, 3, T, T) float, normalised RGB.
            online_template: (B, 3, T, T) float, normalised RGB.
            search: (B, 3, S, S) float, normalised RGB.
        """
        tokens = self.backbone(template, online_template, search)[-1]
        count = self.backbone.template_tokens
        return self.predict(tokens[:, :count], tokens[:, count:])


def build_teacher(variant: str | TeacherVariant) -> MixViT:
    """Return a randomly initialised MixViT, `variant` one of `TEACHERS` or sizes of one's own.

    Raises:
        ValueError: There is no such variant.
    """
    if isinstance(variant, str):
        if variant not in TEACHERS:
            choices = ", ".join(sorted(TEACHERS))
            raise ValueError(f"unknown teacher variant {variant!r}: choose one of {choices}")
        variant = TEACHERS[variant]
    return MixViT(variant)


def load_teacher(model: MixViT, state: Mapping[str, Tensor], source: str = "checkpoint") -> None:
    """Copy weights into a teacher: this package's own, or a published MixViT's.

    Args:
        model: Changed in place, only when everything fits.
        state: Names and tensors. A published checkpoint may lack the score module; that of `model`
            then stays as it is.
        source: What to call the weights in a message.

    Raises:
        CheckpointError: Names are missing, extra, or shapes differ.
    """
    own = {name: value for name, value in model.state_dict().items() if not _unused(name)}
    weights = {_own_name(name): value for name, value in state.items() if not _unused(name)}
    if not any(name.startswith("score_head.") for name in weights):
        weights |= {name: own[name] for name in own if name.startswith("score_head.")}
    missing, extra = sorted(own.keys() - weights.keys()), sorted(weights.keys() - own.keys())
    differing = [
        f"{name} {tuple(weights[name].shape)} instead of {tuple(value.shape)}"
        for name, value in own.items()
        if name in weights and weights[name].shape != value.shape
    ]
    if missing or extra or differing:
        raise CheckpointError(
            f"{source} does not fit teacher {model.variant.name!r}: {len(missing)} names missing "
            f"{missing[:3]}, {len(extra)} extra {extra[:3]}, shapes {differing[:3]}; choose the "
            "variant that it was trained with"
        )
    model.load_state_dict(
        {name: value.to(own[name].dtype) for name, value in weights.items()}, strict=False
    )


# Left over in the published checkpoints from the classifier that the backbone once was, and a
# counter that nothing reads.
_LEFTOVERS = re.compile(r"backbone\.(cls_token|pos_embed|norm\..*|head\..*)|.*num_batches_tracked")
_SIDES = {"tl": "top_left", "br": "bottom_right"}


def _unused(name: str) -> bool:
    return _LEFTOVERS.fullmatch(name) is not None


def _own_name(name: str) -> str:
    """Translate a parameter's published name; a name of this package stays as it is."""
    name = re.sub(r"^score_branch\.(score_head\.)?", "score_head.", name)
    return re.sub(
        r"^box_head\.(\w+)_(tl|br)\.",
        lambda found: f"box_head.{_SIDES[found[2]]}.{found[1]}.",
        name,
    )
