# Copyright 2026 mixformer2_ros contributors
# SPDX-License-Identifier: Apache-2.0
"""What the paper's stages compare a student with its teacher by (arXiv 2305.15896, section 3.3)."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from mixformer2_ros.training.distributed import global_count
from mixformer2_ros.training.losses import ciou_loss


@dataclass(frozen=True)
class DistillationConfig:
    """Weights of the losses of the paper's stages; the defaults are the published values.

    Attributes:
        l1: Mean absolute error of the edges, fractions of the crop.
        ciou: Complete IoU loss of the box.
        edges: Divergence of the student's edge distributions from the teacher's.
        features: Mean squared error of the tokens of the layers that mimic the teacher's.
    """

    l1: float = 5.0
    ciou: float = 2.0
    edges: float = 5.0
    features: float = 0.2


def resampled(probabilities: Tensor, bins: int) -> Tensor:
    """Bring distributions over a crop's side to another number of bins.

    Cell i of M stands for the fraction i / M. Its probability goes to the bins around that place,
    with weights that fall linearly to 0 over one cell or one bin, whichever is wider.

    Args:
        probabilities: (..., M), sums 1.
        bins: Wanted number.

    Returns:
        (..., bins), sums 1; the same distributions where M is `bins`.
    """
    cells = probabilities.shape[-1]
    if cells == bins:
        return probabilities
    bin_places = torch.arange(bins, device=probabilities.device, dtype=probabilities.dtype) / bins
    places = torch.arange(cells, device=probabilities.device, dtype=probabilities.dtype) / cells
    distance = places[:, None] - bin_places
    weights = (1 - distance.abs() * min(cells, bins)).clamp_min(0)
    return probabilities @ (weights / weights.sum(dim=1, keepdim=True))


def feature_error(student: Tensor, teacher: Tensor) -> Tensor:
    """Mean squared error over all samples, tokens and channels.

    Args:
        student: (B, N, C) outputs of a layer that mimics.
        teacher: (B, N, C) outputs of the layer it mimics.
    """
    return (student.float() - teacher.float()).square().mean()


def box_losses(
    edges: Tensor, boxes: Tensor, present: Tensor, config: DistillationConfig
) -> tuple[Tensor, dict[str, Tensor]]:
    """L1 and CIoU loss of the boxes whose target is present.

    Args:
        edges: (B, 4) predicted left, top, right, bottom, fractions of the crop.
        boxes: (B, 4) true edges.
        present: (B,) bool.
        config: Weights.

    Returns:
        The weighted sum, and its parts with the mean IoU.
    """
    share = present.float() / global_count(present.sum())
    loss, iou = ciou_loss(edges, boxes)
    parts = {
        "l1": ((edges - boxes).abs().mean(dim=-1) * share).sum(),
        "ciou": (loss * share).sum(),
        "iou": (iou * share).sum(),
    }
    return config.l1 * parts["l1"] + config.ciou * parts["ciou"], parts
