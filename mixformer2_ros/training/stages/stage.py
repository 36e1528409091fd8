# Copyright 2026 mixformer2_ros contributors
# SPDX-License-Identifier: Apache-2.0
"""What a stage of the training is: the network that is trained, and its loss."""

from __future__ import annotations

import abc
from collections.abc import Sequence
from contextlib import AbstractContextManager

import torch
from torch import Tensor, nn

from mixformer2_ros.training.data.batch import Batch


class Stage(nn.Module, abc.ABC):
    """One stage of a recipe.

    A stage holds everything that its loss needs. What must not be trained has `requires_grad`
    False. A frozen network under the attribute `teacher` is not written into the training's state:
    it is read from its own file again.

    Args:
        student: The network that is trained; its exponential average is kept and written.
        precision: "bf16" or "fp32", for the networks' forward passes.

    Attributes:
        student: See above.
        trains_score: The student's score means something afterwards, so that it is calibrated.
    """

    student: nn.Module
    trains_score: bool = False

    def __init__(self, student: nn.Module, precision: str) -> None:
        super().__init__()
        self.student = student
        self._bf16 = precision == "bf16"

    @abc.abstractmethod
    def forward(
        self, batch: Batch, progress: float, generator: torch.Generator
    ) -> tuple[Tensor, dict[str, Tensor]]:
        """Return the loss of a batch.

        All that is trained must take part, because gradients of several devices are averaged on
        the way back. Means over anything but the samples, of which every device has as many, are
        sums divided by `distributed.global_count`; random numbers of samples come from
        `distributed.own_rand`. Two devices then compute what one does with their joint batch.

        Args:
            batch: This device's samples, on the device.
            progress: Share of the training that is over.
            generator: Source of randomness on the CPU, the same on every device.

        Returns:
            The loss, a scalar, and its parts, detached scalars for the log.
        """

    def finished(self, average: nn.Module) -> nn.Module:
        """Return the network to write, of the exponential average of the student."""
        return average

    def judged(self, average: nn.Module) -> nn.Module:
        """Return the network to validate: what `finished` returns, or one that answers the same."""
        return self.finished(average)

    def compilable(self) -> Sequence[nn.Module]:
        """Return the modules that `torch.compile` is worth its time for."""
        return (self.student,)

    def autocast(self, device: torch.device) -> AbstractContextManager[object]:
        """Return the context for forward passes; losses belong outside, in full precision."""
        return torch.autocast(device.type, torch.bfloat16, enabled=self._bf16)
