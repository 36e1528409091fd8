# Copyright 2026 mixformer2_ros contributors
# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

from collections import Counter

import numpy as np
import pytest

onnx = pytest.importorskip("onnx")

from mixformer2_ros.inference import graph  # noqa: E402
from mixformer2_ros.model.state import expected_shapes  # noqa: E402
from mixformer2_ros.model.variants import SMALL  # noqa: E402


@pytest.fixture(scope="module")
def graphs():
    state = {name: np.zeros(shape, np.float16) for name, shape in expected_shapes(SMALL).items()}
    return graph.template_graph(SMALL, state), graph.locate_graph(SMALL, state)


def shapes(values) -> dict[str, tuple]:
    return {
        value.name: (
            value.type.tensor_type.elem_type,
            *(dim.dim_value or dim.dim_param for dim in value.type.tensor_type.shape.dim),
        )
        for value in values
    }


def test_the_graphs_are_valid_and_their_shapes_follow(graphs):
    for model in graphs:
        onnx.checker.check_model(model, full_check=True)
        assert [(entry.domain, entry.version) for entry in model.opset_import] == [("", 18)]


def test_inputs_and_outputs_are_the_documented_ones(graphs):
    template, locate = (model.graph for model in graphs)
    u8, f32 = onnx.TensorProto.UINT8, onnx.TensorProto.FLOAT
    memory = {
        name: (f32, "N", 98, 768) if name == "tokens" else (f32, "N", 12, 98, 64)
        for name in graph.memory_names(SMALL)
    }
    assert len(memory) == 7
    assert shapes(template.input) == {
        name: (u8, "N", 112, 112, 3) for name in graph.TEMPLATE_INPUTS
    }
    assert shapes(template.output) == memory
    assert shapes(locate.input) == {"crop": (u8, "N", 224, 224, 3), **memory}
    assert shapes(locate.output) == {
        "boxes": (f32, "N", 4),
        "scores": (f32, "N"),
        "edges": (f32, "N", 4, 96),
    }


def test_layer_normalisation_stays_one_operator(graphs):
    # Taken apart it overflows in float16.
    kinds = Counter(node.op_type for node in graphs[1].graph.node)
    assert kinds["LayerNormalization"] == 2 * SMALL.depth + 2
    assert kinds["Softmax"] == SMALL.depth + 1
