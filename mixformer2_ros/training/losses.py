# Copyright 2026 mixformer2_ros contributors
# SPDX-License-Identifier: Apache-2.0
"""Training losses. Boxes are x1, y1, x2, y2 in fractions of the search crop."""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor

from mixformer2_ros.model.heads import expected_edges
from mixformer2_ros.training.distributed import global_count
from mixformer2_ros.training.network import TrainingOutput


@dataclass(frozen=True)
class LossConfig:
    """Weights of the losses.

    Attributes:
        edges: Cross entropy of the edge distributions.
        edge_sigma: Width of their soft targets, bins.
        l1: Mean absolute error of the edges (published: 5).
        giou: Generalised IoU loss of the box.
        score: Binary cross entropy of the score.
        depth: Factor for the same losses on the blocks before the last one.
        inside: Binary cross entropy of "this search token lies in the target".
        offsets: Smooth L1 of the distances from such tokens to the target's edges.
        score_ramp: IoU of the predicted box at which the score's target leaves 0, and reaches 1,
            once `score_from_iou` of the training is over; before, the target is presence alone.
        score_from_iou: See there; fraction of the training.
    """

    edges: float = 1.0
    edge_sigma: float = 1.0
    l1: float = 5.0
    giou: float = 2.0
    score: float = 0.5
    depth: float = 0.4
    inside: float = 1.0
    offsets: float = 10.0
    score_ramp: tuple[float, float] = (0.2, 0.5)
    score_from_iou: float = 0.6


def soft_edge_targets(edges: Tensor, bins: int, sigma: float) -> Tensor:
    """Return Gaussian distributions (..., bins) around edges (...), where bin i means i / bins."""
    positions = torch.arange(bins, device=edges.device, dtype=edges.dtype)
    distance = (positions - (edges * bins).clamp(0, bins - 1)[..., None]) / sigma
    return torch.softmax(-0.5 * distance.square(), dim=-1)


def edge_divergence(logits: Tensor, target: Tensor) -> Tensor:
    """Kullback-Leibler divergence KL(target || softmax(logits)).

    Args:
        logits: (B, 4, bins).
        target: (B, 4, bins) probabilities.

    Returns:
        (B,), the mean over the four edges.
    """
    log_target = target.clamp_min(1e-12).log()
    return (target * (log_target - logits.log_softmax(dim=-1))).sum(dim=-1).mean(dim=-1)


def edge_cross_entropy(logits: Tensor, edges: Tensor, sigma: float) -> Tensor:
    """Cross entropy above its minimum, per box: the divergence from the soft targets.

    Args:
        logits: (B, 4, bins).
        edges: (B, 4) true edges.
        sigma: Width of the soft targets, bins.

    Returns:
        (B,), the mean over the four edges.
    """
    return edge_divergence(logits, soft_edge_targets(edges, logits.shape[-1], sigma))


def box_iou(first: Tensor, second: Tensor) -> tuple[Tensor, Tensor]:
    """Return IoU (B,) and area of the union (B,) of boxes (B, 4); crossed corners mean empty."""
    overlap = torch.minimum(first[:, 2:], second[:, 2:]) - torch.maximum(
        first[:, :2], second[:, :2]
    )
    shared = overlap.clamp_min(0).prod(dim=-1)
    areas = [(box[:, 2:] - box[:, :2]).clamp_min(0).prod(dim=-1) for box in (first, second)]
    union = areas[0] + areas[1] - shared
    return shared / union.clamp_min(1e-9), union


def giou_loss(first: Tensor, second: Tensor) -> Tensor:
    """Return 1 - GIoU (arXiv 1902.09630), (B,), of boxes (B, 4)."""
    iou, union = box_iou(first, second)
    hull = (
        torch.maximum(first[:, 2:], second[:, 2:]) - torch.minimum(first[:, :2], second[:, :2])
    ).clamp_min(0)
    area = hull.prod(dim=-1).clamp_min(1e-9)
    return 1.0 - iou + (area - union) / area


