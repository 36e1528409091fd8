# Copyright 2026 mixformer2_ros contributors
# SPDX-License-Identifier: Apache-2.0
"""Stage 3: the score alone learns to tell whether the target is there.

Everything but the score head is frozen. Negatives are search crops without the target, as the data
gives them, and crops that meet the templates of another sample.
"""

from __future__ import annotations

from collections.abc import Mapping

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from mixformer2_ros.model import MixFormerV2
from mixformer2_ros.model.backbone import PREDICTION_TOKENS
from mixformer2_ros.model.teacher import MixViT
from mixformer2_ros.training.config import ConfigError, TrainingConfig, written_variant
from mixformer2_ros.training.data.batch import Batch
from mixformer2_ros.training.distributed import own_rand
from mixformer2_ros.training.passes import SharedTemplates, teacher_prediction
from mixformer2_ros.training.stages.networks import network_from_weights
from mixformer2_ros.training.stages.stage import Stage


class ScoreHeadStage(Stage):
    """See the module.

    Args:
        config: The run.
        student: The network whose score is trained, MixFormerV2 or MixViT.
    """

    student: MixFormerV2 | MixViT

    def __init__(self, config: TrainingConfig, student: MixFormerV2 | MixViT) -> None:
        super().__init__(student, config.precision)
        self._exchanged = config.exchanged
        # The teacher's score is of no use to a tracker, and stays as it is learnt.
        self.trains_score = isinstance(student, MixFormerV2)
        student.requires_grad_(False).eval()
        student.score_head.requires_grad_(True)

    def train(self, mode: bool = True) -> ScoreHeadStage:
        """Set the mode; all of the student stays in evaluation mode but the score head."""
        super().train(mode)
        self.student.eval()
        self.student.score_head.train(mode)
        return self

    def forward(
        self, batch: Batch, progress: float, generator: torch.Generator
    ) -> tuple[Tensor, dict[str, Tensor]]:
        """Return the loss of a batch, see `Stage`."""
        count, repeats = batch.present.shape
        device = batch.present.device
        owners = torch.arange(count, device=device).repeat_interleave(repeats)
        draw = own_rand(count, repeats, generator=generator).to(device).flatten()
        exchanged = (draw < self._exchanged) & (count > 1)
        owners = torch.where(exchanged, (owners + 1) % count, owners)
        truth = (batch.present.flatten() & ~exchanged).float()
        with self.autocast(device):
            score = self._score(batch, owners).float()
        loss = F.binary_cross_entropy_with_logits(score, truth)
        right = ((score.detach() > 0) == (truth > 0.5)).float().mean()
        return loss, {"score": loss.detach(), "right": right}

    def _score(self, batch: Batch, owners: Tensor) -> Tensor:
        with torch.no_grad():
            tokens = SharedTemplates(self.student)(batch.templates, batch.searches, owners=owners)
        if isinstance(self.student, MixViT):
            return teacher_prediction(self.student, tokens, owners).score
        return self.student.score_head(tokens.searches[-1][:, -PREDICTION_TOKENS:])


def build(
    config: TrainingConfig, start: Mapping[str, Tensor] | None, teacher: nn.Module | None
) -> ScoreHeadStage:
    """Build the stage; a teacher is not needed.

    Raises:
        ConfigError: There are no weights to start from, or they are for other crops.
    """
    if start is None:
        raise ConfigError(
            "stage score_head trains the score of a network that finds boxes already: name its "
            "weights in the field start"
        )
    network = network_from_weights(start, "start")
    wanted, given = (
        (sizes.search_size, sizes.template_size)
        for sizes in (written_variant(config), network.variant)
    )
    if wanted != given:
        raise ConfigError(
            f"stage score_head is to train on crops of {wanted} pixels, search and template, but "
            f"the weights are for {given}: correct variant, search_size or template_size"
        )
    return ScoreHeadStage(config, network)
