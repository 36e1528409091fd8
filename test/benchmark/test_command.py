# Copyright 2026 mixformer2_ros contributors
# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import json

import pytest

torch = pytest.importorskip("torch")

from safetensors.torch import save_file  # noqa: E402

from mixformer2_ros.cli import main  # noqa: E402


@pytest.fixture
def checkpoint(rule_model, tmp_path):
    path = tmp_path / "small.safetensors"
    save_file(rule_model("small").state_dict(), path)
    return path


def test_engines_are_compared_with_the_published_way(checkpoint, tmp_path, capsys):
    file = tmp_path / "figures.json"
    options = ["--backends", "torch", "--frames", "3", "--threads", "1", "--json", str(file)]
    assert main(["benchmark", "engine", "--checkpoint", str(checkpoint), *options]) == 0
    rows = json.loads(file.read_text())["rows"]
    assert [r["name"].split(",")[0] for r in rows][:2] == ["reference", "MixFormerV2-S"]
    assert rows[0]["ratio"] == 1.0
    assert all(r["median"] > 0 for r in rows)
    assert "| reference |" in capsys.readouterr().out


def test_a_size_that_is_none_is_explained(capsys):
    with pytest.raises(SystemExit):
        main(["benchmark", "node", "--size", "large"])
    assert "give WIDTHxHEIGHT" in capsys.readouterr().err
