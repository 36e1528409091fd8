# Copyright 2026 mixformer2_ros contributors
# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import numpy as np
import pytest

onnx = pytest.importorskip("onnx")
pytest.importorskip("onnxruntime", reason="onnxruntime is not installed")
pytest.importorskip("torch")

from onnx import numpy_helper  # noqa: E402

from mixformer2_ros.inference import ModelError, graph  # noqa: E402
from mixformer2_ros.inference.calibration import best_bound, calibrate  # noqa: E402
from mixformer2_ros.inference.crops import Crops  # noqa: E402
from mixformer2_ros.inference.quantisation import linear_products, quantise  # noqa: E402
from mixformer2_ros.model.variants import SMALL  # noqa: E402


@pytest.fixture(scope="module")
def state(rule_state):
    return rule_state("small")


@pytest.fixture(scope="module")
def crops(random_crops) -> Crops:
    templates, online, searches = random_crops("small", 3)
    return Crops(templates, online, searches, np.arange(3), ("noise",))


@pytest.fixture(scope="module")
def ranges(state, crops):
    return calibrate(SMALL, state, "0" * 64, crops)


@pytest.fixture(scope="module")
def locate(state):
    return graph.locate_graph(SMALL, state)


def located(model, memory, crop) -> dict[str, np.ndarray]:
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.log_severity_level = 3
    session = onnxruntime.InferenceSession(
        model.SerializeToString(), options, providers=["CPUExecutionProvider"]
    )
    feeds = {graph.CROP_INPUT: crop, **memory}
    return dict(zip(graph.LOCATE_OUTPUTS, session.run(graph.LOCATE_OUTPUTS, feeds), strict=True))


@pytest.fixture(scope="module")
def memory(state, crops):
    import onnxruntime

    names = graph.memory_names(SMALL)
    model = graph.template_graph(SMALL, state)
    session = onnxruntime.InferenceSession(
        model.SerializeToString(), providers=["CPUExecutionProvider"]
    )
    images = (crops.templates[:1], crops.online_templates[:1])
    feeds = dict(zip(graph.TEMPLATE_INPUTS, images, strict=True))
    return dict(zip(names, session.run(names, feeds), strict=True))


def kinds_of_inputs(model, product: str) -> list[str]:
    """Kinds of the nodes that make a product's inputs."""
    makers = {output: node.op_type for node in model.graph.node for output in node.output}
    node = next(node for node in model.graph.node if node.name == product)
    return [makers.get(name, "constant") for name in node.input]


def test_results_stay_near_those_in_float32(locate, ranges, memory, crops):
    exact = located(locate, memory, crops.searches[:1])
    for signed in (True, False):
        found = located(quantise(locate, ranges, signed=signed), memory, crops.searches[:1])
        # These weights are sharper than trained ones, and the crops are noise.
        assert np.abs(found["boxes"] - exact["boxes"]).max() < 0.05
        assert np.abs(found["scores"] - exact["scores"]).max() < 0.05
        assert np.abs(found["boxes"] - exact["boxes"]).max() > 0


def test_products_with_weights_are_quantised_and_the_others_are_not(locate, ranges):
    model = quantise(locate, ranges)
    onnx.checker.check_model(model, full_check=True)
    for name in ("attn.query", "attn.key", "attn.value", "attn.proj", "mlp.fc1", "mlp.fc2"):
        product = f"backbone.blocks.1.{name}"
        assert kinds_of_inputs(model, product) == ["DequantizeLinear"] * 2, product
    patches = "backbone.patch_embed.proj.crop"
    assert kinds_of_inputs(model, patches) == ["DequantizeLinear"] * 2
    for product in ("backbone.blocks.1.attn.scores", "backbone.blocks.1.attn.mix"):
        assert "DequantizeLinear" not in kinds_of_inputs(model, product)
    for product in ("box_head.layers.0.0", "score_head.layers.1"):
        assert kinds_of_inputs(model, product)[1] == "constant"


