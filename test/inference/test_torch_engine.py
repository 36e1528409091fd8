# Copyright 2026 mixformer2_ros contributors
# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import numpy as np
import pytest

torch = pytest.importorskip("torch")

from mixformer2_ros.inference import ModelError, torch_engine  # noqa: E402
from mixformer2_ros.inference.torch_engine import TorchEngine  # noqa: E402
from mixformer2_ros.inference.torch_network import TorchNetwork, plain_linear  # noqa: E402


def random_crops(side: int, count: int, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).integers(0, 256, (count, side, side, 3), dtype=np.uint8)


@pytest.fixture(scope="module")
def engine(rule_model):
    return TorchEngine(rule_model("small"), device="cpu", threads=2)


@pytest.fixture(scope="module")
def crops(engine):
    side = engine.variant.template_size
    return random_crops(side, 3, 1), random_crops(side, 3, 2), random_crops(224, 3, 3)


def test_engine_gives_the_published_box_and_score(golden_dir, rule_model, variant_name):
    golden = np.load(golden_dir / f"forward_{variant_name}.npz")
    engine = TorchEngine(rule_model(variant_name), device="cpu")
    memory = engine.encode_templates(golden["template"][None], golden["online_template"][None])
    found = engine.locate(memory, golden["search"][None])
    np.testing.assert_allclose(found.boxes[0], golden["pred_boxes_cxcywh"], atol=1e-4)
    np.testing.assert_allclose(found.edges[0, 2], golden["prob_r"], atol=1e-4)
    assert found.scores[0] == pytest.approx(1 / (1 + np.exp(-golden["score_logit"][0])), abs=1e-5)


def test_a_batch_of_targets_equals_one_at_a_time(engine, crops):
    templates, online, search = crops
    together = engine.locate(engine.encode_templates(templates, online), search)
    for i in range(3):
        memory = engine.encode_templates(templates[i : i + 1], online[i : i + 1])
        alone = engine.locate(memory, search[i : i + 1])
        np.testing.assert_allclose(together.boxes[i], alone.boxes[0], atol=1e-4)
        np.testing.assert_allclose(together.scores[i], alone.scores[0], atol=1e-4)
        np.testing.assert_allclose(together.edges[i], alone.edges[0], atol=1e-4)


def test_types_and_ranges_are_those_of_the_interface(engine, crops):
    templates, online, search = crops
    found = engine.locate(engine.encode_templates(templates, online), search)
    assert (found.boxes.dtype, found.boxes.shape) == (np.float64, (3, 4))
    assert (found.scores.dtype, found.scores.shape) == (np.float64, (3,))
    assert (found.edges.dtype, found.edges.shape) == (np.float32, (3, 4, 96))
    assert ((found.scores >= 0) & (found.scores <= 1)).all()
    np.testing.assert_allclose(found.edges.sum(axis=2), 1, atol=1e-5)


def test_bf16_stays_near_float32(engine, rule_model, crops):
    templates, online, search = crops
    exact = engine.locate(engine.encode_templates(templates, online), search)
    half = TorchEngine(rule_model("small"), device="cpu", precision="bf16")
    rough = half.locate(half.encode_templates(templates, online), search)
    np.testing.assert_allclose(rough.boxes, exact.boxes, atol=0.1)


def test_views_and_read_only_crops_are_taken(engine, crops):
    templates, online, search = crops
    flipped = search[:1, :, ::-1]
    flipped.flags.writeable = False
    memory = engine.encode_templates(templates[:1], online[:1])
    np.testing.assert_array_equal(
        engine.locate(memory, flipped).boxes, engine.locate(memory, flipped.copy()).boxes
    )


@pytest.mark.parametrize(
    "bad",
    [
        np.zeros((1, 100, 100, 3), np.uint8),
        np.zeros((224, 224, 3), np.uint8),
        np.zeros((1, 224, 224, 3), np.float32),
        np.zeros((0, 224, 224, 3), np.uint8),
    ],
    ids=["side", "no batch", "dtype", "empty"],
)
def test_wrong_crops_are_refused_with_their_shape(engine, crops, bad):
    memory = engine.encode_templates(crops[0][:1], crops[1][:1])
    with pytest.raises(ValueError, match="crops must be"):
        engine.locate(memory, bad)


