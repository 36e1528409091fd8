# Copyright 2026 mixformer2_ros contributors
# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import json
import struct

import numpy as np
import pytest
from safetensors.numpy import save_file

from mixformer2_ros.model.state import (
    CheckpointError,
    check_shapes,
    expected_shapes,
    read_safetensors,
)
from mixformer2_ros.model.variants import get_variant


def test_expected_shapes_are_those_of_the_published_checkpoints(golden_dir, variant_name):
    published = json.loads((golden_dir / "checkpoint_keys.json").read_text())[variant_name]
    expected = expected_shapes(get_variant(variant_name))
    assert {name: list(shape) for name, shape in expected.items()} == published


def test_expected_shapes_are_those_of_the_network(rule_model, variant_name):
    state = rule_model(variant_name).state_dict()
    assert expected_shapes(get_variant(variant_name)) == {
        name: tuple(tensor.shape) for name, tensor in state.items()
    }


def test_shapes_that_fit_pass(variant_name):
    variant = get_variant(variant_name)
    check_shapes(expected_shapes(variant), variant)


def test_weights_of_something_else_are_called_that():
    with pytest.raises(CheckpointError, match="it is not a MixFormerV2 checkpoint"):
        check_shapes({"conv.weight": (3, 3)}, get_variant("small"))


def test_another_depth_is_told():
    shapes = expected_shapes(get_variant("base"))
    shallow = {name: shape for name, shape in shapes.items() if ".blocks.7." not in name}
    with pytest.raises(CheckpointError, match=r"7 blocks.*missing: .*and 6 more"):
        check_shapes(shallow, get_variant("base"))


def test_safetensors_are_read_as_stored_without_the_data_parallel_prefix(tmp_path):
    path = tmp_path / "weights.safetensors"
    save_file({"module.a": np.arange(3, dtype=np.float16), "b": np.ones((2, 2), np.float32)}, path)
    state = read_safetensors(path)
    assert state.keys() == {"a", "b"}
    np.testing.assert_array_equal(state["a"], [0, 1, 2])
    assert (state["a"].dtype, state["b"].dtype) == (np.float16, np.float32)


def test_bfloat16_is_refused_with_the_cure(tmp_path):
    header = json.dumps({"a": {"dtype": "BF16", "shape": [2], "data_offsets": [0, 4]}}).encode()
    path = tmp_path / "weights.safetensors"
    path.write_bytes(struct.pack("<Q", len(header)) + header + bytes(4))
    with pytest.raises(CheckpointError, match="save it as float16 or float32"):
        read_safetensors(path)
