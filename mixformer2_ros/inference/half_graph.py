# Copyright 2026 mixformer2_ros contributors
# SPDX-License-Identifier: Apache-2.0
"""The graphs of `mixformer2_ros.inference.graph` in float16, written out with casts.

Products of matrices and what only moves or scales their results run in float16. In float32 stay
the residual stream, every LayerNormalization and Softmax, and the heads: little work, and where
float16 overflows or loses what the box is read from. Every type stands in the graph, so a runtime
has nothing left to choose (TensorRT calls that strongly typed).
"""

from __future__ import annotations

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

from mixformer2_ros.inference.graph_interface import memory_names
from mixformer2_ros.model.variants import Variant

_HALF, _SINGLE = TensorProto.FLOAT16, TensorProto.FLOAT
# What follows the heads' products stays in float32 with them.
HEADS = ("box_head.", "score_head.")
# Take their type from what they are given.
_ELEMENTWISE = {"Add", "Sub", "Mul", "Div", "Erf", "Relu", "Sigmoid"}
_MOVING = {"Reshape", "Transpose", "Slice", "Split", "Concat", "Pad"}
_QUANTISING = {"QuantizeLinear", "DequantizeLinear"}


def to_half(model: onnx.ModelProto, variant: Variant) -> onnx.ModelProto:
    """Return a graph in mixed float16 and float32; the given one is left as it is.

    Templates' keys, values and tokens are float16 outside, too; images stay uint8 and the results
    float32. A product whose inputs are quantised stays as it is.

    Args:
        model: A template or locate graph that holds its constants.
        variant: Sizes of its network.
    """
    return _Converter(model, variant).convert()


def head_values(model: onnx.ModelProto) -> set[str]:
    """Names of the values that the heads compute."""
    found: set[str] = set()
    for node in model.graph.node:
        if node.name.startswith(HEADS) or not found.isdisjoint(node.input):
            found.update(node.output)
    return found


class _Converter:
    """Goes through the nodes in order and keeps the type of every floating value."""

    def __init__(self, model: onnx.ModelProto, variant: Variant) -> None:
        self._source = model
        self._memory = set(memory_names(variant))
        self._constants = {constant.name: constant for constant in model.graph.initializer}
        self._heads = head_values(model)
        self._types: dict[str, int] = {}
        # What was cast already: (name, type) to the name of the cast value.
        self._cast: dict[tuple[str, int], str] = {}
        self._half_constants: list[TensorProto] = []
        self._nodes: list[onnx.NodeProto] = []

    def convert(self) -> onnx.ModelProto:
        result = onnx.ModelProto()
        result.CopyFrom(self._source)
        for value in (*result.graph.input, *result.graph.output):
            if value.name in self._memory:
                value.type.tensor_type.elem_type = _HALF
                self._types[value.name] = _HALF
        for node in self._source.graph.node:
            self._add(node)
        del result.graph.node[:]
        result.graph.node.extend(self._nodes)
        used = {name for node in self._nodes for name in node.input}
        kept = [c for c in self._source.graph.initializer if c.name in used]
        del result.graph.initializer[:]
        result.graph.initializer.extend([*kept, *self._half_constants])
        return result

    def _add(self, source: onnx.NodeProto) -> None:
        node = onnx.NodeProto()
        node.CopyFrom(source)
        kind = self._type_of(node)
        if kind is None:
            self._nodes.append(node)
            return
        moving = node.op_type in _MOVING and node.op_type != "Concat"
        for index, name in enumerate(node.input):
            if index == 0 or not moving:
                node.input[index] = self._as(name, kind)
        for index, name in enumerate(node.output):
            self._types[name] = kind
            if name in self._memory and kind != _HALF:
                node.output[index] = f"{name}_float"
                self._types[node.output[index]] = kind
        self._nodes.append(node)
        for name in source.output:
            if name in self._memory and kind != _HALF:
                self._nodes.append(_cast(f"{name}_float", name, _HALF))
                self._types[name] = _HALF

    def _type_of(self, node: onnx.NodeProto) -> int | None:
        """Type in which a node computes; None for nodes without floating values."""
        if node.op_type == "Cast":
            attribute = next(part for part in node.attribute if part.name == "to")
            if attribute.i == _SINGLE:
                attribute.i = _HALF  # pixels: whole numbers up to 255 are exact
            self._types[node.output[0]] = attribute.i
            return None
        if node.op_type in _QUANTISING:
            if node.op_type == "DequantizeLinear":
                self._types[node.output[0]] = _SINGLE
                return None
            return _SINGLE
        given = [self._types[name] for name in node.input if name in self._types]
        if not given:
            return None
        if not self._heads.isdisjoint(node.output):
            return _SINGLE
        if node.op_type == "MatMul":
            return _SINGLE if self._is_quantised(node) else _HALF
        if node.op_type in _MOVING or node.op_type in _ELEMENTWISE:
            mixed = len(set(given)) > 1
            if node.op_type == "Concat":
                return _HALF if mixed else given[0]
            return _SINGLE if mixed or self._adds_positions(node) else given[0]
        return _SINGLE  # LayerNormalization, Softmax, ReduceMean, ReduceSum

    def _adds_positions(self, node: onnx.NodeProto) -> bool:
        """Whether the residual stream begins here."""
        constants = [self._constants[name] for name in node.input if name in self._constants]
        return node.op_type == "Add" and any(len(constant.dims) > 1 for constant in constants)

    def _is_quantised(self, node: onnx.NodeProto) -> bool:
        makers = {out: made.op_type for made in self._nodes for out in made.output}
        return all(makers.get(name) == "DequantizeLinear" for name in node.input)

    def _as(self, name: str, kind: int) -> str:
        """Name of a value, or of a float32 constant, in another type."""
        constant = self._constants.get(name)
        current = constant.data_type if constant is not None else self._types.get(name)
        if current == kind or current not in (_HALF, _SINGLE):
            return name
        if (name, kind) not in self._cast:
            self._cast[name, kind] = cast = f"{name}_as_{'half' if kind == _HALF else 'float'}"
            if constant is not None:
                values = numpy_helper.to_array(constant).astype(np.float16)
                self._half_constants.append(numpy_helper.from_array(values, cast))
            else:
                self._nodes.append(_cast(name, cast, kind))
                self._types[cast] = kind
        return self._cast[name, kind]


def _cast(source: str, target: str, kind: int) -> onnx.NodeProto:
    return helper.make_node("Cast", [source], [target], name=f"cast_{target}", to=kind)
