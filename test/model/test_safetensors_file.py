# Copyright 2026 mixformer2_ros contributors
# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import pytest

torch = pytest.importorskip("torch")

from safetensors.torch import load_file, save_file  # noqa: E402

from mixformer2_ros.model.safetensors_file import (  # noqa: E402
    parse_safetensors,
    write_safetensors,
)

TENSORS = {
    "b.weight": torch.arange(6.0).view(2, 3).half(),
    "a": torch.tensor([[True], [False], [True]]),
    "transposed": torch.randn(3, 5).T,
    "scalar": torch.tensor(7),
    "none": torch.zeros(0, 4),
    "brain": torch.randn(5).bfloat16(),
}


def _assert_same(found, expected):
    assert found.keys() == expected.keys()
    for name, value in expected.items():
        assert found[name].dtype == value.dtype, name
        assert torch.equal(found[name], value), name


def test_the_library_reads_what_is_written(tmp_path):
    write_safetensors(TENSORS, tmp_path / "w.safetensors")
    _assert_same(load_file(tmp_path / "w.safetensors"), TENSORS)


def test_what_the_library_writes_is_read(tmp_path):
    plain = {name: value.contiguous() for name, value in TENSORS.items()}
    save_file(plain, tmp_path / "w.safetensors", metadata={"format": "pt"})
    _assert_same(parse_safetensors((tmp_path / "w.safetensors").read_bytes()), TENSORS)


@pytest.mark.parametrize("kept", [0, 5, 40, -1])
def test_a_file_that_is_cut_off_is_refused(tmp_path, kept: int):
    write_safetensors(TENSORS, tmp_path / "w.safetensors")
    with pytest.raises(ValueError, match="cut off"):
        parse_safetensors((tmp_path / "w.safetensors").read_bytes()[:kept])


def test_a_shape_that_does_not_fit_is_refused(tmp_path):
    write_safetensors({"a": torch.zeros(2, 2)}, tmp_path / "w.safetensors")
    content = (tmp_path / "w.safetensors").read_bytes().replace(b"[2,2]", b"[9,2]")
    with pytest.raises(ValueError, match="another size than its shape"):
        parse_safetensors(content)
