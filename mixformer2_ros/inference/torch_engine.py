# Copyright 2026 mixformer2_ros contributors
# SPDX-License-Identifier: Apache-2.0
"""The PyTorch engine: CPU or CUDA."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import nullcontext
from typing import TypeAlias

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from mixformer2_ros.inference import processor
from mixformer2_ros.inference.engine import (
    Locations,
    ModelError,
    check_crops,
    check_memories,
    check_templates,
    describe,
)
from mixformer2_ros.inference.torch_network import (
    Linear,
    MakeLinear,
    Memory,
    TorchNetwork,
    plain_linear,
)
from mixformer2_ros.model.mixformerv2 import MixFormerV2, folded

# What is kept of one target's templates (`TorchNetwork.encode_templates`), batch 1.
TorchMemory: TypeAlias = list[Tensor]

_PRECISIONS = {"fp32": torch.float32, "fp16": torch.float16, "bf16": torch.bfloat16}
# Tokens for which oneDNN lays out weights; it takes any other number, too.
_TYPICAL_TOKENS = 256


class TorchEngine:
    """Runs a `MixFormerV2` module with cached templates; see `Engine` for the methods.

    On CUDA a frame is one CUDA graph for each number of targets, on a stream of the engine's own.
    `locate` returns when the results are there.

    Args:
        model: The network; copied, and folded where its channels repeat.
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
        dtype = _pick_precision(precision, self._device)
        if threads is not None:
            torch.set_num_threads(threads)
        model = folded(model)
        self.variant = model.variant
        self._network = TorchNetwork(model, self._device, dtype, _pick_linear(self._device, dtype))
        on_cuda = self._device.type == "cuda"
        self._stream = torch.cuda.Stream(self._device) if on_cuda else None
        if on_cuda:
            torch.cuda.synchronize(self._device)  # the weights are there before the stream starts
        self._runs: dict[int, _Run] = {}
        self.description = describe(
            self.variant,
            f"PyTorch {torch.__version__}",
            str(self._device),
            str(dtype).removeprefix("torch."),
            torch.get_num_threads(),
        )
        self._warm_up()

    def encode_templates(
        self, templates: NDArray[np.uint8], online_templates: NDArray[np.uint8]
    ) -> list[TorchMemory]:
        """Encode two templates a target; see `Engine.encode_templates`."""
        check_templates(templates, online_templates, self.variant.template_size)
        with nullcontext() if self._stream is None else torch.cuda.stream(self._stream):
            images = [
                torch.from_numpy(np.ascontiguousarray(part)).to(self._device)
                for part in (templates, online_templates)
            ]
            *blocks, tokens = self._network.encode_templates(*images)
        return [
            [*(block[:, i : i + 1] for block in blocks), tokens[i : i + 1]]
            for i in range(len(templates))
        ]

    def locate(self, memories: Sequence[TorchMemory], crops: NDArray[np.uint8]) -> Locations:
        """Find the targets; see `Engine.locate`."""
        check_crops(crops, self.variant.search_size, "crops")
        check_memories(memories, crops)
        count = len(crops)
        if count not in self._runs:
            self._runs[count] = (
                _Run(self._network, count)
                if self._stream is None
                else _CudaRun(self._network, count, self._stream)
            )
        found = self._runs[count](memories, crops)
        return Locations(
            boxes=found[:, :4].astype(np.float64),
            scores=1 / (1 + np.exp(-found[:, 4].astype(np.float64))),
            edges=found[:, 5:].reshape(count, 4, -1),
        )

    def _warm_up(self) -> None:
        """Run everything for one target, so that the first frame pays for no preparation."""
        size, search = self.variant.template_size, self.variant.search_size
        template = np.zeros((1, size, size, 3), np.uint8)
        memories = self.encode_templates(template, template)
        self.locate(memories, np.zeros((1, search, search, 3), np.uint8))


class _Run:
    """The network for one number of targets, and whose memories it holds."""

    def __init__(self, network: TorchNetwork, targets: int) -> None:
        self._network = network
        self._memory: Memory = network.new_memory(targets)
        self._bound: list[TorchMemory | None] = [None] * targets

    def __call__(
        self, memories: Sequence[TorchMemory], crops: NDArray[np.uint8]
    ) -> NDArray[np.float32]:
        """What `TorchNetwork.locate` says, as an array of the caller's own."""
        self._bind(memories)
        images = torch.from_numpy(np.ascontiguousarray(crops))
        return self._network.locate(self._memory, images).numpy()

    def _bind(self, memories: Sequence[TorchMemory]) -> None:
        for index, memory in enumerate(memories):
            if self._bound[index] is not memory:
                self._network.store(self._memory, index, memory)
                self._bound[index] = memory


class _CudaRun(_Run):
    """The same as one CUDA graph, fed from and read into pinned memory."""

    def __init__(self, network: TorchNetwork, targets: int, stream: torch.cuda.Stream) -> None:
        self._stream = stream
        side = network.variant.search_size
        with torch.cuda.stream(stream):
            super().__init__(network, targets)
            self._pinned = torch.zeros((targets, side, side, 3), dtype=torch.uint8).pin_memory()
            self._crops = self._pinned.to(network.device)
            for _ in range(3):  # libraries choose and load their kernels, which no graph may see
                found = network.locate(self._memory, self._crops)
            self._result = torch.empty(found.shape, dtype=found.dtype).pin_memory()
            stream.synchronize()
            self._graph = torch.cuda.CUDAGraph()
            # Other threads may use the GPU meanwhile.
            with torch.cuda.graph(self._graph, stream=stream, capture_error_mode="thread_local"):
                self._found = network.locate(self._memory, self._crops)

    def __call__(
        self, memories: Sequence[TorchMemory], crops: NDArray[np.uint8]
    ) -> NDArray[np.float32]:
        """What `TorchNetwork.locate` says, as an array of the caller's own."""
        np.copyto(self._pinned.numpy(), crops)
        with torch.inference_mode(), torch.cuda.stream(self._stream):
            self._bind(memories)
            self._crops.copy_(self._pinned, non_blocking=True)
            self._graph.replay()
            self._result.copy_(self._found, non_blocking=True)
        self._stream.synchronize()
        return self._result.numpy().copy()


def packed_linear(weight: Tensor, bias: Tensor, gelu: bool) -> Linear:
    """A linear layer whose weights lie as oneDNN wants them, so that no call lays them out anew."""
    packed = torch.ops.mkldnn._reorder_linear_weight(weight, _TYPICAL_TOKENS)
    run = torch.ops.mkldnn._linear_pointwise
    following, algorithm = ("gelu", "none") if gelu else ("none", "")
    return lambda tokens: run(tokens, packed, bias, following, [], algorithm)


def _pick_linear(device: torch.device, dtype: torch.dtype) -> MakeLinear:
    if device.type != "cpu" or not processor.is_x86() or not torch.backends.mkldnn.is_available():
        return plain_linear
    if dtype == torch.bfloat16 and not torch.ops.mkldnn._is_mkldnn_bf16_supported():
        return plain_linear
    return packed_linear


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
