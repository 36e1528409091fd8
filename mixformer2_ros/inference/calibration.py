# Copyright 2026 mixformer2_ros contributors
# SPDX-License-Identifier: Apache-2.0
"""What the values inside a network look like on real crops, so that 8 bits can hold them."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from importlib.util import find_spec
from typing import TypeAlias

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import TensorProto, helper

from mixformer2_ros.inference import graph
from mixformer2_ros.inference.crops import Crops
from mixformer2_ros.inference.engine import ModelError
from mixformer2_ros.inference.quantisation import LEVELS, linear_products
from mixformer2_ros.inference.ranges import Ranges
from mixformer2_ros.model.variants import Variant

# Values kept of every product and crop: hundreds of crops give more than enough of them.
_SAMPLE = 4096
# Bounds that are tried, as shares of the largest value.
_SHARES = np.linspace(0.2, 1.0, 41)

Run: TypeAlias = Callable[[Mapping[str, NDArray]], Sequence[NDArray]]
"""Takes a graph's inputs by name and gives the values it was made for."""


def calibrate(
    variant: Variant, state: Mapping[str, NDArray], weights_sha256: str, crops: Crops
) -> Ranges:
    """Measure the values that enter the products with weights, in float32, on real crops.

    Both graphs are measured; products of the same weights share a range. A range is the one that
    leaves the least mean squared error after rounding.

    Args:
        variant: Sizes of the network.
        state: Its weights.
        weights_sha256: Hash of the file they come from.
        crops: From `mixformer2_ros.precision.recording.collect_crops`.

    Raises:
        ModelError: Neither ONNX Runtime nor OpenVINO is installed to run the network.
    """
    samples: dict[str, list[NDArray[np.float32]]] = {}
    random = np.random.default_rng(0)
    model = graph.template_graph(variant, state)
    inputs = linear_products(model)
    run = runner(model, [*graph.memory_names(variant), *inputs.values()])
    memories = []
    for pair in zip(crops.templates, crops.online_templates, strict=True):
        images = (image[None] for image in pair)
        found = run(dict(zip(graph.TEMPLATE_INPUTS, images, strict=True)))
        count = len(found) - len(inputs)
        memories.append(dict(zip(graph.memory_names(variant), found[:count], strict=True)))
        _keep(samples, inputs, found[count:], random)
    model = graph.locate_graph(variant, state)
    inputs = linear_products(model)
    run = runner(model, list(inputs.values()))
    for crop, pair_index in zip(crops.searches, crops.template_of, strict=True):
        found = run({graph.CROP_INPUT: crop[None], **memories[pair_index]})
        _keep(samples, inputs, found, random)
    return Ranges(
        variant=variant.name,
        weights_sha256=weights_sha256,
        sources=crops.sources,
        crops=len(crops.searches),
        bounds={name: best_bound(np.concatenate(parts)) for name, parts in samples.items()},
    )


def best_bound(values: NDArray[np.float32]) -> float:
    """Return the b for which values rounded to multiples of b / 127 in [-b, b] are nearest."""
    largest = float(np.abs(values).max())
    if largest == 0:
        return 1.0
    bounds = largest * _SHARES
    steps = bounds / LEVELS
    errors = [
        np.square(np.clip(np.rint(values / step), -LEVELS, LEVELS) * step - values).mean()
        for step in steps
    ]
    return float(bounds[int(np.argmin(errors))])


def _keep(
    samples: dict[str, list[NDArray[np.float32]]],
    inputs: Mapping[str, str],
    found: Sequence[NDArray],
    random: np.random.Generator,
) -> None:
    # One sample of every value: products that share an input get the same range.
    chosen: dict[str, NDArray[np.float32]] = {}
    for (name, value), values in zip(inputs.items(), found, strict=True):
        if value not in chosen:
            flat = values.reshape(-1)
            part = flat[random.integers(0, flat.size, min(_SAMPLE, flat.size))]
            chosen[value] = np.concatenate([part, [flat.min(), flat.max()]]).astype(np.float32)
        samples.setdefault(name, []).append(chosen[value])


def runner(model: onnx.ModelProto, outputs: Sequence[str]) -> Run:
    """Return what runs a model in float32 and gives any of its values.

    Args:
        model: A graph that holds its constants; gets more outputs.
        outputs: Names of the values.

    Raises:
        ModelError: Neither ONNX Runtime nor OpenVINO is installed.
    """
    known = {value.name for value in model.graph.output}
    for name in outputs:
        if name not in known:
            known.add(name)
            model.graph.output.append(helper.make_tensor_value_info(name, TensorProto.FLOAT, None))
    if find_spec("onnxruntime"):
        return _onnxruntime_runner(model, outputs)
    if find_spec("openvino"):
        return _openvino_runner(model, outputs)
    raise ModelError(
        "calibration runs the network in float32 and needs OpenVINO or ONNX Runtime: pip install "
        "'mixformer2_ros[openvino]'"
    )


def _onnxruntime_runner(model: onnx.ModelProto, outputs: Sequence[str]) -> Run:
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.log_severity_level = 3
    session = onnxruntime.InferenceSession(
        model.SerializeToString(), options, providers=["CPUExecutionProvider"]
    )
    return lambda feeds: session.run(list(outputs), dict(feeds))


def _openvino_runner(model: onnx.ModelProto, outputs: Sequence[str]) -> Run:
    import openvino as ov

    core = ov.Core()
    network = core.read_model(model.SerializeToString())
    compiled = core.compile_model(network, "CPU", {"INFERENCE_PRECISION_HINT": "f32"})
    request = compiled.create_infer_request()

    def run(feeds: Mapping[str, NDArray]) -> Sequence[NDArray]:
        request.infer(dict(feeds))
        return [request.get_tensor(name).data.copy() for name in outputs]

    return run
