# Copyright 2026 mixformer2_ros contributors
# SPDX-License-Identifier: Apache-2.0
"""The TensorRT engine: NVIDIA GPUs, without PyTorch and without the CUDA toolkit.

Everything that happens in a frame is one CUDA graph, captured once: the crop's way to the GPU, the
network, the results' way back. What it reads and writes has fixed addresses. Templates' memories
are put there when they change and stay. On a GPU that shares the processor's memory nothing is
copied in a frame at all (`cuda_driver.SharedArray`).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import tensorrt as trt
from numpy.typing import NDArray

from mixformer2_ros.inference.artefact import LOCATE_GRAPH, TEMPLATE_GRAPH, Artefact
from mixformer2_ros.inference.cuda_driver import (
    Cuda,
    CudaError,
    DeviceArray,
    SharedArray,
    parse_device,
)
from mixformer2_ros.inference.engine import (
    Locations,
    ModelError,
    check_crops,
    check_memories,
    check_templates,
    describe,
)
from mixformer2_ros.inference.graph_engine import GraphMemory
from mixformer2_ros.inference.graph_interface import (
    CROP_INPUT,
    LOCATE_OUTPUTS,
    TEMPLATE_INPUTS,
    memory_names,
)
from mixformer2_ros.model.variants import Variant

# TensorRT's own table names a type that newer NumPy has not (trt.nptype of 8.5).
_DTYPES: dict[str, np.dtype] = {
    "FLOAT": np.dtype(np.float32),
    "HALF": np.dtype(np.float16),
    "UINT8": np.dtype(np.uint8),
}
_NAMES = {"fp32": "float32", "fp16": "float16", "int8": "int8"}


def find_gpu(device: str = "auto") -> Cuda:
    """Return the GPU that plans are built for and run on: the first one.

    Raises:
        ModelError: There is none, or another one is asked for.
    """
    if parse_device(device):
        raise ModelError(
            f"device {device!r} is not for TensorRT, which takes the first GPU: use device cuda, "
            f"and make that GPU the first one with CUDA_VISIBLE_DEVICES={parse_device(device)}"
        )
    return Cuda()


def runtime_name(cuda: Cuda) -> str:
    """What a plan is tied to: the release of TensorRT and the kind of GPU."""
    major, minor = cuda.capability
    return f"{trt.__version__} on {cuda.name}, compute capability {major}.{minor}"


def open_engine(artefact: Artefact, device: str = "auto") -> TensorRtEngine:
    """Return the engine that runs an artefact made for this GPU and release of TensorRT.

    Args:
        artefact: The network.
        device: "auto", "cuda" or "cuda:0".

    Raises:
        ModelError: There is no such GPU, or TensorRT does not take the plans.
    """
    template, locate = (
        artefact.graph(name).read_bytes() for name in (TEMPLATE_GRAPH, LOCATE_GRAPH)
    )
    recipe = artefact.recipe
    return TensorRtEngine(
        artefact.variant, (template, locate), find_gpu(device), recipe.precision, recipe.batch
    )


class Log(trt.ILogger):
    """Keeps TensorRT's complaints for the message of the error that follows."""

    def __init__(self) -> None:
        super().__init__()
        self.complaints: list[str] = []

    def log(self, severity: Any, text: str) -> None:
        """Called by TensorRT."""
        if severity in (trt.ILogger.Severity.ERROR, trt.ILogger.Severity.INTERNAL_ERROR):
            self.complaints.append(text)

    def error(self, what: str) -> ModelError:
        """An error that says why."""
        why = "; ".join(self.complaints[-3:]) or "it does not say why"
        return ModelError(f"TensorRT {trt.__version__} {what}: {why}")


class TensorRtEngine:
    """Runs the plans of `mixformer2_ros.inference.tensorrt_build`. See `Engine`.

    More targets than the plans take at once are run in several goes, each with graph and memory of
    its own, so that nothing is uploaded twice.

    Args:
        variant: Sizes of the network.
        plans: Of the template and the locate graph.
        cuda: The GPU that they were built on.
        precision: That they were built for.
        batch: That they were built for.

    Raises:
        ModelError: TensorRT does not take the plans.
    """

    def __init__(
        self, variant: Variant, plans: tuple[bytes, bytes], cuda: Cuda, precision: str, batch: int
    ) -> None:
        self.variant = variant
        self._cuda, self._batch = cuda, batch
        cuda.enter()
        self._log = Log()
        self._runtime = trt.Runtime(self._log)
        self._template, self._locate = (self._deserialise(plan) for plan in plans)
        self._encoders: dict[int, _Run] = {}
        # One for each go, and for each number of targets in it.
        self._locators: dict[tuple[int, int], _Locator] = {}
        runtime = "TensorRT " + ".".join(trt.__version__.split(".")[:2])
        self.description = describe(variant, runtime, cuda.name, _NAMES[precision], None)
        self._warm_up()

    def encode_templates(
        self, templates: NDArray[np.uint8], online_templates: NDArray[np.uint8]
    ) -> list[GraphMemory]:
        """Encode two templates a target; see `Engine.encode_templates`."""
        check_templates(templates, online_templates, self.variant.template_size)
        self._cuda.enter()
        memories = []
        for part in self._goes(len(templates)):
            count = part.stop - part.start
            if count not in self._encoders:
                names = memory_names(self.variant)
                self._encoders[count] = _Run(
                    self._cuda, self._template, count, TEMPLATE_INPUTS, names
                )
            run = self._encoders[count]
            images = dict(
                zip(TEMPLATE_INPUTS, (templates[part], online_templates[part]), strict=True)
            )
            run.start(images)
            self._cuda.synchronise()
            layers = run.results()
            memories += [
                GraphMemory(tuple(layer[i : i + 1].copy() for layer in layers))
                for i in range(count)
            ]
        return memories

    def locate(self, memories: Sequence[GraphMemory], crops: NDArray[np.uint8]) -> Locations:
        """Find the targets; see `Engine.locate`."""
        check_crops(crops, self.variant.search_size, "crops")
        check_memories(memories, crops)
        self._cuda.enter()
        parts = self._goes(len(crops))
        locators = [
            self._locator(index, part.stop - part.start) for index, part in enumerate(parts)
        ]
        for locator, part in zip(locators, parts, strict=True):
            locator.start(memories[part], crops[part])
        self._cuda.synchronise()
        found = zip(*(locator.results() for locator in locators), strict=True)
        boxes, scores, edges = (np.concatenate(results) for results in found)
        return Locations(boxes.astype(np.float64), scores.astype(np.float64), edges)

    def _goes(self, count: int) -> list[slice]:
        starts = range(0, count, self._batch)
        return [slice(start, min(start + self._batch, count)) for start in starts]

    def _locator(self, index: int, count: int) -> _Locator:
        if (index, count) not in self._locators:
            self._locators[index, count] = _Locator(
                self._cuda, self._locate, count, memory_names(self.variant)
            )
        return self._locators[index, count]

    def _deserialise(self, plan: bytes) -> Any:
        engine = self._runtime.deserialize_cuda_engine(plan)
        if engine is None:
            raise self._log.error("does not take the plan")
        return engine

    def _warm_up(self) -> None:
        """Run everything for one target, so that the first frame pays for no preparation."""
        size, search = self.variant.template_size, self.variant.search_size
        template = np.zeros((1, size, size, 3), np.uint8)
        memories = self.encode_templates(template, template)
        self.locate(memories, np.zeros((1, search, search, 3), np.uint8))


