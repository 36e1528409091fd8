# Copyright 2026 mixformer2_ros contributors
# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

from mixformer2_ros.inference import weights


def test_default_weights_are_found_where_colcon_installs_them(tmp_path, monkeypatch):
    package = tmp_path / "install/lib/python3.11/site-packages/mixformer2_ros"
    models = tmp_path / "install/share/mixformer2_ros/models"
    models.mkdir(parents=True)
    (models / "mixformerv2_base.safetensors").touch()
    monkeypatch.setattr(weights, "_PACKAGE", package)
    assert weights.find_default_weights("base") == models / "mixformerv2_base.safetensors"
    assert weights.find_default_weights("small") is None
    assert weights.variants_with_weights() == ["base"]


def test_weights_inside_the_package_come_first(tmp_path, monkeypatch):
    package = tmp_path / "mixformer2_ros"
    for folder in (package / "models", tmp_path / "models"):
        folder.mkdir(parents=True)
        (folder / "mixformerv2_small.safetensors").touch()
    monkeypatch.setattr(weights, "_PACKAGE", package)
    assert weights.find_default_weights("small") == package / "models/mixformerv2_small.safetensors"


def test_what_the_user_imported_comes_first(tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path / "data"))
    monkeypatch.setattr(weights, "_PACKAGE", tmp_path / "mixformer2_ros")
    folders = (tmp_path / "mixformer2_ros/models", tmp_path / "data/mixformer2_ros/models")
    for folder in folders:
        folder.mkdir(parents=True)
        (folder / "mixformerv2_base.safetensors").touch()
    assert [path.parent for path in weights.find_all_weights("base")] == [*folders[::-1]]
    assert weights.find_default_weights("base").parent == folders[1]


def test_the_user_folder_is_in_the_home_without_xdg_data_home(tmp_path, monkeypatch):
    monkeypatch.delenv("XDG_DATA_HOME")
    monkeypatch.setenv("HOME", str(tmp_path))
    assert weights.user_folder() == tmp_path / ".local/share/mixformer2_ros/models"
