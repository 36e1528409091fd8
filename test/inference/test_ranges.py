# Copyright 2026 mixformer2_ros contributors
# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import json

import pytest

from mixformer2_ros.checksums import file_sha256
from mixformer2_ros.inference import ModelError, find_default_weights
from mixformer2_ros.inference.ranges import Ranges, find_ranges, ranges_path, read_ranges


@pytest.fixture
def weights(tmp_path):
    path = tmp_path / "own.safetensors"
    path.write_bytes(b"weights")
    return path


@pytest.fixture
def ranges(weights):
    bounds = {"backbone.blocks.0.mlp.fc1": 1.25, "backbone.blocks.0.mlp.fc2": 3.0}
    return Ranges("small", file_sha256(weights), ("scene:1",), 32, bounds)


def test_ranges_survive_the_way_through_json(weights, ranges):
    ranges_path(weights).write_text(ranges.to_json())
    assert find_ranges(weights) == ranges
    assert find_ranges(weights).digest() == ranges.digest()


def test_ranges_of_other_weights_are_refused_with_the_cure(weights, ranges):
    ranges_path(weights).write_text(ranges.to_json())
    weights.write_bytes(b"trained on")
    with pytest.raises(ModelError, match=r"other weights.*mixformer2 precision calibrate"):
        find_ranges(weights)


def test_missing_ranges_are_named_with_the_cure(weights):
    with pytest.raises(ModelError, match=r"own\.int8\.json.*mixformer2 precision calibrate"):
        find_ranges(weights)


@pytest.mark.parametrize(
    "change",
    [
        {"format": 99},
        {"bounds": {}},
        {"bounds": {"a": -1.0}},
        {"bounds": {"a": float("nan")}},
        {"bounds": [1.0]},
        {"variant": "huge"},
    ],
    ids=str,
)
def test_damaged_ranges_are_refused(weights, ranges, change):
    path = ranges_path(weights)
    path.write_text(json.dumps({**json.loads(ranges.to_json()), **change}))
    with pytest.raises(ModelError, match="cannot be used"):
        read_ranges(path)
    path.write_text("not json")
    with pytest.raises(ModelError, match="cannot be used"):
        read_ranges(path)


def test_the_default_weights_have_ranges_of_their_own():
    weights = find_default_weights("small")
    if weights is None:
        pytest.skip("this installation has no default weights")
    assert find_ranges(weights).variant == "small"
