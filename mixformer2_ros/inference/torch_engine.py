# Copyright 2026 mixformer2_ros contributors
# SPDX-License-Identifier: Apache-2.0
"""The PyTorch engine: CPU or CUDA."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TypeAlias

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from mixformer2_ros.inference.engine import (
    Locations,
    ModelError,
    check_crops,
    check_memories,
    describe,
)
from mixformer2_ros.model.attention import KeyValue
from mixformer2_ros.model.mixformerv2 import FastMixFormerV2, MixFormerV2

# Every block's keys and values of one target's templates, batch 1.
TorchMemory: TypeAlias = tuple[KeyValue, ...]

_PRECISIONS = {"fp32": torch.float32, "fp16": torch.float16, "bf16": torch.bfloat16}


class TorchEngine:
    """Runs a `MixFormerV2` module with cached templates; see `Engine` for the methods.

    Args:
        model: The network; copied.
        device: "auto" (CUDA where there is one), "cpu", "cuda" or "cuda:N".
        precision: "auto" (fp16 on CUDA, fp32 elsewhere), "fp32", "fp16" or "bf16".
        threads: CPU threads, for this process; None leaves torch's choice.

    Raises:
        ModelError: Device or precision is not available.
    """

    def __init__(
        self,
        model: MixFormerV2,
        device: str = "auto",
        precision: str = "auto",
        threads: int | None = None,
    ) -> None:
        self._device = _pick_device(device)
        self._dtype = _pick_precision(precision, self._device)
        if threads is not None:
            torch.set_num_threads(threads)
        self.variant = model.variant
        self._network = FastMixFormerV2(model).to(self._device, self._dtype)
        self.description = describe(
            self.variant,
            f"PyTorch {torch.__version__}",
            str(self._device),
            str(self._dtype).removeprefix("torch."),
            torch.get_num_threads(),
        )

    def _tensor(self, crops: NDArray[np.uint8]) -> Tensor:
        return torch.from_numpy(np.ascontiguousarray(crops)).to(self._device)

    def encode_templates(
        self, templates: NDArray[np.uint8], online_templates: NDArray[np.uint8]
    ) -> list[TorchMemory]:
        """Encode two templates a target; see `Engine.encode_templates`."""
        check_crops(templates, self.variant.template_size, "templates")
        check_crops(online_templates, self.variant.template_size, "online_templates")
        layers = self._network.encode_templates(
            self._tensor(templates), self._tensor(online_templates)
        )
        return [
            tuple(KeyValue(layer.keys[i : i + 1], layer.values[i : i + 1]) for layer in layers)
            for i in range(len(templates))
        ]

    def locate(self, memories: Sequence[TorchMemory], crops: NDArray[np.uint8]) -> Locations:
        """Find the targets; see `Engine.locate`."""
        check_crops(crops, self.variant.search_size, "crops")
        check_memories(memories, crops)
        prediction = self._network.locate(_batch(memories), self._tensor(crops))
        return Locations(
            boxes=prediction.box.double().cpu().numpy(),
            scores=prediction.score.double().sigmoid().cpu().numpy(),
            edges=prediction.edges.float().cpu().numpy(),
        )


def _batch(memories: Sequence[TorchMemory]) -> list[KeyValue]:
    if len(memories) == 1:
        return list(memories[0])
    return [
        KeyValue(
            torch.cat([part.keys for part in layer]), torch.cat([part.values for part in layer])
        )
        for layer in zip(*memories, strict=True)
    ]


def _pick_device(device: str) -> torch.device:
    if device == "auto":
        return torch.device("cuda" if torch.cuda.is_available() else "cpu")
    try:
        picked = torch.device(device)
    except RuntimeError as error:
        raise ModelError(f"device {device!r} is unknown: use auto, cpu, cuda or cuda:N") from error
    if picked.type not in ("cpu", "cuda"):
        raise ModelError(f"device {device!r} is not supported: use auto, cpu, cuda or cuda:N")
    if picked.type == "cuda" and not torch.cuda.is_available():
        raise ModelError(
            f"device {device!r} is not available: this PyTorch ({torch.__version__}) finds no CUDA "
            "GPU; install a CUDA build of PyTorch and the driver, or use device cpu"
        )
    return picked


def _pick_precision(precision: str, device: torch.device) -> torch.dtype:
    if precision == "auto":
        return torch.float16 if device.type == "cuda" else torch.float32
    if precision not in _PRECISIONS:
        raise ModelError(f"precision {precision!r} is unknown: use auto, {', '.join(_PRECISIONS)}")
    if precision == "fp16" and device.type == "cpu":
        raise ModelError("precision 'fp16' is for CUDA: on a CPU use auto, fp32 or bf16")
    return _PRECISIONS[precision]