def test_what_is_to_be_kept_is_kept(locate, ranges):
    model = quantise(locate, ranges, kept=["backbone.blocks.1.mlp"])
    assert kinds_of_inputs(model, "backbone.blocks.1.mlp.fc2")[1] == "constant"
    assert kinds_of_inputs(model, "backbone.blocks.2.mlp.fc2")[1] == "DequantizeLinear"
    assert kinds_of_inputs(model, "box_head.layers.0.0")[1] == "DequantizeLinear"


def test_all_products_kept_gives_the_network_itself(locate, ranges, memory, crops):
    model = quantise(locate, ranges, kept=["backbone", "box_head", "score_head"])
    exact, found = (located(m, memory, crops.searches[:1]) for m in (locate, model))
    assert all(np.array_equal(found[name], exact[name]) for name in exact)


def test_the_given_graph_stays_as_it_is(locate, ranges):
    before = locate.SerializeToString()
    quantise(locate, ranges)
    assert locate.SerializeToString() == before


def test_integers_are_symmetric_and_each_output_has_a_scale(locate, ranges):
    constants = {
        c.name: numpy_helper.to_array(c) for c in quantise(locate, ranges).graph.initializer
    }
    weights = constants["backbone.blocks.0.mlp.fc1.weights.int8"]
    scales = constants["backbone.blocks.0.mlp.fc1.weights.scales"]
    assert weights.dtype == np.int8
    assert weights.min() >= -127
    assert (np.abs(weights).max(axis=0) == 127).all()
    assert scales.shape == (weights.shape[1],)
    assert not any(values.any() for name, values in constants.items() if name.endswith(".zeros"))


def test_the_template_graph_takes_the_same_ranges(state, ranges):
    model = quantise(graph.template_graph(SMALL, state), ranges)
    onnx.checker.check_model(model, full_check=True)
    assert kinds_of_inputs(model, "backbone.blocks.0.attn.key") == ["DequantizeLinear"] * 2


def test_ranges_of_another_network_are_refused_with_what_they_lack(locate, ranges):
    del (bounds := dict(ranges.bounds))["backbone.blocks.2.mlp.fc1"]
    poor = type(ranges)(**{**vars(ranges), "bounds": bounds})
    with pytest.raises(ModelError, match=r"lack backbone\.blocks\.2\.mlp\.fc1"):
        quantise(locate, poor)


def test_every_quantised_product_gets_a_range_and_pixels_none(locate, ranges):
    assert set(linear_products(locate)) <= set(ranges.bounds)
    assert not any("patch_embed" in name for name in ranges.bounds)
    query, key = (ranges.bounds[f"backbone.blocks.1.attn.{part}"] for part in ("query", "key"))
    assert query == key  # one value, one range


def test_a_bound_gives_up_rare_large_values_for_the_resolution_of_the_others():
    values = np.random.default_rng(0).standard_normal(100_000).astype(np.float32)
    assert best_bound(values) < np.abs(values).max()
    assert best_bound(np.array([-1.0, 0.5, 1.0], np.float32)) == pytest.approx(1.0, rel=0.05)
    assert best_bound(np.zeros(4, np.float32)) > 0


def test_what_has_been_through_a_gelu_fills_all_eight_bits(locate, ranges, memory, crops):
    import onnxruntime

    model = quantise(locate, ranges)
    integers = "backbone.blocks.0.mlp.fc2.int8"
    model.graph.output.append(onnx.helper.make_tensor_value_info(integers, 3, None))
    session = onnxruntime.InferenceSession(
        model.SerializeToString(), providers=["CPUExecutionProvider"]
    )
    (found,) = session.run([integers], {graph.CROP_INPUT: crops.searches[:1], **memory})
    # The GELU's lowest value is at the lower end, its zero near there, and clipped ones on top.
    assert found.min() in (-128, -127)
    assert np.median(found) < -60
    assert found.max() == 127