def test_the_number_of_memories_must_match(engine, crops):
    memory = engine.encode_templates(crops[0][:1], crops[1][:1])
    with pytest.raises(ValueError, match="1 template memories for 3 search crops"):
        engine.locate(memory, crops[2])


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"device": "toaster"}, "device 'toaster' is unknown"),
        ({"device": "meta"}, "device 'meta' is not supported"),
        ({"precision": "int3"}, "precision 'int3' is unknown"),
        ({"device": "cpu", "precision": "fp16"}, "is for CUDA"),
    ],
)
def test_impossible_options_say_what_to_use(rule_model, options, message):
    with pytest.raises(ModelError, match=message):
        TorchEngine(rule_model("small"), **options)


@pytest.mark.skipif(torch.cuda.is_available(), reason="this machine has a CUDA GPU")
def test_cuda_without_a_gpu_names_the_cure(rule_model):
    with pytest.raises(ModelError, match=r"finds no CUDA GPU.*use device cpu"):
        TorchEngine(rule_model("small"), device="cuda")


def located(engine, crops, count: int = 3):
    templates, online, search = (part[:count] for part in crops)
    return engine.locate(engine.encode_templates(templates, online), search)


def test_a_new_template_takes_effect_and_old_memories_stay_valid(engine, crops):
    templates, online, search = crops
    first, second = engine.encode_templates(templates[:2], online[:2])
    before = engine.locate([first], search[:1])
    changed = engine.locate([second], search[:1])
    assert np.abs(changed.edges - before.edges).max() > 1e-3
    np.testing.assert_array_equal(engine.locate([first], search[:1]).edges, before.edges)
    pair = engine.locate([second, first], search[[0, 0]])
    np.testing.assert_allclose(pair.edges, np.stack([changed.edges[0], before.edges[0]]), atol=1e-4)


def test_packed_weights_are_used_where_they_pay_and_say_the_same(rule_model, crops):
    model, cpu = rule_model("small"), torch.device("cpu")
    found = []
    for make_linear in (plain_linear, torch_engine.packed_linear):
        network = TorchNetwork(model, cpu, torch.float32, make_linear)
        memory = network.new_memory(1)
        images = [torch.from_numpy(part[:1]) for part in crops]
        network.store(memory, 0, network.encode_templates(*images[:2]))
        found.append(network.locate(memory, images[2]).numpy())
    np.testing.assert_allclose(found[1], found[0], rtol=0, atol=1e-5)
    is_x86 = torch_engine.processor.is_x86() and torch.backends.mkldnn.is_available()
    chosen = torch_engine._pick_linear(cpu, torch.float32)
    assert chosen is (torch_engine.packed_linear if is_x86 else plain_linear)
    assert torch_engine._pick_linear(torch.device("cuda"), torch.float16) is plain_linear


def test_nothing_overflows_in_float16(engine, rule_model, crops):
    # What a GPU computes by default, on the processor.
    network = TorchNetwork(rule_model("small"), torch.device("cpu"), torch.float16)
    memory = network.new_memory(1)
    images = [torch.from_numpy(part[:1]) for part in crops]
    network.store(memory, 0, network.encode_templates(*images[:2]))
    found = network.locate(memory, images[2]).numpy()
    np.testing.assert_allclose(found[:, :4], located(engine, crops, 1).boxes, rtol=0, atol=2e-2)


on_a_gpu = pytest.mark.skipif(not torch.cuda.is_available(), reason="no CUDA GPU on this machine")


@on_a_gpu
@pytest.mark.parametrize(
    ("precision", "tolerance"), [("fp32", 1e-3), ("fp16", 2e-2), ("bf16", 0.1)]
)
def test_cuda_agrees_with_the_cpu(engine, rule_model, crops, precision, tolerance):
    gpu = TorchEngine(rule_model("small"), device="cuda", precision=precision)
    for count in (1, 3, 1):
        found, expected = located(gpu, crops, count), located(engine, crops, count)
        np.testing.assert_allclose(found.boxes, expected.boxes, atol=tolerance)
        np.testing.assert_allclose(found.scores, expected.scores, atol=tolerance)


@on_a_gpu
def test_a_captured_graph_sees_new_crops_and_new_templates(rule_model, crops):
    templates, online, search = crops
    gpu = TorchEngine(rule_model("small"), device="cuda", precision="fp32")
    first, second = gpu.encode_templates(templates[:2], online[:2])
    kept = gpu.locate([first], search[:1])
    edges = kept.edges.copy()
    assert np.abs(gpu.locate([first], search[1:2]).edges - edges).max() > 1e-3
    assert np.abs(gpu.locate([second], search[:1]).edges - edges).max() > 1e-3
    np.testing.assert_array_equal(kept.edges, edges)
    np.testing.assert_allclose(gpu.locate([first], search[:1]).edges, edges, atol=1e-5)
