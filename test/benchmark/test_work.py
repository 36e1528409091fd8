# Copyright 2026 mixformer2_ros contributors
# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import pytest

pytest.importorskip("onnx", reason="needs onnx")

from onnx import TensorProto, helper

from mixformer2_ros.benchmark.work import count_macs, macs_per_frame
from mixformer2_ros.model.variants import get_variant


def formula(v) -> int:
    """Multiplications of one frame with the three exact rewrites, from the network's sizes."""
    tokens, seen, width = v.search_tokens + 4, 2 * v.template_tokens, v.width
    embedding = tokens * 3 * v.patch**2 * width
    attention = 4 * tokens * width**2 + 2 * tokens * (tokens + seen) * width
    mlp = 2 * v.mlp_ratio * width**2
    last = 4 * 2 * width**2  # queries and projection of the prediction tokens
    last += 2 * 4 * width**2  # keys' and values' weights, taken over by them
    last += 2 * 4 * v.heads * (tokens + seen) * width  # their attention, in full width
    return embedding + (v.depth - 1) * (attention + tokens * mlp) + last + 4 * mlp


def test_the_graph_has_the_work_that_the_rewrites_leave(variant_name):
    variant = get_variant(variant_name)
    heads = macs_per_frame(variant) - formula(variant)
    assert 0 < heads < 0.002 * macs_per_frame(variant)


def test_products_of_any_rank_are_counted():
    nodes = [
        helper.make_node("MatMul", ["a", "b"], ["c"]),
        helper.make_node("Relu", ["c"], ["d"]),
        helper.make_node("MatMul", ["d", "e"], ["f"]),
    ]
    shapes = {"a": [2, 3, 5], "b": [5, 7], "e": [2, 7, 1], "f": [2, 3, 1]}
    values = {
        name: helper.make_tensor_value_info(name, TensorProto.FLOAT, shape)
        for name, shape in shapes.items()
    }
    graph = helper.make_graph(nodes, "g", [values[n] for n in "abe"], [values["f"]])
    opset = [helper.make_opsetid("", 18)]
    assert count_macs(helper.make_model(graph, opset_imports=opset)) == 2 * 3 * 5 * 7 + 2 * 3 * 7
    unknown = helper.make_tensor_value_info("a", TensorProto.FLOAT, ["N", 3, 5])
    graph = helper.make_graph(nodes, "g", [unknown, values["b"], values["e"]], [values["f"]])
    with pytest.raises(ValueError, match="sizes of the product"):
        count_macs(helper.make_model(graph, opset_imports=opset))
