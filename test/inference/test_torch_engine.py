# Copyright 2026 mixformer2_ros contributors
# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import numpy as np
import pytest

torch = pytest.importorskip("torch")

from mixformer2_ros.inference import ModelError  # noqa: E402
from mixformer2_ros.inference.torch_engine import TorchEngine  # noqa: E402


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


@pytest.mark.skipif(not torch.cuda.is_available(), reason="no CUDA GPU on this machine")
def test_cuda_agrees_with_the_cpu(engine, rule_model, crops):
    templates, online, search = crops
    expected = engine.locate(engine.encode_templates(templates, online), search)
    gpu = TorchEngine(rule_model("small"), device="cuda", precision="fp32")
    found = gpu.locate(gpu.encode_templates(templates, online), search)
    np.testing.assert_allclose(found.boxes, expected.boxes, atol=1e-3)
