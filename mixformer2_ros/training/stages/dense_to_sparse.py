# Copyright 2026 mixformer2_ros contributors
# SPDX-License-Identifier: Apache-2.0
"""Stage 1: four tokens learn what dense corner maps say (arXiv 2305.15896, section 3.3).

The teacher's corner maps, summed over the other axis, are the distributions that the student's four
tokens are to give.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import torch
from torch import Tensor, nn

from mixformer2_ros.model import MixFormerV2, load_weights
from mixformer2_ros.model.heads import expected_edges
from mixformer2_ros.model.teacher import MixViT
from mixformer2_ros.training.config import TrainingConfig
from mixformer2_ros.training.data.batch import Batch
from mixformer2_ros.training.distillation_losses import box_losses, resampled
from mixformer2_ros.training.distributed import global_count
from mixformer2_ros.training.initialisation import initialise
from mixformer2_ros.training.losses import edge_divergence
from mixformer2_ros.training.passes import SharedTemplates, edge_logits, teacher_prediction
from mixformer2_ros.training.shrink import with_crops
from mixformer2_ros.training.stages.networks import student_variant
from mixformer2_ros.training.stages.taught import TaughtStage, checked_teacher


class DenseToSparse(TaughtStage):
    """See the module.

    Args:
        config: The run.
        student: The network to train.
        teacher: Trained, for crops of the same size.
    """

    teacher: MixViT

    def __init__(self, config: TrainingConfig, student: MixFormerV2, teacher: MixViT) -> None:
        super().__init__(student, teacher, config.precision)
        self._losses = config.distillation
        self.network = SharedTemplates(student)

    def forward(
        self, batch: Batch, progress: float, generator: torch.Generator
    ) -> tuple[Tensor, dict[str, Tensor]]:
        """Return the loss of a batch, see `Stage`."""
        boxes, present = batch.boxes.flatten(0, 1), batch.present.flatten()
        with self.autocast(boxes.device):
            logits = edge_logits(self.student, self.network(batch.templates, batch.searches))
            with torch.no_grad():
                tokens = SharedTemplates(self.teacher)(batch.templates, batch.searches)
                dense = teacher_prediction(self.teacher, tokens).edges
        edges = expected_edges(logits.softmax(dim=-1))
        loss, parts = box_losses(edges, boxes, present, self._losses)
        share = present.float() / global_count(present.sum())
        target = resampled(dense, logits.shape[-1])
        parts["edges"] = (edge_divergence(logits, target) * share).sum()
        loss = loss + self._losses.edges * parts["edges"]
        return loss, {name: value.detach() for name, value in parts.items()}

    def compilable(self) -> Sequence[nn.Module]:
        """Return the network on samples that share templates."""
        return (self.network,)


def build(
    config: TrainingConfig, start: Mapping[str, Tensor] | None, teacher: nn.Module | None
) -> DenseToSparse:
    """Build the stage.

    Without a start, a student of the teacher's sizes begins with the teacher's backbone, and any
    other one from scratch.

    Raises:
        ConfigError: The teacher is missing or no MixViT.
    """
    variant = student_variant(config)
    dense = with_crops(
        checked_teacher(config, teacher, MixViT), variant.search_size, variant.template_size
    )
    student = MixFormerV2(variant)
    initialise(student, config.seed, config.initialisation)
    if start is not None:
        load_weights(student, start, "start")
    elif _alike(student, dense):
        student.backbone.load_state_dict(dense.backbone.state_dict(), strict=False)
    return DenseToSparse(config, student, dense)


def _alike(student: MixFormerV2, teacher: MixViT) -> bool:
    own = student.backbone.state_dict()
    other = teacher.backbone.state_dict()
    return all(name in own and own[name].shape == value.shape for name, value in other.items())
