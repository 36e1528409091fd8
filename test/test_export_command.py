# Copyright 2026 mixformer2_ros contributors
# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import pytest

from mixformer2_ros.cli import main
from mixformer2_ros.inference import cache, export, find_default_weights

pytest.importorskip("onnx")
pytestmark = pytest.mark.skipif(
    find_default_weights("small") is None, reason="there are no default weights"
)


@pytest.fixture(params=tuple(export.EXPORTS))
def backend(request) -> str:
    pytest.importorskip(request.param, reason=f"{request.param} is not installed")
    return request.param


def test_export_fills_the_cache_once(monkeypatch, tmp_path, capsys, backend):
    monkeypatch.setenv(cache.CACHE_VARIABLE, str(tmp_path))
    assert main(["export", "--backend", backend, "--precision", "fp32"]) == 0
    first = capsys.readouterr().out
    assert "writing the graphs ... " in first
    assert str(tmp_path) in first
    assert main(["export", "--backend", backend, "--precision", "fp32"]) == 0
    again = capsys.readouterr().out
    assert "writing the graphs" not in again
    assert "found by itself" in again


def test_export_writes_a_folder_that_can_be_given_as_checkpoint(tmp_path, capsys, backend):
    out = tmp_path / "made"
    for batch in ("1", "2"):  # the second replaces the first
        command = ["export", "--backend", backend, "--precision", "fp32", "--batch", batch]
        assert main([*command, "--out", str(out)]) == 0
        assert f"checkpoint:={out}" in capsys.readouterr().out
        assert export.use(out, "small").recipe.batch == int(batch)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--batch", "2"], "--batch needs --out"),
        (["--batch", "-1"], "--batch is -1"),
        (["--checkpoint", "/nowhere/w.safetensors"], "is not a file: check the path"),
        (["--out", "."], "is there and is no artefact"),
    ],
)
def test_what_cannot_be_made_is_explained(monkeypatch, tmp_path, capsys, backend, options, message):
    monkeypatch.chdir(tmp_path)
    assert main(["export", "--backend", backend, "--precision", "fp32", *options]) == 2
    assert message in capsys.readouterr().err


def test_a_runtime_that_is_not_installed_is_named_with_the_cure(capsys, monkeypatch):
    from mixformer2_ros.inference import selection

    monkeypatch.setattr(selection, "find_spec", lambda name: None)
    assert main(["export", "--backend", "tensorrt"]) == 2
    assert "'tensorrt' is not installed: it comes with JetPack" in capsys.readouterr().err
