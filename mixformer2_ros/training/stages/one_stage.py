# Copyright 2026 mixformer2_ros contributors
# SPDX-License-Identifier: Apache-2.0
"""One-stage training: MixFormerV2 from scratch, supervised at every depth, without a teacher.

Search crops are reduced to windows of tokens at first, and a batch may take the initial template
for both: both train the same function for less.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import replace

import torch
from torch import Tensor, nn

from mixformer2_ros.model import MixFormerV2
from mixformer2_ros.model.variants import Variant
from mixformer2_ros.training.config import (
    ConfigError,
    TrainingConfig,
    trained_variant,
    written_variant,
)
from mixformer2_ros.training.data.batch import Batch
from mixformer2_ros.training.distributed import own_rand
from mixformer2_ros.training.grow import grow
from mixformer2_ros.training.initialisation import initialise
from mixformer2_ros.training.losses import total_loss
from mixformer2_ros.training.network import TrainingNetwork
from mixformer2_ros.training.schedule import current
from mixformer2_ros.training.stages.networks import network_from_weights
from mixformer2_ros.training.stages.stage import Stage
from mixformer2_ros.training.widen import unwiden, widen


class OneStage(Stage):
    """See the module.

    Args:
        config: The run.
        model: The network to train.
        written: Sizes of the network that is written; wider than `model`, or the same.
    """

    student: MixFormerV2
    trains_score = True

    def __init__(self, config: TrainingConfig, model: MixFormerV2, written: Variant) -> None:
        super().__init__(model, config.precision)
        self._config, self._written = config, written
        self.network = TrainingNetwork(model, config.supervised)

    def forward(
        self, batch: Batch, progress: float, generator: torch.Generator
    ) -> tuple[Tensor, dict[str, Tensor]]:
        """Return the loss of a batch, see `Stage`."""
        config = self._config
        templates = batch.templates
        if torch.rand((), generator=generator) < current(config.equal_templates, progress, 0.0):
            templates = templates[:, :1]
        boxes, present = batch.boxes.flatten(0, 1), batch.present.flatten()
        grid = math.isqrt(self.student.backbone.pos_embed_s.shape[1])
        window = min(current(config.windows, progress, grid), grid)
        corners = window_corners(boxes, present, window, grid, generator)
        with self.autocast(boxes.device):
            output = self.network(templates, batch.searches, corners, window)
        return total_loss(output, boxes, present, config.loss, progress)

    def finished(self, average: nn.Module) -> nn.Module:
        """Return the network in its full width."""
        assert isinstance(average, MixFormerV2)
        return widen(average, self._written)

    def judged(self, average: nn.Module) -> nn.Module:
        """Return the network before it is widened, which answers the same for less."""
        return average

    def compilable(self) -> Sequence[nn.Module]:
        """Return the network with its auxiliary heads."""
        return (self.network,)


def build(
    config: TrainingConfig, start: Mapping[str, Tensor] | None, teacher: nn.Module | None
) -> OneStage:
    """Build the stage; a teacher is not needed.

    Weights of a smaller network are grown; those of a widened one are first taken back to the width
    that is trained.

    Raises:
        ConfigError: The weights to begin with do not fit.
    """
    variant = trained_variant(config)
    if start is None:
        model = MixFormerV2(variant)
        initialise(model, config.seed, config.initialisation)
    else:
        model = _begun(start, variant)
    return OneStage(config, model, written_variant(config))


def _begun(start: Mapping[str, Tensor], variant: Variant) -> MixFormerV2:
    model = network_from_weights(start, "start")
    if not isinstance(model, MixFormerV2):
        raise ConfigError("start: one-stage training begins with a MixFormerV2, not with a MixViT")
    try:
        if model.variant.width > variant.width:
            sizes = {name: getattr(variant, name) for name in ("width", "heads", "mlp_ratio")}
            model = unwiden(model, replace(model.variant, **sizes))
        return grow(model, variant)
    except ValueError as error:
        raise ConfigError(
            f"start: {error}; name other weights, or set depth, width and mlp_ratio"
        ) from error


def window_corners(
    boxes: Tensor, present: Tensor, window: int, grid: int, generator: torch.Generator
) -> Tensor:
    """Draw windows of tokens that hold the target's centre; anywhere where it is absent.

    Args:
        boxes: (B, 4) x1, y1, x2, y2, fractions of the crop.
        present: (B,) bool.
        window: Side of the window, tokens.
        grid: Side of the token grid.
        generator: Source of randomness, on the CPU.

    Returns:
        (B, 2) int64 row and column of each window's first token.
    """
    count = len(boxes)
    anywhere = own_rand(count, 2, generator=generator).to(boxes.device, non_blocking=True) * grid
    draw = own_rand(count, 2, generator=generator).to(boxes.device, non_blocking=True)
    middle = (boxes[:, [1, 0]] + boxes[:, [3, 2]]) / 2 * grid
    middle = torch.where(present[:, None], middle, anywhere).floor().clamp(0, grid - 1)
    # One token of margin, so that the target's surroundings are seen on both sides.
    low = (middle - window + 2).clamp(0, grid - window)
    high = (middle - 1).clamp(0, grid - window)
    return (low + (draw * (high - low + 1)).floor().clamp_max(high - low)).long()
