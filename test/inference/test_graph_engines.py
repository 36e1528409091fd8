# Copyright 2026 mixformer2_ros contributors
# SPDX-License-Identifier: Apache-2.0
"""What every engine that runs the ONNX graphs must do, with each runtime."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import cache

import numpy as np
import pytest

torch = pytest.importorskip("torch")
pytest.importorskip("onnx")

from mixformer2_ros.inference import Engine, Locations  # noqa: E402
from mixformer2_ros.model import FastMixFormerV2  # noqa: E402

SMALL = [("openvino", "small"), ("onnxruntime", "small")]
BASE = [("openvino", "base"), ("onnxruntime", "base")]


@pytest.fixture(scope="module")
def engine(request, rule_artefact) -> Engine:
    backend, name = request.param
    pytest.importorskip(backend, reason=f"{backend} is not installed")
    if backend == "openvino":
        from mixformer2_ros.inference.openvino_engine import OpenVinoEngine as Kind
    else:
        from mixformer2_ros.inference.onnxruntime_engine import OnnxRuntimeEngine as Kind
    return Kind(rule_artefact(name, backend), threads=2)


@pytest.fixture(scope="module")
def expected_locations(rule_model, random_crops) -> Callable[[str, int], Locations]:
    """What the torch module says about random crops."""

    @cache
    def locate(name: str, targets: int) -> Locations:
        templates, online, search = map(torch.from_numpy, random_crops(name, targets))
        module = FastMixFormerV2(rule_model(name))
        found = module.locate(module.encode_templates(templates, online), search)
        return Locations(found.box.numpy(), found.score.sigmoid().numpy(), found.edges.numpy())

    return locate


both_sizes = pytest.mark.parametrize("engine", SMALL + BASE, indirect=True, ids="-".join)
small = pytest.mark.parametrize("engine", SMALL, indirect=True, ids="-".join)


def assert_close(found: Locations, expected: Locations, tolerance: float = 1e-4) -> None:
    for name in ("edges", "boxes", "scores"):
        np.testing.assert_allclose(
            getattr(found, name), getattr(expected, name), rtol=0, atol=tolerance, err_msg=name
        )


def assert_equal(found: Locations, expected: Locations) -> None:
    assert_close(found, expected, tolerance=0)


@both_sizes
def test_engine_gives_the_published_edges_box_and_score(golden_dir, engine):
    golden = np.load(golden_dir / f"forward_{engine.variant.name}.npz")
    memory = engine.encode_templates(golden["template"][None], golden["online_template"][None])
    expected = Locations(
        boxes=golden["pred_boxes_cxcywh"].reshape(1, 4),
        scores=1 / (1 + np.exp(-golden["score_logit"].reshape(1))),
        edges=np.stack([golden[f"prob_{edge}"] for edge in "ltrb"])[None],
    )
    assert_close(engine.locate(memory, golden["search"][None]), expected)


@both_sizes
@pytest.mark.parametrize("targets", [1, 3])
def test_engine_equals_the_torch_module(expected_locations, random_crops, engine, targets):
    name = engine.variant.name
    templates, online, search = random_crops(name, targets)
    found = engine.locate(engine.encode_templates(templates, online), search)
    assert_close(found, expected_locations(name, targets))


@small
def test_a_batch_of_targets_equals_one_at_a_time(random_crops, engine):
    crops = random_crops("small", 3)
    memories = engine.encode_templates(*crops[:2])
    together = engine.locate(memories, crops[2])
    for i in (2, 0, 1):
        memory = engine.encode_templates(*(part[i : i + 1] for part in crops[:2]))
        alone = engine.locate(memory, crops[2][i : i + 1])
        part = Locations(*(getattr(together, n)[i : i + 1] for n in ("boxes", "scores", "edges")))
        assert_close(alone, part)
        assert_close(engine.locate([memories[i]], crops[2][i : i + 1]), part)


@small
def test_targets_may_come_in_any_order_and_number(random_crops, engine):
    templates, online, search = random_crops("small", 3)
    memories = engine.encode_templates(templates, online)
    together = engine.locate(memories, search)
    for order in ([1, 0], [2, 1, 0], [0, 2]):
        found = engine.locate([memories[i] for i in order], search[order])
        np.testing.assert_allclose(found.boxes, together.boxes[order], atol=1e-4)


@small
def test_a_new_template_takes_effect_and_old_memories_stay_valid(random_crops, engine):
    templates, online, search = random_crops("small", 2)
    (old,) = engine.encode_templates(templates[:1], online[:1])
    before = engine.locate([old], search[:1])
    (new,) = engine.encode_templates(templates[:1], online[1:])
    changed = engine.locate([new], search[:1])
    assert np.abs(changed.edges - before.edges).max() > 1e-3
    assert_equal(engine.locate([old], search[:1]), before)
    del old
    assert_equal(engine.locate([new], search[:1]), changed)


@small
def test_results_survive_the_next_frame(random_crops, engine):
    templates, online, search = random_crops("small", 2)
    memory = engine.encode_templates(templates[:1], online[:1])
    first = engine.locate(memory, search[:1])
    kept = Locations(first.boxes.copy(), first.scores.copy(), first.edges.copy())
    engine.locate(memory, search[1:])
    assert_equal(first, kept)


@small
def test_types_and_ranges_are_those_of_the_interface(random_crops, engine):
    templates, online, search = random_crops("small", 3)
    found = engine.locate(engine.encode_templates(templates, online), search)
    assert (found.boxes.dtype, found.boxes.shape) == (np.float64, (3, 4))
    assert (found.scores.dtype, found.scores.shape) == (np.float64, (3,))
    assert (found.edges.dtype, found.edges.shape) == (np.float32, (3, 4, 96))
    assert ((found.scores >= 0) & (found.scores <= 1)).all()
    np.testing.assert_allclose(found.edges.sum(axis=2), 1, atol=1e-5)


@small
def test_views_and_read_only_crops_are_taken(random_crops, engine):
    templates, online, search = random_crops("small", 1)
    flipped = search[:, :, ::-1]
    flipped.flags.writeable = False
    memory = engine.encode_templates(templates[:, ::-1], online)
    copies = engine.encode_templates(templates[:, ::-1].copy(), online)
    assert_equal(engine.locate(memory, flipped), engine.locate(copies, flipped.copy()))


@small
def test_an_engine_serves_a_thread_that_did_not_make_it(random_crops, engine):
    templates, online, search = random_crops("small", 1)
    here = engine.locate(engine.encode_templates(templates, online), search)
    with ThreadPoolExecutor(1) as worker:
        memory = worker.submit(engine.encode_templates, templates, online).result()
        there = worker.submit(engine.locate, memory, search).result()
    assert_equal(there, here)


@small
@pytest.mark.parametrize(
    "bad",
    [
        np.zeros((1, 100, 100, 3), np.uint8),
        np.zeros((224, 224, 3), np.uint8),
        np.zeros((1, 3, 224, 224), np.uint8),
        np.zeros((1, 224, 224, 3), np.float32),
        np.zeros((0, 224, 224, 3), np.uint8),
    ],
    ids=["side", "no batch", "layout", "dtype", "empty"],
)
def test_wrong_crops_are_refused_with_their_shape(random_crops, engine, bad):
    templates, online, search = random_crops("small", 1)
    memory = engine.encode_templates(templates, online)
    with pytest.raises(ValueError, match="crops must be"):
        engine.locate(memory, bad)
    assert np.isfinite(engine.locate(memory, search).boxes).all()


@small
def test_numbers_of_templates_memories_and_crops_must_match(random_crops, engine):
    templates, online, search = random_crops("small", 3)
    with pytest.raises(ValueError, match="templates must be"):
        engine.encode_templates(search, online)
    with pytest.raises(ValueError, match="3 templates, 2 online ones"):
        engine.encode_templates(templates, online[:2])
    memory = engine.encode_templates(templates[:1], online[:1])
    with pytest.raises(ValueError, match="1 template memories for 3 search crops"):
        engine.locate(memory, search)
