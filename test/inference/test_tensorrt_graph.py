# Copyright 2026 mixformer2_ros contributors
# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

from collections import Counter

import numpy as np
import pytest

onnx = pytest.importorskip("onnx")
onnxruntime = pytest.importorskip("onnxruntime", reason="onnxruntime is not installed")

from onnx import TensorProto, helper, numpy_helper  # noqa: E402

from mixformer2_ros.inference import ModelError, graph  # noqa: E402
from mixformer2_ros.inference.tensorrt_graph import float_nodes, for_tensorrt  # noqa: E402
from mixformer2_ros.model.state import expected_shapes  # noqa: E402
from mixformer2_ros.model.variants import SMALL  # noqa: E402


@pytest.fixture(scope="module")
def template(rule_weights):
    state = {name: rule_weights(name, shape) for name, shape in expected_shapes(SMALL).items()}
    return graph.template_graph(SMALL, state)


def run(model, crops) -> list[np.ndarray]:
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    session = onnxruntime.InferenceSession(model.SerializeToString(), options)
    return session.run(None, dict(zip(graph.TEMPLATE_INPUTS, crops[:2], strict=True)))


@pytest.mark.parametrize("version", [(8, 5), (8, 6), (10, 3)])
def test_the_graph_says_the_same_to_every_release(template, random_crops, version):
    crops = random_crops("small", 1)
    rewritten = for_tensorrt(template, version)
    onnx.checker.check_model(rewritten, full_check=True)
    for found, expected in zip(run(rewritten, crops), run(template, crops), strict=True):
        np.testing.assert_allclose(found, expected, rtol=0, atol=2e-4)


def test_images_go_straight_into_a_cast(template):
    rewritten = for_tensorrt(template, (10, 3)).graph
    takers = [
        node for node in rewritten.node if not {*graph.TEMPLATE_INPUTS}.isdisjoint(node.input)
    ]
    assert [node.op_type for node in takers] == ["Cast", "Cast"]
    assert Counter(node.op_type for node in rewritten.node)["Cast"] == 2


def test_opset_and_normalisations_are_those_of_the_release(template):
    for version, expected in (((8, 5), 0), ((8, 6), 2 * SMALL.depth - 1)):
        rewritten = for_tensorrt(template, version)
        assert rewritten.opset_import[0].version == 17
        kinds = Counter(node.op_type for node in rewritten.graph.node)
        assert kinds["LayerNormalization"] == expected


def test_parts_of_a_normalisation_stay_in_float32(template):
    names = float_nodes(for_tensorrt(template, (8, 5)))
    for part in ("mean", "variance", "deviation", "result"):
        assert f"backbone.blocks.0.norm2.normalise.{part}" in names
    assert "backbone.blocks.0.mlp.fc1" not in names


@pytest.mark.parametrize("zero", [np.uint8(128), np.int8(3)])
def test_quantisation_that_tensorrt_does_not_know_is_refused(zero):
    node = helper.make_node("QuantizeLinear", ["x", "scale", "zero"], ["y"], name="tokens.quantise")
    constants = [
        numpy_helper.from_array(np.float32(0.1), "scale"),
        numpy_helper.from_array(np.asarray(zero), "zero"),
    ]
    x = helper.make_tensor_value_info("x", TensorProto.FLOAT, ["N", 4])
    kind = helper.np_dtype_to_tensor_dtype(np.asarray(zero).dtype)
    y = helper.make_tensor_value_info("y", kind, ["N", 4])
    model = helper.make_model(helper.make_graph([node], "g", [x], [y], constants))
    with pytest.raises(ModelError, match=r"'tokens\.quantise' is quantised with an offset or to"):
        for_tensorrt(model, (10, 3))
