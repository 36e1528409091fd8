# Copyright 2026 mixformer2_ros contributors
# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

from collections import Counter

import numpy as np
import pytest

onnx = pytest.importorskip("onnx")
onnxruntime = pytest.importorskip("onnxruntime", reason="onnxruntime is not installed")

from mixformer2_ros.inference import graph  # noqa: E402
from mixformer2_ros.inference.half_graph import to_half  # noqa: E402
from mixformer2_ros.model.state import expected_shapes  # noqa: E402
from mixformer2_ros.model.variants import SMALL  # noqa: E402


@pytest.fixture(scope="module")
def graphs(rule_weights):
    state = {name: rule_weights(name, shape) for name, shape in expected_shapes(SMALL).items()}
    return graph.template_graph(SMALL, state), graph.locate_graph(SMALL, state)


@pytest.fixture(scope="module")
def halves(graphs):
    return tuple(to_half(model, SMALL) for model in graphs)


def types_inside(model) -> dict[str, int]:
    inferred = onnx.shape_inference.infer_shapes(model, strict_mode=True).graph
    values = (*inferred.value_info, *inferred.output)
    types = {value.name: value.type.tensor_type.elem_type for value in values}
    return {
        node.name: types[node.output[0]]
        for node in inferred.node
        if not node.name.startswith("cast_")
    }


def locate(models, crops) -> list[np.ndarray]:
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    template, search = (
        onnxruntime.InferenceSession(model.SerializeToString(), options) for model in models
    )
    names = graph.memory_names(SMALL)
    memory = template.run(names, dict(zip(graph.TEMPLATE_INPUTS, crops[:2], strict=True)))
    inputs = {graph.CROP_INPUT: crops[2], **dict(zip(names, memory, strict=True))}
    return search.run(graph.LOCATE_OUTPUTS, inputs)


def test_every_type_stands_in_the_graph(halves):
    for model in halves:
        onnx.checker.check_model(model, full_check=True)
    kinds = types_inside(halves[1])
    half, single = onnx.TensorProto.FLOAT16, onnx.TensorProto.FLOAT
    for name, kind in kinds.items():
        if name.endswith(("mlp.fc1", "mlp.fc2", "attn.query", "attn.scores", "attn.mix")):
            assert kind == half, name
        if "norm1" in name or "norm2" in name or name.startswith(("Softmax", "box_head")):
            assert kind == single, name
    erf = [kind for name, kind in kinds.items() if name.startswith("Erf")]
    assert set(erf) == {half}


def test_memories_are_float16_and_results_float32(halves):
    half, single = onnx.TensorProto.FLOAT16, onnx.TensorProto.FLOAT
    template, search = (model.graph for model in halves)
    assert {value.type.tensor_type.elem_type for value in template.output} == {half}
    found = {value.name: value.type.tensor_type.elem_type for value in search.input}
    assert found.pop("crop") == onnx.TensorProto.UINT8
    assert set(found.values()) == {half}
    assert {value.type.tensor_type.elem_type for value in search.output} == {single}


def test_the_residual_stream_is_float32(halves):
    # Both sums of every block but those of the heads add a product to a float32 value.
    kinds = types_inside(halves[1])
    sums = Counter(kinds[name] for name in kinds if name.startswith("Add"))
    assert sums[onnx.TensorProto.FLOAT] >= 2 * SMALL.depth


def test_constants_are_not_kept_twice(graphs, halves):
    sizes = [
        sum(len(constant.raw_data) for constant in models[1].graph.initializer)
        for models in (graphs, halves)
    ]
    assert sizes[1] < 0.6 * sizes[0]


def test_results_stay_near_float32(graphs, halves, random_crops):
    crops = random_crops("small", 2)
    before = graphs[1].SerializeToString()
    for exact, rough in zip(locate(graphs, crops), locate(halves, crops), strict=True):
        np.testing.assert_allclose(rough, exact, rtol=0, atol=1e-2)
    assert graphs[1].SerializeToString() == before
