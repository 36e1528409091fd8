# Copyright 2026 mixformer2_ros contributors
# SPDX-License-Identifier: Apache-2.0
"""How far a network's answers move in another precision, on identical crops."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from mixformer2_ros.inference.crops import Crops
from mixformer2_ros.inference.engine import Engine


class Answers(NamedTuple):
    """What an engine said about N crops.

    Attributes:
        boxes: (N, 4) float64 cx, cy, w, h as fractions of the crop.
        scores: (N,) float64 in [0, 1].
    """

    boxes: NDArray[np.float64]
    scores: NDArray[np.float64]


class Drift(NamedTuple):
    """Differences from float32.

    Attributes:
        box_mean: Mean over crops of the largest difference of a box's cx, cy, w and h, as a
            fraction of the crop.
        box_p99: 99th percentile of the same.
        score_mean: Mean difference of the score, without sign.
        score_p99: 99th percentile of the same.
    """

    box_mean: float
    box_p99: float
    score_mean: float
    score_p99: float


def answers(engine: Engine, crops: Crops) -> Answers:
    """Show an engine all crops, each with its own templates."""
    memories = [
        engine.encode_templates(template[None], online[None])[0]
        for template, online in zip(crops.templates, crops.online_templates, strict=True)
    ]
    found = [
        engine.locate([memories[pair]], crop[None])
        for crop, pair in zip(crops.searches, crops.template_of, strict=True)
    ]
    return Answers(
        np.concatenate([locations.boxes for locations in found]),
        np.concatenate([locations.scores for locations in found]),
    )


def drift(found: Answers, float32: Answers) -> Drift:
    """Compare answers about the same crops."""
    box = np.abs(found.boxes - float32.boxes).max(axis=1)
    score = np.abs(found.scores - float32.scores)
    return Drift(
        float(box.mean()),
        float(np.quantile(box, 0.99)),
        float(score.mean()),
        float(np.quantile(score, 0.99)),
    )
