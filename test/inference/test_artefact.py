# Copyright 2026 mixformer2_ros contributors
# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import json
from pathlib import Path

import pytest

from mixformer2_ros.inference import ModelError
from mixformer2_ros.inference.artefact import (
    METADATA,
    Recipe,
    check_recipe,
    open_artefact,
    write_metadata,
)
from mixformer2_ros.model.variants import SMALL, narrowed

RECIPE = Recipe("small", "0" * 64, "openvino", "fp32", 0, "2026.4")
FOLDED = narrowed(SMALL, 256, 2)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "locate.xml").write_text("<net/>")
    write_metadata(tmp_path, RECIPE, FOLDED, {"numpy": "2.4"})
    return tmp_path


def rewrite(folder: Path, **changes: object) -> None:
    content = json.loads((folder / METADATA).read_text())
    (folder / METADATA).write_text(json.dumps({**content, **changes}))


def test_what_was_written_is_read_again(folder):
    artefact = open_artefact(folder)
    assert artefact.recipe == RECIPE
    assert artefact.variant == FOLDED
    assert artefact.graph("locate") == folder / "locate.xml"


def test_a_damaged_or_missing_file_is_refused_by_its_name(folder):
    (folder / "locate.xml").write_text("<nut/>")
    with pytest.raises(ModelError, match=r"locate\.xml is not as it was written.*Make it anew"):
        open_artefact(folder)
    (folder / "locate.xml").unlink()
    with pytest.raises(ModelError, match=r"locate\.xml is missing"):
        open_artefact(folder)


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"format": 99}, "its format is 99, and this version reads 2"),
        ({"variant": "huge"}, "is incomplete .*unknown model variant 'huge'"),
        ({"files": None}, "is incomplete"),
        ({"sizes": {"width": 256}}, "is incomplete .*heads"),
    ],
)
def test_a_description_of_another_kind_is_refused(folder, changes, reason):
    rewrite(folder, **changes)
    with pytest.raises(ModelError, match=reason):
        open_artefact(folder)


@pytest.mark.parametrize("text", ["", "[]", "{"])
def test_an_unreadable_description_is_refused(folder, text):
    (folder / METADATA).write_text(text)
    with pytest.raises(ModelError, match=r"artefact\.json"):
        open_artefact(folder)


def test_a_folder_that_is_no_artefact_is_refused(tmp_path):
    with pytest.raises(ModelError, match=r"has no artefact\.json.*mixformer2 export"):
        open_artefact(tmp_path)


@pytest.mark.parametrize(
    ("wanted", "reason"),
    [
        ({"variant": "base"}, "its variant is 'small', wanted is 'base'"),
        ({"runtime": "2027.0"}, r"its runtime is '2026\.4', wanted is '2027\.0'"),
        ({"checkpoint_sha256": "1" * 64}, r"its checkpoint \(sha256\) is '0+', wanted is '1+'"),
    ],
)
def test_an_artefact_of_something_else_is_refused(folder, wanted, reason):
    artefact = open_artefact(folder)
    check_recipe(artefact, variant="small")
    with pytest.raises(ModelError, match=reason):
        check_recipe(artefact, **wanted)
