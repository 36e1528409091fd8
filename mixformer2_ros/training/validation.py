# Copyright 2026 mixformer2_ros contributors
# SPDX-License-Identifier: Apache-2.0
"""How good the weights are, on single search crops of material that training never sees."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from mixformer2_ros.training.data.batch import Batch
from mixformer2_ros.training.losses import box_iou
from mixformer2_ros.training.passes import normalised

_AT_ONCE = 64


@dataclass(frozen=True)
class Quality:
    """Figures of one validation set.

    Attributes:
        iou: Mean IoU of the predicted boxes where the target is present.
        success: Share of them above 0.5.
        auroc: Area under the ROC curve of the score, hits (IoU > 0.5) against misses and absences.
        hit_score: Mean score of hits.
        miss_score: Mean score of misses and absences.
    """

    iou: float
    success: float
    auroc: float
    hit_score: float
    miss_score: float


def auroc(scores: NDArray[np.float64], positive: NDArray[np.bool_]) -> float:
    """Return the probability that a positive scores above a negative; NaN without both."""
    above = scores[positive][:, None] - scores[~positive][None]
    if above.size == 0:
        return float("nan")
    return float((above > 0).mean() + 0.5 * (above == 0).mean())


@torch.inference_mode()
def answers(
    model: nn.Module, batch: Batch
) -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.bool_]]:
    """Run the full forward, as the tracker does, on one batch.

    Args:
        model: Takes two templates and search crops as `MixFormerV2` does, and answers with `box`
            and `score`.
        batch: Samples.

    Returns:
        IoU of the boxes, score logits, and whether the target is present, each (G * K,).
    """
    device = next(model.parameters()).device
    repeats = batch.searches.shape[1]
    templates = batch.templates.repeat_interleave(repeats, dim=0)
    searches, boxes = batch.searches.flatten(0, 1), batch.boxes.flatten(0, 1)
    ious, logits = [], []
    for some in torch.arange(len(searches)).split(_AT_ONCE):
        pair = templates[some]
        images = (pair[:, 0], pair[:, 1], searches[some])
        prediction = model(*(normalised(image.to(device)) for image in images))
        centre, size = prediction.box[:, :2], prediction.box[:, 2:]
        found = torch.cat([centre - size / 2, centre + size / 2], dim=1).float()
        ious.append(box_iou(found, boxes[some].to(device))[0].cpu())
        logits.append(prediction.score.float().cpu())
    return (
        torch.cat(ious).double().numpy(),
        torch.cat(logits).double().numpy(),
        batch.present.flatten().cpu().numpy(),
    )


def validate(model: nn.Module, batch: Batch) -> Quality:
    """Judge a network on one batch."""
    iou, logits, present = answers(model, batch)
    score = 1.0 / (1.0 + np.exp(-logits))
    hit = present & (iou > 0.5)
    return Quality(
        iou=_mean(iou[present]),
        success=_mean(hit[present]),
        auroc=auroc(score, hit),
        hit_score=_mean(score[hit]),
        miss_score=_mean(score[~hit]),
    )


def _mean(values: NDArray) -> float:
    return float(values.mean()) if values.size else float("nan")