class _Run:
    """One plan for one number of targets, with everything it reads and writes.

    Args:
        cuda: The GPU.
        engine: The plan, deserialised.
        batch: Number of targets.
        inputs: What is new in every run.
        outputs: What is wanted of it.
        kept: Inputs that stay on the GPU, in `kept` by name.
    """

    def __init__(
        self,
        cuda: Cuda,
        engine: Any,
        batch: int,
        inputs: Sequence[str],
        outputs: Sequence[str],
        kept: Sequence[str] = (),
    ) -> None:
        self._cuda = cuda
        # Of its own: a captured graph refers to the context's shapes and scratch memory.
        self._context = engine.create_execution_context()
        if self._context is None:
            raise ModelError("TensorRT finds no memory on the GPU for another execution context")

        def shape(name: str) -> tuple[int, ...]:
            return (batch, *tuple(engine.get_tensor_shape(name))[1:])

        def dtype(name: str) -> np.dtype:
            return _DTYPES[engine.get_tensor_dtype(name).name]

        self._inputs = {name: SharedArray(cuda, shape(name), dtype(name)) for name in inputs}
        self._outputs = {name: SharedArray(cuda, shape(name), dtype(name)) for name in outputs}
        self.kept = {name: DeviceArray(cuda, shape(name), dtype(name)) for name in kept}
        for name in (*inputs, *kept):
            if not self._context.set_input_shape(name, shape(name)):
                raise ModelError(f"the TensorRT plan takes no {name} of shape {shape(name)}")
        arrays: dict[str, SharedArray | DeviceArray] = {
            **self._inputs,
            **self._outputs,
            **self.kept,
        }
        for name, array in arrays.items():
            self._context.set_tensor_address(name, array.address)
        self._launch: Callable[[], None] | None = None

    def start(self, values: dict[str, NDArray[np.uint8]]) -> None:
        """Put a run on the stream, once the one before is through."""
        for name, array in self._inputs.items():
            np.copyto(array.array, values[name])
        if self._launch is None:
            # The first run prepares what a capture must not see.
            self._enqueue()
            self._cuda.synchronise()
            self._launch = self._captured()
        self._launch()

    def results(self) -> list[NDArray]:
        """What the run said, once it is through; overwritten by the next."""
        return [array.array for array in self._outputs.values()]

    def _enqueue(self) -> None:
        for array in self._inputs.values():
            array.upload()
        if not self._context.execute_async_v3(self._cuda.stream):
            raise ModelError("TensorRT could not run the plan")
        for array in self._outputs.values():
            array.download()

    def _captured(self) -> Callable[[], None]:
        try:
            return self._cuda.capture(self._enqueue)
        except (CudaError, ModelError):
            # Some kernels of some releases cannot be captured; each is launched by itself then.
            return self._enqueue


class _Locator:
    """The locate plan for one number of targets, and whose memories it holds."""

    def __init__(self, cuda: Cuda, engine: Any, batch: int, names: Sequence[str]) -> None:
        self._run = _Run(cuda, engine, batch, [CROP_INPUT], LOCATE_OUTPUTS, names)
        self._memories: tuple[GraphMemory, ...] = ()

    def start(self, memories: Sequence[GraphMemory], crops: NDArray[np.uint8]) -> None:
        """Put a run on the stream."""
        if [id(memory) for memory in memories] != [id(memory) for memory in self._memories]:
            layers = zip(*(memory.arrays for memory in memories), strict=True)
            for array, layer in zip(self._run.kept.values(), layers, strict=True):
                array.write(np.concatenate(layer))
            self._memories = tuple(memories)
        self._run.start({CROP_INPUT: crops})

    def results(self) -> list[NDArray]:
        """What the run said, once it is through; overwritten by the next."""
        return self._run.results()