def ciou_loss(first: Tensor, second: Tensor) -> tuple[Tensor, Tensor]:
    """Complete IoU loss (arXiv 1911.08287): overlap, distance of the centres, and aspect.

    Args:
        first: (B, 4) predicted boxes.
        second: (B, 4) true boxes.

    Returns:
        1 - CIoU (B,), and IoU (B,) without gradient. Aspects count where the IoU is above 0.5.
    """
    iou, _ = box_iou(first, second)
    sizes = [(box[:, 2:] - box[:, :2]).clamp_min(1e-6) for box in (first, second)]
    # Corners may cross; the hull holds them all.
    corners = torch.stack([first, second], dim=1).view(-1, 4, 2)
    hull = corners.amax(dim=1) - corners.amin(dim=1)
    between = (first[:, :2] + first[:, 2:] - second[:, :2] - second[:, 2:]) / 2
    distance = between.square().sum(dim=-1) / hull.square().sum(dim=-1).clamp_min(1e-9)
    turned = [torch.atan(size[:, 0] / size[:, 1]) for size in sizes]
    aspect = 4 / math.pi**2 * (turned[1] - turned[0]).square()
    overlap = iou.detach()
    weight = (overlap > 0.5) * aspect.detach() / (1 - overlap + aspect.detach()).clamp_min(1e-9)
    return 1 - iou + distance + weight * aspect, overlap


def token_losses(
    inside: Tensor, offsets: Tensor, centres: Tensor, boxes: Tensor, present: Tensor
) -> tuple[Tensor, Tensor]:
    """Dense supervision of the search tokens.

    Args:
        inside: (B, N) logits.
        offsets: (B, N, 4) predicted distances to the left, top, right and bottom edge.
        centres: (B, N, 2) the tokens' centres.
        boxes: (B, 4) true boxes.
        present: (B,) bool.

    Returns:
        Binary cross entropy, positive and negative tokens weighted equally in total, and the smooth
        L1 loss of the distances of the tokens inside.
    """
    near = centres - boxes[:, None, :2]
    far = boxes[:, None, 2:] - centres
    distances = torch.cat([near, far], dim=-1)
    truth = (distances.min(dim=-1).values > 0) & present[:, None]
    inside_count, outside_count = global_count(truth.sum()), global_count((~truth).sum())
    weight = truth / inside_count + ~truth / outside_count
    loss = F.binary_cross_entropy_with_logits(inside, truth.float(), reduction="none")
    classification = (loss * weight).sum() / 2
    error = F.smooth_l1_loss(offsets, distances, beta=0.02, reduction="none").mean(dim=-1)
    return classification, (error * truth).sum() / inside_count


def total_loss(
    output: TrainingOutput, boxes: Tensor, present: Tensor, config: LossConfig, progress: float
) -> tuple[Tensor, dict[str, Tensor]]:
    """Weigh all losses.

    Args:
        output: Of the network, batch B.
        boxes: (B, 4) true boxes.
        present: (B,) bool.
        config: Weights.
        progress: Share of the training that is over.

    Returns:
        The loss, and its parts with the mean IoU of the final boxes, detached, for the log.
    """
    found = present.float() / global_count(present.sum())
    total = output.score.new_zeros(())
    parts: dict[str, Tensor] = {}
    for layer in output.layers:
        last = layer is output.layers[-1]
        edges = expected_edges(layer.edge_logits.softmax(dim=-1))
        divergence = (edge_cross_entropy(layer.edge_logits, boxes, config.edge_sigma) * found).sum()
        l1 = ((edges - boxes).abs().mean(dim=-1) * found).sum()
        giou = (giou_loss(edges, boxes) * found).sum()
        loss = config.edges * divergence + config.l1 * l1 + config.giou * giou
        total = total + loss * (1.0 if last else config.depth)
        if layer.inside is not None and layer.offsets is not None:
            inside, offsets = token_losses(
                layer.inside, layer.offsets, output.centres, boxes, present
            )
            total = total + config.inside * inside + config.offsets * offsets
            parts |= {"inside": inside, "offsets": offsets}
    iou = box_iou(edges.detach(), boxes)[0]
    target = present.float()
    if progress >= config.score_from_iou:
        low, high = config.score_ramp
        target = target * ((iou - low) / (high - low)).clamp(0, 1)
    score = F.binary_cross_entropy_with_logits(output.score, target)
    total = total + config.score * score
    parts |= {"edges": divergence, "l1": l1, "giou": giou, "score": score}
    parts |= {"iou": (iou * found).sum()}
    return total, {name: value.detach() for name, value in parts.items()}
