# Copyright 2026 mixformer2_ros contributors
# SPDX-License-Identifier: Apache-2.0
"""The OpenVINO engine: processors, without PyTorch."""

from __future__ import annotations

from collections.abc import Callable, Container, Mapping, Sequence
from pathlib import Path

import numpy as np
import onnx
import openvino as ov
from numpy.typing import NDArray
from onnx import helper

from mixformer2_ros.inference import graph
from mixformer2_ros.inference.engine import ModelError, describe
from mixformer2_ros.inference.graph_engine import GraphEngine
from mixformer2_ros.model.variants import Variant

_NAMES = {"fp32": "float32", "bf16": "bfloat16"}
_HINTS = {"fp32": "f32", "bf16": "bf16"}


class OpenVinoEngine(GraphEngine):
    """Runs the graphs of `mixformer2_ros.inference.graph` with OpenVINO.

    Args:
        variant: Sizes of the network.
        state: Its weights by name, checked.
        precision: "auto" (fp32), "fp32" or "bf16".
        threads: CPU threads; None leaves OpenVINO's choice.

    Raises:
        ModelError: The processor has no such precision.
    """

    def __init__(
        self,
        variant: Variant,
        state: Mapping[str, NDArray],
        precision: str = "auto",
        threads: int | None = None,
    ) -> None:
        precision = _pick_precision(precision)
        options: dict[str, str | int] = {
            # Always given: left alone, OpenVINO takes bfloat16 wherever the processor has it.
            "INFERENCE_PRECISION_HINT": _HINTS[precision],
            "PERFORMANCE_HINT": "LATENCY",
            # Pinned, the threads of every engine on a machine would crowd on the same first cores.
            "ENABLE_CPU_PINNING": False,
        }
        if threads is not None:
            options["INFERENCE_NUM_THREADS"] = threads
        self._memory_names = graph.memory_names(variant)
        # The larger one first: less is held then when it is compiled.
        self._locate = _compile(graph.locate_graph, variant, state, options)
        self._template = _compile(graph.template_graph, variant, state, options)
        workers = self._locate.get_compiled_model().get_property("INFERENCE_NUM_THREADS")
        runtime = "OpenVINO " + ".".join(ov.__version__.split(".")[:2])
        super().__init__(variant, describe(variant, runtime, "cpu", _NAMES[precision], workers))
        self._warm_up()

    def _run_template(
        self, templates: NDArray[np.uint8], online_templates: NDArray[np.uint8]
    ) -> Sequence[NDArray[np.float32]]:
        for name, images in zip(graph.TEMPLATE_INPUTS, (templates, online_templates), strict=True):
            _fill(self._template, name, images)
        self._template.infer()
        return [self._template.get_tensor(name).data for name in self._memory_names]

    def _bind(self, arrays: Sequence[NDArray[np.float32]]) -> None:
        for name, array in zip(self._memory_names, arrays, strict=True):
            # Does not keep the array alive; the base class does.
            self._locate.set_tensor(name, ov.Tensor(array, shared_memory=True))

    def _run_locate(self, crops: NDArray[np.uint8]) -> Sequence[NDArray[np.float32]]:
        _fill(self._locate, graph.CROP_INPUT, crops)
        self._locate.infer()
        return [self._locate.get_tensor(name).data for name in graph.LOCATE_OUTPUTS]


def _compile(
    write_graph: Callable[..., onnx.ModelProto],
    variant: Variant,
    state: Mapping[str, NDArray],
    options: dict[str, str | int],
) -> ov.InferRequest:
    weights: dict[str, NDArray] = {}
    model = write_graph(variant, state, weights)
    _make_inputs(model, weights)
    core = ov.Core()
    network = core.read_model(model.SerializeToString())
    # Constants that share the arrays' memory (and keep the arrays): a model that held the weights
    # would be copied when it is written, when it is parsed and when it is converted.
    for parameter in list(network.get_parameters()):
        array = weights.get(parameter.get_friendly_name())
        if array is not None:
            constant = ov.op.Constant(array, shared_memory=True)
            parameter.output(0).replace(constant.output(0))
            network.remove_parameter(parameter)
    return core.compile_model(network, "CPU", options).create_infer_request()


def _make_inputs(model: onnx.ModelProto, names: Container[str]) -> None:
    """Turn the named initializers into inputs."""
    constants = model.graph.initializer
    for index in reversed(range(len(constants))):
        constant = constants[index]
        if constant.name in names:
            model.graph.input.append(
                helper.make_tensor_value_info(
                    constant.name, constant.data_type, list(constant.dims)
                )
            )
            del constants[index]


def _fill(request: ov.InferRequest, name: str, values: NDArray[np.uint8]) -> None:
    """Copy `values` into an input, whose batch may have been another."""
    tensor = request.get_tensor(name)
    if tuple(tensor.shape) != values.shape:
        tensor.shape = values.shape
    tensor.data[:] = values


def _pick_precision(precision: str) -> str:
    if precision == "auto":
        return "fp32"
    if precision not in _NAMES:
        raise ModelError(
            f"precision {precision!r} is not for OpenVINO: use auto, {', '.join(_NAMES)}"
        )
    if precision == "bf16" and not has_bfloat16():
        raise ModelError(
            "precision 'bf16' needs a processor with AVX512_BF16 or AMX, and this one has neither: "
            "use auto or fp32"
        )
    return precision


def has_bfloat16() -> bool:
    """Whether this processor multiplies bfloat16 itself, so that it is faster than float32."""
    if "BF16" not in ov.Core().get_property("CPU", "OPTIMIZATION_CAPABILITIES"):
        return False
    # OpenVINO also offers it where it has to emulate it.
    processor = Path("/proc/cpuinfo")
    flags = processor.read_text().split() if processor.is_file() else []
    return not {"avx512_bf16", "amx_bf16"}.isdisjoint(flags)
