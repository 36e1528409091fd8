# Copyright 2026 mixformer2_ros contributors
# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import dataclasses
import json

import numpy as np
import pytest
from safetensors.numpy import save_file

pytest.importorskip("onnx")

from mixformer2_ros.checksums import file_sha256
from mixformer2_ros.inference import ModelError, export, load_engine
from mixformer2_ros.inference.artefact import METADATA
from mixformer2_ros.model.state import CheckpointError

RUNTIMES = tuple(export.EXPORTS)


@pytest.fixture(params=RUNTIMES)
def backend(request) -> str:
    pytest.importorskip(request.param, reason=f"{request.param} is not installed")
    return request.param


def located(engine, crops):
    templates, online, search = crops
    return engine.locate(engine.encode_templates(templates, online), search)


def test_an_artefact_says_what_it_was_made_from(rule_checkpoint, rule_artefact, backend):
    artefact = rule_artefact("small", backend)
    content = json.loads((artefact.folder / METADATA).read_text())
    assert content["checkpoint_sha256"] == file_sha256(rule_checkpoint("small"))
    assert content["runtime"] == export.runtime_version(backend)
    assert set(content["files"]) == {p.name for p in artefact.folder.iterdir()} - {METADATA}


def test_a_folder_given_as_checkpoint_is_what_the_checkpoint_is(
    rule_checkpoint, rule_artefact, random_crops, backend
):
    crops = random_crops("small", 1)
    folder = rule_artefact("small", backend).folder
    direct = load_engine("small", folder, threads=1)
    through_cache = load_engine(
        "small", rule_checkpoint("small"), backend, "cpu", "fp32", threads=1
    )
    np.testing.assert_array_equal(located(direct, crops).edges, located(through_cache, crops).edges)
    assert direct.description == through_cache.description


def test_a_folder_for_something_else_is_refused(rule_artefact, tmp_path, backend):
    folder = rule_artefact("small", backend).folder
    for options, reason in (
        ({"variant": "base"}, "its variant is 'small', wanted is 'base'"),
        ({"backend": "torch"}, f"its backend is '{backend}', wanted is 'torch'"),
        ({"precision": "bf16"}, "its precision is 'fp32', wanted is 'bf16'"),
    ):
        with pytest.raises(ModelError, match=reason):
            load_engine(checkpoint=folder, **options)
    content = json.loads((folder / METADATA).read_text())
    (tmp_path / METADATA).write_text(json.dumps({**content, "files": {}, "runtime": "0.1"}))
    with pytest.raises(ModelError, match=r"its runtime is '0\.1', wanted is .*mixformer2 export"):
        load_engine(checkpoint=tmp_path)


def test_weights_that_float16_holds_take_half_the_place_and_stay_exact(
    rule_state, rule_artefact, random_crops, tmp_path, backend
):
    rounded = {name: array.astype(np.float16) for name, array in rule_state("small").items()}
    files = {"half": rounded, "single": {n: a.astype(np.float32) for n, a in rounded.items()}}
    found, sizes = [], []
    for name, state in files.items():
        path = tmp_path / f"{name}.safetensors"
        save_file(state, path)
        artefact = export.obtain(export.make_recipe("small", path, backend, "fp32"), path)
        sizes.append(sum(file.stat().st_size for file in artefact.folder.iterdir()))
        engine = load_engine("small", path, backend, "cpu", "fp32", threads=1)
        found.append(located(engine, random_crops("small", 1)).edges)
    full = sum(file.stat().st_size for file in rule_artefact("small", backend).folder.iterdir())
    np.testing.assert_array_equal(*found)
    assert sizes[0] == pytest.approx(sizes[1], rel=0.01)
    assert sizes[0] < 0.65 * full


def test_a_fixed_batch_takes_any_number_of_targets(rule_artefact, random_crops, backend):
    crops = random_crops("small", 3)
    artefact = rule_artefact("small", backend, batch=2)
    assert (
        located(load_engine("small", artefact.folder), [c[:1] for c in crops]).edges.shape[0] == 1
    )
    fixed = located(load_engine("small", artefact.folder), crops)
    free = located(load_engine("small", rule_artefact("small", backend).folder), crops)
    for name in ("boxes", "scores", "edges"):
        np.testing.assert_allclose(getattr(fixed, name), getattr(free, name), atol=1e-5)


def test_a_precision_that_a_runtime_lacks_is_refused(rule_checkpoint, backend):
    with pytest.raises(ModelError, match=f"precision 'fp8' is not for {backend}: use fp32"):
        export.make_recipe("small", rule_checkpoint("small"), backend, "fp8")


def test_a_missing_checkpoint_is_named(tmp_path, backend):
    with pytest.raises(CheckpointError, match=r"gone\.pth' is not a file"):
        export.make_recipe("small", tmp_path / "gone.pth", backend, "fp32")


def test_without_onnx_the_cure_is_named(monkeypatch, rule_checkpoint, tmp_path, backend):
    recipe = export.make_recipe("small", rule_checkpoint("small"), backend, "fp32")

    def import_module(name: str):
        raise ImportError(f"No module named {name!r}")

    monkeypatch.setattr(export, "import_module", import_module)
    with pytest.raises(ModelError, match=r"No module named 'onnx'.*pip install onnx, or give"):
        export.build(tmp_path, recipe, rule_checkpoint("small"), lambda _: None)


def test_every_step_is_told(rule_checkpoint, tmp_path, backend):
    recipe = export.make_recipe("small", rule_checkpoint("small"), backend, "fp32")
    steps: list[str] = []
    export.build(
        tmp_path, dataclasses.replace(recipe, batch=1), rule_checkpoint("small"), steps.append
    )
    assert steps[0] == "reading the checkpoint"
    assert len(steps) >= 3
