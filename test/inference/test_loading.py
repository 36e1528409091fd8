# Copyright 2026 mixformer2_ros contributors
# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import pytest

torch = pytest.importorskip("torch")

from safetensors.torch import save_file  # noqa: E402

from mixformer2_ros.inference import ModelError, load_engine, loading  # noqa: E402


@pytest.fixture(scope="module")
def checkpoint(rule_model, tmp_path_factory):
    path = tmp_path_factory.mktemp("weights") / "small.safetensors"
    save_file(rule_model("small").state_dict(), path)
    return path


def test_a_checkpoint_becomes_an_engine(checkpoint):
    engine = load_engine("small", checkpoint, backend="torch", device="cpu", threads=1)
    assert engine.variant.name == "small"
    assert "MixFormerV2-S, PyTorch" in engine.description
    assert "cpu, float32, 1 thread" in engine.description


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"variant": "tiny"}, "unknown model variant 'tiny'"),
        ({"backend": "abacus"}, "backend 'abacus' is unknown"),
        ({"threads": 0}, "threads is 0"),
        ({"checkpoint": "/nowhere/weights.pth"}, "/nowhere/weights.pth' is not a file"),
    ],
)
def test_wrong_options_say_what_to_do(options, message):
    with pytest.raises(ModelError, match=message):
        load_engine(**options)


def test_weights_of_the_other_variant_are_refused(checkpoint):
    with pytest.raises(ModelError, match="looks like variant 'small'"):
        load_engine("base", checkpoint)


def test_missing_default_weights_name_the_cure(monkeypatch):
    monkeypatch.setattr(loading, "find_default_weights", lambda _: None)
    with pytest.raises(
        ModelError, match="no default weights for variant 'base': give a checkpoint"
    ):
        load_engine("base")
