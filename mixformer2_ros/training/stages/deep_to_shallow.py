# Copyright 2026 mixformer2_ros contributors
# SPDX-License-Identifier: Apache-2.0
"""Stage 2: a student becomes shallower, or its MLPs narrower (arXiv 2305.15896, section 3.4).

Removing: the student begins as its teacher, and some of its blocks fade out until they are nothing
but the identity. Tuning: the shortened network goes on learning. In both, chosen layers mimic
layers of the teacher. A student with a lower MLP ratio than the network it starts from keeps the
hidden units whose share of a block's output varies most; the published code has no such step.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import torch
from torch import Tensor, nn

from mixformer2_ros.model import MixFormerV2
from mixformer2_ros.model.heads import expected_edges
from mixformer2_ros.training.config import ConfigError, TrainingConfig
from mixformer2_ros.training.data.batch import Batch
from mixformer2_ros.training.distillation_losses import box_losses, feature_error
from mixformer2_ros.training.distributed import global_count
from mixformer2_ros.training.losses import edge_divergence
from mixformer2_ros.training.passes import SharedTemplates, Tokens, edge_logits
from mixformer2_ros.training.shrink import fade_factor, with_crops, without_blocks
from mixformer2_ros.training.stages.networks import network_from_weights, student_of
from mixformer2_ros.training.stages.taught import TaughtStage, checked_teacher


class DeepToShallow(TaughtStage):
    """See the module.

    Args:
        config: The run.
        student: The network to train.
        teacher: Trained, for crops of the same size.

    Raises:
        ConfigError: A block is named that one of the networks does not have.
    """

    teacher: MixFormerV2

    def __init__(self, config: TrainingConfig, student: MixFormerV2, teacher: MixFormerV2) -> None:
        super().__init__(student, teacher, config.precision)
        self._losses, self._plan, self._epochs = (
            config.distillation,
            config.shortening,
            config.epochs,
        )
        _check_blocks(config, student, teacher)
        self.network = SharedTemplates(student, complete=True)

    def fades(self, progress: float) -> list[float]:
        """Return the factor of every block's residual branches.

        Args:
            progress: Share of the training that is over.
        """
        factor = fade_factor(int(progress * self._epochs), self._plan.fade_epochs)
        depth = len(self.student.backbone.blocks)
        return [factor if index in self._plan.fading else 1.0 for index in range(depth)]

    def forward(
        self, batch: Batch, progress: float, generator: torch.Generator
    ) -> tuple[Tensor, dict[str, Tensor]]:
        """Return the loss of a batch, see `Stage`."""
        boxes, present = batch.boxes.flatten(0, 1), batch.present.flatten()
        with self.autocast(boxes.device):
            own = self.network(batch.templates, batch.searches, self.fades(progress))
            logits = edge_logits(self.student, own)
            with torch.no_grad():
                taught = SharedTemplates(self.teacher, complete=True)(
                    batch.templates, batch.searches
                )
                target = edge_logits(self.teacher, taught)
        edges = expected_edges(logits.softmax(dim=-1))
        loss, parts = box_losses(edges, boxes, present, self._losses)
        share = present.float() / global_count(present.sum())
        parts["edges"] = (edge_divergence(logits, target.softmax(dim=-1)) * share).sum()
        loss = loss + self._losses.edges * parts["edges"]
        if self._plan.mimic:
            parts["features"] = self._features(own, taught)
            loss = loss + self._losses.features * parts["features"]
        return loss, {name: value.detach() for name, value in parts.items()}

    def _features(self, own: Tokens, taught: Tokens) -> Tensor:
        """Mean squared error over all tokens that a search crop meets, its templates' too."""
        first, last = own.templates[0].shape[1], own.searches[0].shape[1]
        errors = [
            first * feature_error(own.templates[student], taught.templates[teacher])
            + last * feature_error(own.searches[student], taught.searches[teacher])
            for student, teacher in self._plan.mimic
        ]
        return torch.stack(errors).mean() / (first + last)

    def finished(self, average: nn.Module) -> nn.Module:
        """Return the network without the blocks that have faded out."""
        assert isinstance(average, MixFormerV2)
        return without_blocks(average, self._plan.fading) if self._plan.fading else average

    def compilable(self) -> Sequence[nn.Module]:
        """Return the network on samples that share templates."""
        return (self.network,)


def build(
    config: TrainingConfig, start: Mapping[str, Tensor] | None, teacher: nn.Module | None
) -> DeepToShallow:
    """Build the stage; without a start, the student begins as a copy of the teacher.

    Raises:
        ConfigError: The teacher is missing or no MixFormerV2, or sizes do not fit.
    """
    deep = checked_teacher(config, teacher, MixFormerV2)
    begin = deep if start is None else network_from_weights(start, "start")
    if not isinstance(begin, MixFormerV2):
        raise ConfigError("stage deep_to_shallow starts from a MixFormerV2, not from a MixViT")
    student = student_of(config, begin)
    sizes = student.variant
    return DeepToShallow(config, student, with_crops(deep, sizes.search_size, sizes.template_size))


def _check_blocks(config: TrainingConfig, student: MixFormerV2, teacher: MixFormerV2) -> None:
    plan = config.shortening
    named = {
        "student": (student, {*plan.fading, *(pair[0] for pair in plan.mimic)}),
        "teacher": (teacher, {pair[1] for pair in plan.mimic}),
    }
    for name, (network, blocks) in named.items():
        depth = len(network.backbone.blocks)
        unknown = sorted(blocks - set(range(depth)))
        if unknown:
            raise ConfigError(
                f"shortening names blocks {unknown} of the {name}, which has blocks 0 to "
                f"{depth - 1}: correct fading or mimic"
            )
