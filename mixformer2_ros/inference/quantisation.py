# Copyright 2026 mixformer2_ros contributors
# SPDX-License-Identifier: Apache-2.0
"""Int8 networks: the graphs of `mixformer2_ros.inference.graph` with their products quantised.

QuantizeLinear and DequantizeLinear around a product tell every runtime to compute it from 8-bit
integers: weights with a scale for each output, activations with one scale, all symmetric, which is
what TensorRT takes and costs nothing elsewhere. Everything between the products stays as it was, in
float32 or, where the runtime is told so, in bfloat16.

What stays there by default was chosen by its share of the error (docs/precision.md):

- The products inside the attention. Most of a softmax over hundreds of tokens lies below the
  1 / 127 that 8 bits resolve: rounded, it makes by far the largest error.
- The heads, which the box is read from, and the last block's products apart for every head (whose
  weights would need a scale for each, which runtimes do not have): four rows, no work.

The patch embedding is quantised, but not rounded to nearest: see `rounding`. What enters the second
product of an MLP has been through a GELU, so that symmetric integers would be half unused: it is
shifted first, and the bias adds what the shift takes away.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import helper, numpy_helper

from mixformer2_ros.inference.engine import ModelError
from mixformer2_ros.inference.ranges import Ranges
from mixformer2_ros.inference.rounding import round_patch_weights
from mixformer2_ros.model.variants import get_variant

LEVELS = 127
"""Largest integer of a weight or an activation; the smallest is its negative."""

KEPT = ("box_head.", "score_head.")
"""Products that stay in float, by how their names begin."""

_PATCH = "backbone.patch_embed.proj"
# Pixels are shifted by this, to fill the signed 8 bits exactly.
_MIDDLE = 128.0
# What comes out of a GELU is nowhere below -0.17: shifted, it fills all 8 bits.
_AFTER_GELU = "mlp.fc2"
_GELU_FLOOR = 0.17


def linear_products(model: onnx.ModelProto) -> dict[str, str]:
    """Return the products with weights whose other input needs a range, and that input.

    Pixels need none: they are whole numbers from 0 to 255.
    """
    matrices = _matrices(model)
    return {
        node.name: node.input[0]
        for node in model.graph.node
        if _is_linear(node, matrices) and not node.name.startswith(_PATCH)
    }


def quantise(
    model: onnx.ModelProto, ranges: Ranges, kept: Sequence[str] = KEPT, signed: bool = True
) -> onnx.ModelProto:
    """Return a graph whose products with weights are computed from 8-bit integers.

    Args:
        model: A template or locate graph that holds its constants; left as it is.
        ranges: Those of its weights.
        kept: Beginnings of the names of products that stay in float.
        signed: Write activations as int8; False: as the same numbers plus 128 in uint8, which ONNX
            Runtime needs on x86 (there its products of two int8 matrices are slow).

    Raises:
        ModelError: The ranges lack a product of the graph.
    """
    result = onnx.ModelProto()
    result.CopyFrom(model)
    missing = [
        name
        for name in linear_products(result)
        if name not in ranges.bounds and not name.startswith(tuple(kept))
    ]
    if missing:
        raise ModelError(
            f"the ranges lack {', '.join(missing)}: they are of another network or version; "
            "measure them again with mixformer2 precision calibrate"
        )
    _Quantiser(result, ranges, tuple(kept), signed).run()
    return result


def _matrices(model: onnx.ModelProto) -> set[str]:
    return {constant.name for constant in model.graph.initializer if len(constant.dims) == 2}


def _is_linear(node: onnx.NodeProto, matrices: set[str]) -> bool:
    return node.op_type == "MatMul" and node.input[1] in matrices


class _Quantiser:
    """Changes a graph in place."""

    def __init__(
        self, model: onnx.ModelProto, ranges: Ranges, kept: tuple[str, ...], signed: bool
    ) -> None:
        self._graph = model.graph
        self._matrices = _matrices(model)
        self._patch = get_variant(ranges.variant).patch
        self._bounds = ranges.bounds
        self._kept = kept
        self._zero = np.int8(0) if signed else np.uint8(128)
        self._constants = {constant.name: constant for constant in model.graph.initializer}
        self._nodes: list[onnx.NodeProto] = []
        # Rounded already: (value, scale) to the name of the integers.
        self._rounded: dict[tuple[str, float], str] = {}

    def run(self) -> None:
        for node in self._graph.node:
            if _is_linear(node, self._matrices) and not node.name.startswith(self._kept):
                if node.name.startswith(_PATCH):
                    self._quantise_patches(node)
                else:
                    self._quantise_product(node)
            self._nodes.append(node)
        nodes = [onnx.NodeProto.FromString(node.SerializeToString()) for node in self._nodes]
        del self._graph.node[:]
        self._graph.node.extend(nodes)
        used = {name for node in nodes for name in node.input}
        del self._graph.initializer[:]
        self._graph.initializer.extend(c for c in self._constants.values() if c.name in used)

    def _quantise_product(self, node: onnx.NodeProto) -> None:
        weights = self._values(node.input[1])
        scales = np.maximum(np.abs(weights).max(axis=0) / LEVELS, np.finfo(np.float32).tiny)
        rounded = np.clip(np.rint(weights / scales), -LEVELS, LEVELS)
        bound = self._bounds[node.name]
        if node.name.endswith(_AFTER_GELU) and bound > _GELU_FLOOR:
            self._shift(node, (bound - _GELU_FLOOR) / 2, rounded * scales)
            bound = (bound + _GELU_FLOOR) / 2
        node.input[0] = self._activation(node.input[0], bound / LEVELS, node.name)
        node.input[1] = self._weights(node.name, rounded, scales)

    def _quantise_patches(self, node: onnx.NodeProto) -> None:
        """Pixels less 128 are 8-bit integers as they are."""
        weights = self._values(node.input[1])
        self._shift(node, _MIDDLE, weights)
        rounded, scales = round_patch_weights(weights, self._patch, LEVELS)
        node.input[0] = self._activation(node.input[0], 1.0, node.name)
        node.input[1] = self._weights(_PATCH, rounded, scales)

    def _shift(self, node: onnx.NodeProto, by: float, weights: NDArray[np.float64]) -> None:
        """Take `by` off a product's input; what that takes away the bias adds, by these weights."""
        add = next(other for other in self._graph.node if node.output[0] in other.input)
        bias = self._values(add.input[1]) + by * weights.sum(axis=0)
        add.input[1] = self._constant(f"{node.name}.offsets", bias.astype(np.float32))
        shifted = f"{node.name}.shifted"
        constant = self._constant(f"{shifted}.by", np.float32(by))
        self._nodes.append(helper.make_node("Sub", [node.input[0], constant], [shifted], shifted))
        node.input[0] = shifted

    def _activation(self, value: str, scale: float, product: str) -> str:
        parameters = [
            self._constant(f"{product}.scale", np.float32(scale)),
            self._constant("zero", self._zero),
        ]
        if (value, scale) not in self._rounded:
            integers = f"{product}.int8"
            self._rounded[value, scale] = integers
            node = helper.make_node("QuantizeLinear", [value, *parameters], [integers], integers)
            self._nodes.append(node)
        # One for every product, though products share the integers: that is the form that ONNX
        # Runtime recognises.
        label = f"{product}.input"
        inputs = [self._rounded[value, scale], *parameters]
        self._nodes.append(helper.make_node("DequantizeLinear", inputs, [label], label))
        return label

    def _weights(self, name: str, rounded: NDArray, scales: NDArray) -> str:
        label = f"{name}.weights"
        if label in {output for node in self._nodes for output in node.output}:
            return label  # of the other template
        inputs = [
            self._constant(f"{label}.int8", rounded.astype(np.int8)),
            self._constant(f"{label}.scales", scales.astype(np.float32)),
            self._constant(f"{label}.zeros", np.zeros(scales.shape, np.int8)),
        ]
        self._nodes.append(
            helper.make_node("DequantizeLinear", inputs, [label], f"{label}.float", axis=1)
        )
        return label

    def _values(self, name: str) -> NDArray[np.float64]:
        return numpy_helper.to_array(self._constants[name]).astype(np.float64)

    def _constant(self, name: str, values: NDArray | np.generic) -> str:
        self._constants[name] = numpy_helper.from_array(np.asarray(values), name)
        return name
