# Copyright 2026 mixformer2_ros contributors
# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import dataclasses
import os
from pathlib import Path

import pytest

from mixformer2_ros.inference import cache
from mixformer2_ros.inference.artefact import Recipe, write_metadata
from mixformer2_ros.model.variants import SMALL

RECIPE = Recipe("small", "0" * 64, "openvino", "fp32", 0, "2026.4")


class Builder:
    """Makes artefacts of one small file, and counts."""

    def __init__(self, recipe: Recipe = RECIPE) -> None:
        self.recipe, self.count = recipe, 0

    def __call__(self, folder: Path) -> None:
        self.count += 1
        (folder / "locate.xml").write_text("<net/>")
        write_metadata(folder, self.recipe, SMALL, {})


@pytest.fixture(autouse=True)
def folder(monkeypatch, tmp_path) -> Path:
    monkeypatch.setenv(cache.CACHE_VARIABLE, str(tmp_path / "cache"))
    return tmp_path / "cache"


def test_the_folder_follows_the_environment(monkeypatch, folder, tmp_path):
    assert cache.cache_folder() == folder
    monkeypatch.delenv(cache.CACHE_VARIABLE)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    assert cache.cache_folder() == tmp_path / "mixformer2_ros"
    monkeypatch.delenv("XDG_CACHE_HOME")
    monkeypatch.setenv("HOME", str(tmp_path))
    assert cache.cache_folder() == tmp_path / ".cache" / "mixformer2_ros"


def test_the_second_start_finds_what_the_first_made(folder):
    build = Builder()
    first = cache.obtain(RECIPE, build)
    assert cache.obtain(RECIPE, build) == first
    assert build.count == 1
    assert [path.name for path in folder.iterdir()] == [first.folder.name]


@pytest.mark.parametrize("field", [f.name for f in dataclasses.fields(Recipe)])
def test_every_part_of_the_recipe_counts(field):
    other = dataclasses.replace(RECIPE, **{field: 3 if field == "batch" else "another"})
    assert cache.cache_key(other) != cache.cache_key(RECIPE)


@pytest.mark.parametrize("source", ["model/folding.py", "inference/graph.py"])
def test_the_code_that_makes_the_graphs_counts(monkeypatch, tmp_path, source):
    monkeypatch.setattr(cache, "_PACKAGE", tmp_path)
    keys = set()
    for text in ("before", "after"):
        (tmp_path / source).parent.mkdir(exist_ok=True)
        (tmp_path / source).write_text(text)
        keys.add(cache.cache_key(RECIPE))
    assert len(keys) == 2


def test_a_damaged_artefact_is_made_anew_and_said_so(caplog):
    build = Builder()
    first = cache.obtain(RECIPE, build)
    (first.folder / "locate.xml").write_text("")
    assert cache.obtain(RECIPE, build) == first
    assert build.count == 2
    assert "locate.xml is not as it was written" in caplog.text


def test_a_failed_build_leaves_nothing_behind(folder):
    def build(draft: Path) -> None:
        (draft / "half").write_text("")
        raise ValueError("no")

    with pytest.raises(ValueError, match="no"):
        cache.obtain(RECIPE, build)
    assert list(folder.iterdir()) == []


def test_of_two_that_build_at_once_one_is_kept(folder):
    def build(draft: Path) -> None:
        Builder()(draft)
        cache.store(folder / cache.cache_key(RECIPE), Builder())

    assert cache.obtain(RECIPE, build).recipe == RECIPE
    assert len(list(folder.iterdir())) == 1


def test_what_was_not_used_for_longest_goes_first(folder):
    for batch in range(10):
        recipe = dataclasses.replace(RECIPE, batch=batch)
        made = cache.obtain(recipe, Builder(recipe))
        os.utime(made.folder, (batch, batch))
    cache.obtain(
        dataclasses.replace(RECIPE, batch=99), Builder(dataclasses.replace(RECIPE, batch=99))
    )
    kept = [path for path in folder.iterdir() if path.stat().st_mtime < 1000]
    assert sorted(path.stat().st_mtime for path in kept) == [3, 4, 5, 6, 7, 8, 9]


def test_without_a_place_for_the_cache_the_network_still_starts(monkeypatch, tmp_path, caplog):
    (tmp_path / "file").write_text("")
    monkeypatch.setenv(cache.CACHE_VARIABLE, str(tmp_path / "file" / "cache"))
    build = Builder()
    assert cache.obtain(RECIPE, build).recipe == RECIPE
    assert "anew at every start" in caplog.text
    assert cache.CACHE_VARIABLE in caplog.text
