# Copyright 2026 mixformer2_ros contributors
# SPDX-License-Identifier: Apache-2.0
"""How much arithmetic a frame is, counted in the graph that is run."""

from __future__ import annotations

import math

import numpy as np
import onnx

from mixformer2_ros.inference import graph
from mixformer2_ros.inference.artefact import is_artefact, open_artefact
from mixformer2_ros.inference.loading import find_weights
from mixformer2_ros.inference.weights import read_network
from mixformer2_ros.model.state import expected_shapes
from mixformer2_ros.model.variants import Variant, get_variant


def sizes_that_run(model: str, checkpoint: str | None) -> Variant:
    """Return the sizes of the network that an engine runs, after folding.

    Args:
        model: Name of the variant.
        checkpoint: Weights or an artefact; None for the default weights.

    Raises:
        ModelError: There are no default weights, or the artefact cannot be used.
        CheckpointError: The weights cannot be read or do not fit.
    """
    path = find_weights(model, checkpoint)
    if is_artefact(path):
        return open_artefact(path).variant
    variant, _ = read_network(path, get_variant(model))
    return variant


def macs_per_frame(variant: Variant) -> int:
    """Return the multiplications (each with its addition) of locating one target.

    Counted are the products of matrices, from the shapes in the graph; what else there is
    (normalisation, softmax, GELU) is below one per cent.
    """
    state = {name: np.zeros(shape, np.float32) for name, shape in expected_shapes(variant).items()}
    model = graph.locate_graph(variant, state, batch=1)
    for constant in model.graph.initializer:
        if len(constant.dims) > 1:  # a weight, of which counting would make copies
            constant.ClearField("raw_data")
    return count_macs(model)


def count_macs(model: onnx.ModelProto) -> int:
    """Return the multiplications in the matrix products of a graph whose inputs have sizes.

    Raises:
        ValueError: A size is not known.
    """
    inferred = onnx.shape_inference.infer_shapes(model, strict_mode=True, data_prop=True).graph
    shapes = {
        value.name: [dimension.dim_value for dimension in value.type.tensor_type.shape.dim]
        for value in (*inferred.input, *inferred.value_info, *inferred.output)
    }
    shapes |= {constant.name: list(constant.dims) for constant in inferred.initializer}
    count = 0
    for node in inferred.node:
        if node.op_type != "MatMul":
            continue
        left, result = shapes.get(node.input[0], []), shapes.get(node.output[0], [])
        if not left or not result or 0 in (*left, *result):
            raise ValueError(f"the sizes of the product {node.name!r} are not known")
        count += math.prod(result) * left[-1]
    return count
