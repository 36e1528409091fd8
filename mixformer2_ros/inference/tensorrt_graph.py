# Copyright 2026 mixformer2_ros contributors
# SPDX-License-Identifier: Apache-2.0
"""The graphs of `mixformer2_ros.inference.graph` as the ONNX parsers of TensorRT take them.

What they take is in docs/operators.md of github.com/onnx/onnx-tensorrt, a branch a release: opset
17 at most before TensorRT 10, LayerNormalization from 8.6 on, and in all of them uint8 for nothing
but an input that goes straight into a Cast, as the graphs' images do.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

from mixformer2_ros.inference.engine import ModelError
from mixformer2_ros.inference.half_graph import head_values

_OPSET = 17
_FIRST_NORMALISATION = (8, 6)


def for_tensorrt(model: onnx.ModelProto, version: tuple[int, int]) -> onnx.ModelProto:
    """Return an equal graph that a release of TensorRT can read; the given one is left as it is.

    Args:
        model: A template or locate graph that holds its constants.
        version: Major and minor version of TensorRT.

    Raises:
        ModelError: It is quantised in a way that TensorRT does not know.
    """
    result = onnx.ModelProto()
    result.CopyFrom(model)
    _check_quantisation(result)
    _lower_opset(result)
    if version < _FIRST_NORMALISATION:
        _spell_out_normalisations(result)
    return result


def float_nodes(model: onnx.ModelProto) -> set[str]:
    """Names of the nodes that stay in float32 where TensorRT chooses precisions by itself.

    Softmax, normalisations (also those of `for_tensorrt` before 8.6, whose parts are named after
    them) and the heads.
    """
    heads = head_values(model)
    return {
        node.name
        for node in model.graph.node
        if node.op_type in ("Softmax", "LayerNormalization")
        or _PART in node.name
        or not heads.isdisjoint(node.output)
    }


def _lower_opset(model: onnx.ModelProto) -> None:
    """From opset 18 to 17: of what the graphs use, only ReduceMean differs, in how axes come."""
    constants = {constant.name: constant for constant in model.graph.initializer}
    for node in model.graph.node:
        if node.op_type == "ReduceMean":
            axes = constants[node.input.pop(1)]
            model.graph.initializer.remove(axes)
            node.attribute.append(
                helper.make_attribute("axes", numpy_helper.to_array(axes).tolist())
            )
    for entry in model.opset_import:
        if entry.domain == "":
            entry.version = _OPSET


_PART = ".normalise."


def _spell_out_normalisations(model: onnx.ModelProto) -> None:
    """Replace every LayerNormalization by what it stands for."""
    nodes = [part for node in model.graph.node for part in _spelled_out(model, node)]
    del model.graph.node[:]
    model.graph.node.extend(nodes)


def _spelled_out(model: onnx.ModelProto, node: onnx.NodeProto) -> Iterator[onnx.NodeProto]:
    if node.op_type != "LayerNormalization":
        yield node
        return
    tokens, weight, bias = node.input
    epsilon = next(part.f for part in node.attribute if part.name == "epsilon")
    stem = f"{node.name}{_PART}"
    small = numpy_helper.from_array(np.array([epsilon], np.float32), f"{stem}epsilon")
    model.graph.initializer.append(small)

    def step(kind: str, part: str, *inputs: str, **attributes: object) -> onnx.NodeProto:
        name = f"{stem}{part}"
        output = node.output[0] if part == "result" else name
        return helper.make_node(kind, inputs, [output], name=name, **attributes)

    yield step("ReduceMean", "mean", tokens, axes=[-1], keepdims=1)
    yield step("Sub", "centred", tokens, f"{stem}mean")
    yield step("Mul", "squared", f"{stem}centred", f"{stem}centred")
    yield step("ReduceMean", "variance", f"{stem}squared", axes=[-1], keepdims=1)
    yield step("Add", "safe", f"{stem}variance", f"{stem}epsilon")
    yield step("Sqrt", "deviation", f"{stem}safe")
    yield step("Div", "unit", f"{stem}centred", f"{stem}deviation")
    yield step("Mul", "scaled", f"{stem}unit", weight)
    yield step("Add", "result", f"{stem}scaled", bias)


def _check_quantisation(model: onnx.ModelProto) -> None:
    constants = {constant.name: constant for constant in model.graph.initializer}
    for node in model.graph.node:
        if node.op_type not in ("QuantizeLinear", "DequantizeLinear") or len(node.input) < 3:
            continue
        zero = constants.get(node.input[2])
        if zero is None or zero.data_type != TensorProto.INT8 or numpy_helper.to_array(zero).any():
            raise ModelError(
                f"node {node.name!r} is quantised with an offset or to uint8, and TensorRT only "
                "knows signed and symmetric int8: calibrate again for TensorRT"
            )
