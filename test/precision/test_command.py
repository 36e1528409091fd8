# Copyright 2026 mixformer2_ros contributors
# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import pytest

from mixformer2_ros import cli
from mixformer2_ros.inference.ranges import Ranges, find_ranges
from mixformer2_ros.precision import command


@pytest.fixture
def weights(tmp_path):
    path = tmp_path / "own.safetensors"
    path.write_bytes(b"weights")
    return path


def test_ranges_are_written_where_the_engines_look_for_them(weights, monkeypatch, capsys):
    def measure(variant, path, sources, count):
        sha256 = command.file_sha256(path)
        return Ranges(variant, sha256, tuple(sources), count, {"backbone.blocks.0.mlp.fc1": 2.0})

    monkeypatch.setattr(command, "measure_ranges", measure)
    arguments = ["--checkpoint", str(weights), "--crops", "7", "scene:1", "clip.mp4"]
    assert cli.main(["precision", "calibrate", *arguments]) == 0
    ranges = find_ranges(weights)
    assert (ranges.crops, ranges.sources) == (7, ("scene:1", "clip.mp4"))
    assert "own.int8.json: 1 ranges from 7 crops" in capsys.readouterr().out


def test_only_tracking_is_recorded(weights, capsys):
    assert cli.main(["precision", "compare", "--checkpoint", str(weights), "--record"]) == 2
    assert "--record needs a folder of sequences" in capsys.readouterr().err
