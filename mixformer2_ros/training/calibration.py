# Copyright 2026 mixformer2_ros contributors
# SPDX-License-Identifier: Apache-2.0
"""Makes the score a probability: 0.5 where a hit is as likely as a miss."""

from __future__ import annotations

import numpy as np
import torch
from numpy.typing import NDArray

from mixformer2_ros.model import MixFormerV2
from mixformer2_ros.training.parts import score_layers

_ITERATIONS = 50
_RIDGE = 1e-4


def fit_logistic(logits: NDArray[np.float64], hit: NDArray[np.bool_]) -> tuple[float, float]:
    """Fit sigmoid(scale * logit + offset) to hits and misses of equal total weight (Platt, 1999).

    Args:
        logits: (N,) scores before the sigmoid.
        hit: (N,) whether the box was right.

    Returns:
        scale > 0 and offset; (1, 0) where the scores do not tell the two apart, or one is absent.
    """
    if not hit.any() or hit.all():
        return 1.0, 0.0
    weights = np.where(hit, 0.5 / hit.sum(), 0.5 / (~hit).sum())
    design = np.stack([logits, np.ones_like(logits)], axis=1)
    solution = np.zeros(2)
    for _ in range(_ITERATIONS):
        probability = 1.0 / (1.0 + np.exp(-np.clip(design @ solution, -30, 30)))
        gradient = design.T @ (weights * (probability - hit)) + _RIDGE * solution
        curvature = (design * (weights * probability * (1 - probability))[:, None]).T @ design
        solution = solution - np.linalg.solve(curvature + _RIDGE * np.eye(2), gradient)
    scale, offset = (float(value) for value in solution)
    return (scale, offset) if scale > 0 else (1.0, 0.0)


@torch.no_grad()
def rescale_score(model: MixFormerV2, scale: float, offset: float) -> None:
    """Make the network's score logit `scale` times what it was, plus `offset`, in place."""
    last = score_layers(model).logit
    last.weight.mul_(scale)
    last.bias.mul_(scale).add_(offset)
