# Copyright 2026 mixformer2_ros contributors
# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest

from mixformer2_ros import checksums

MODELS = Path(__file__).resolve().parents[1] / "models"


def test_sums_are_those_of_sha256sum(tmp_path):
    for name, content in (("b.bin", b"abc"), ("a.bin", b"")):
        (tmp_path / name).write_bytes(content)
        checksums.add_sum(tmp_path / name)
    assert checksums.read_sums(tmp_path)["b.bin"].startswith("ba7816bf8f01cfea414140de5dae2223")
    if shutil.which("sha256sum"):
        subprocess.run(["sha256sum", "--check", checksums.NAME], cwd=tmp_path, check=True)
    assert checksums.problem(tmp_path / "a.bin") is None


def test_changed_and_unlisted_files_are_problems(tmp_path):
    path = tmp_path / "weights"
    path.write_bytes(b"one")
    assert "not listed" in checksums.problem(path)
    checksums.add_sum(path)
    path.write_bytes(b"two")
    assert "instead of" in checksums.problem(path)
    checksums.add_sum(path)
    assert checksums.problem(path) is None


def test_a_damaged_list_is_named(tmp_path):
    (tmp_path / checksums.NAME).write_text("nothing\n")
    with pytest.raises(ValueError, match="SHA256SUMS: 'nothing' is no checksum"):
        checksums.read_sums(tmp_path)


@pytest.mark.skipif(not MODELS.is_dir(), reason="no models/ in this checkout")
def test_every_file_of_default_weights_is_listed_and_whole():
    files = sorted(MODELS.glob("*.safetensors"))
    assert files
    assert {path.name: checksums.problem(path) for path in files} == {
        path.name: None for path in files
    }
    assert set(checksums.read_sums(MODELS)) <= {path.name for path in MODELS.iterdir()}


@pytest.mark.skipif(not MODELS.is_dir(), reason="no models/ in this checkout")
def test_the_cards_name_the_checksums():
    cards = "".join(path.read_text(encoding="utf-8") for path in MODELS.glob("*.md"))
    for name, digest in checksums.read_sums(MODELS).items():
        if name.endswith(".safetensors"):
            assert digest in cards
