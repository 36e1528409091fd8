# Copyright 2026 mixformer2_ros contributors
# SPDX-License-Identifier: Apache-2.0
"""The OpenVINO engine: processors, without PyTorch."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import openvino as ov
from numpy.typing import NDArray

from mixformer2_ros.inference import processor
from mixformer2_ros.inference.artefact import LOCATE_GRAPH, TEMPLATE_GRAPH, Artefact
from mixformer2_ros.inference.engine import ModelError, describe
from mixformer2_ros.inference.graph_engine import GraphEngine
from mixformer2_ros.inference.graph_interface import (
    CROP_INPUT,
    LOCATE_OUTPUTS,
    TEMPLATE_INPUTS,
    memory_names,
)
from mixformer2_ros.inference.memory import give_back
from mixformer2_ros.inference.precisions import check_int8

_NAMES = {"fp32": "float32", "bf16": "bfloat16", "int8": "int8"}


class OpenVinoEngine(GraphEngine):
    """Runs an artefact made for OpenVINO.

    Args:
        artefact: The network.
        threads: CPU threads; None leaves OpenVINO's choice.

    Raises:
        ModelError: The processor has no such precision.
    """

    def __init__(self, artefact: Artefact, threads: int | None = None) -> None:
        precision = artefact.recipe.precision
        check_precision(precision)
        options: dict[str, str | int] = {
            # Always given: left alone, OpenVINO takes bfloat16 wherever the processor has it.
            "INFERENCE_PRECISION_HINT": _hint(precision),
            "PERFORMANCE_HINT": "LATENCY",
            # Pinned, the threads of every engine on a machine would crowd on the same first cores.
            "ENABLE_CPU_PINNING": False,
        }
        if threads is not None:
            options["INFERENCE_NUM_THREADS"] = threads
        variant = artefact.variant
        self._memory_names = memory_names(variant)
        # The larger one first: less is held then when it is compiled.
        self._locate_run, self._template_run = (
            _start(artefact, name, options) for name in (LOCATE_GRAPH, TEMPLATE_GRAPH)
        )
        workers = self._locate_run.get_compiled_model().get_property("INFERENCE_NUM_THREADS")
        runtime = "OpenVINO " + ".".join(ov.__version__.split(".")[:2])
        words = describe(variant, runtime, "cpu", _NAMES[precision], workers)
        super().__init__(variant, words, artefact.recipe.batch)

    def _run_template(
        self, templates: NDArray[np.uint8], online_templates: NDArray[np.uint8]
    ) -> Sequence[NDArray[np.float32]]:
        for name, images in zip(TEMPLATE_INPUTS, (templates, online_templates), strict=True):
            _fill(self._template_run, name, images)
        self._template_run.infer()
        return [self._template_run.get_tensor(name).data for name in self._memory_names]

    def _bind(self, arrays: Sequence[NDArray[np.float32]]) -> None:
        for name, array in zip(self._memory_names, arrays, strict=True):
            # Does not keep the array alive; the base class does.
            self._locate_run.set_tensor(name, ov.Tensor(array, shared_memory=True))

    def _run_locate(self, crops: NDArray[np.uint8]) -> Sequence[NDArray[np.float32]]:
        _fill(self._locate_run, CROP_INPUT, crops)
        self._locate_run.infer()
        return [self._locate_run.get_tensor(name).data for name in LOCATE_OUTPUTS]


def _start(artefact: Artefact, name: str, options: dict[str, str | int]) -> ov.InferRequest:
    """Compile a graph and run it once, when the weights take their last form."""
    network = ov.Core().compile_model(artefact.graph(name), "CPU", options)
    request = network.create_infer_request()
    for port in network.inputs:
        # Only the number of targets can be open.
        sizes = [size.get_length() if size.is_static else 1 for size in port.partial_shape]
        tensor = ov.Tensor(port.element_type, ov.Shape(sizes))
        tensor.data[:] = 0
        request.set_tensor(port, tensor)
    request.infer()
    give_back(artefact.folder)
    return request


def check_precision(precision: str) -> None:
    """Raise ModelError unless OpenVINO has a precision and this processor runs it well."""
    if precision not in _NAMES:
        raise ModelError(
            f"precision {precision!r} is not for OpenVINO: use auto, {', '.join(_NAMES)}"
        )
    if precision == "bf16" and not has_bfloat16():
        raise ModelError(
            "precision 'bf16' needs a processor with AVX512_BF16, AMX or ARM's BF16, and this one "
            "has none of them: use auto or fp32"
        )
    if precision == "int8":
        check_int8()


def _hint(precision: str) -> str:
    """What OpenVINO computes everything in that is not 8-bit integers."""
    if precision == "fp32":
        return "f32"
    return "bf16" if has_bfloat16() else "f32"


def has_bfloat16() -> bool:
    """Whether this processor multiplies bfloat16 itself, and OpenVINO makes use of that."""
    capabilities = ov.Core().get_property("CPU", "OPTIMIZATION_CAPABILITIES")
    return processor.has_bfloat16() and "BF16" in capabilities


def _fill(request: ov.InferRequest, name: str, values: NDArray[np.uint8]) -> None:
    """Copy `values` into an input, whose batch may have been another."""
    tensor = request.get_tensor(name)
    if tensor.data.shape != values.shape:  # asking `tensor.shape` takes longer than copying
        tensor.shape = values.shape
    tensor.data[:] = values
