# Copyright 2026 mixformer2_ros contributors
# SPDX-License-Identifier: Apache-2.0
"""Teacher training: MixViT learns boxes (arXiv 2302.02814); its score comes afterwards."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import torch
from torch import Tensor, nn

from mixformer2_ros.model.heads import expected_edges
from mixformer2_ros.model.teacher import MixViT, load_teacher
from mixformer2_ros.training.config import TrainingConfig
from mixformer2_ros.training.data.batch import Batch
from mixformer2_ros.training.distillation_losses import box_losses
from mixformer2_ros.training.initialisation import initialise_teacher
from mixformer2_ros.training.passes import SharedTemplates, teacher_prediction
from mixformer2_ros.training.stages.networks import teacher_variant
from mixformer2_ros.training.stages.stage import Stage


class TeacherStage(Stage):
    """See the module.

    Args:
        config: The run.
        model: The network to train.
    """

    student: MixViT

    def __init__(self, config: TrainingConfig, model: MixViT) -> None:
        super().__init__(model, config.precision)
        self._losses = config.distillation
        model.score_head.requires_grad_(False)
        self.network = SharedTemplates(model)

    def forward(
        self, batch: Batch, progress: float, generator: torch.Generator
    ) -> tuple[Tensor, dict[str, Tensor]]:
        """Return the loss of a batch, see `Stage`."""
        boxes, present = batch.boxes.flatten(0, 1), batch.present.flatten()
        with self.autocast(boxes.device):
            tokens = self.network(batch.templates, batch.searches)
            prediction = teacher_prediction(self.student, tokens)
        loss, parts = box_losses(expected_edges(prediction.edges), boxes, present, self._losses)
        return loss, {name: value.detach() for name, value in parts.items()}

    def compilable(self) -> Sequence[nn.Module]:
        """Return the network on samples that share templates."""
        return (self.network,)


def build(
    config: TrainingConfig, start: Mapping[str, Tensor] | None, teacher: nn.Module | None
) -> TeacherStage:
    """Build the stage; a teacher is not needed. Published MixViT weights may be its start."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(config.seed)
        model = MixViT(teacher_variant(config))
    initialise_teacher(model, config.seed, config.initialisation)
    if start is not None:
        load_teacher(model, start, "start")
    return TeacherStage(config, model)
