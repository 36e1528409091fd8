# Copyright 2026 mixformer2_ros contributors
# SPDX-License-Identifier: Apache-2.0
"""What the stages that learn from a teacher share."""

from __future__ import annotations

from typing import TypeVar

from torch import nn

from mixformer2_ros.model import MixFormerV2
from mixformer2_ros.training.config import ConfigError, TrainingConfig
from mixformer2_ros.training.stages.stage import Stage

AnyNetwork = TypeVar("AnyNetwork", bound=nn.Module)


class TaughtStage(Stage):
    """A stage with a frozen teacher; the score is left to a stage of its own.

    Args:
        student: The network that is trained.
        teacher: The network to learn from.
        precision: See `Stage`.
    """

    student: MixFormerV2

    def __init__(self, student: MixFormerV2, teacher: nn.Module, precision: str) -> None:
        super().__init__(student, precision)
        student.score_head.requires_grad_(False)
        self.teacher = teacher.requires_grad_(False).eval()

    def train(self, mode: bool = True) -> TaughtStage:
        """Set the student's mode; the teacher stays in evaluation mode."""
        super().train(mode)
        self.teacher.eval()
        return self


def checked_teacher(
    config: TrainingConfig, teacher: nn.Module | None, kind: type[AnyNetwork]
) -> AnyNetwork:
    """Return the teacher of a stage.

    Raises:
        ConfigError: There is none, or it is of another kind.
    """
    if not isinstance(teacher, kind):
        found = "none is given" if teacher is None else f"a {type(teacher).__name__} is given"
        raise ConfigError(
            f"stage {config.stage} learns from a {kind.__name__}, but {found}: "
            "name its weights in the field teacher"
        )
    return teacher
