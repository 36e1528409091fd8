# Copyright 2026 mixformer2_ros contributors
# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import hashlib
import json
import os
from pathlib import Path

import pytest

from mixformer2_ros.training.checkpoints import StorageError, Store, join

OLD, NEW = bytes(range(200)) * 5, bytes(reversed(range(200))) * 6


def _write(store: Store, content: bytes) -> None:
    store.write("state.pt", lambda path: path.write_bytes(content) and None)


def test_no_part_is_larger_than_asked_for_and_the_manifest_names_all(tmp_path):
    store = Store(tmp_path, part_bytes=300)
    _write(store, OLD)
    manifest = json.loads((tmp_path / "state.pt.manifest.json").read_text())
    parts = [tmp_path / part["name"] for part in manifest["parts"]]
    assert [path.stat().st_size for path in parts] == [300, 300, 300, 100]
    assert manifest["sha256"] == hashlib.sha256(OLD).hexdigest()
    assert b"".join(path.read_bytes() for path in sorted(parts)) == OLD
    assert len(list(tmp_path.iterdir())) == 5
    assert store.read("state.pt") == OLD


@pytest.mark.parametrize(("before", "after"), [(300, 300), (None, 300), (300, None)])
def test_a_new_file_replaces_the_former_one_and_its_parts(tmp_path, before, after):
    _write(Store(tmp_path, before), OLD)
    _write(Store(tmp_path, after), NEW)
    assert Store(tmp_path).read("state.pt") == NEW
    assert len(list(tmp_path.iterdir())) == (5 if after else 1)


class _PowerCutError(Exception):
    pass


@pytest.mark.parametrize("part_bytes", [None, 300])
def test_a_kill_at_any_moment_leaves_the_former_file_or_the_new_one(
    tmp_path, monkeypatch, part_bytes
):
    """Every change of a name on disk is a moment; the kill comes just before or after it."""
    names_changed = ["replace", "unlink"]
    real = {name: getattr(os, name) for name in names_changed}
    outcomes = set()
    for moment in range(30):
        folder = tmp_path / str(moment)
        _write(Store(folder, part_bytes), OLD)
        left = moment

        def dying(name: str):
            def change(*args, **kwargs):
                nonlocal left
                if left == 0:
                    raise _PowerCutError
                left -= 1
                result = real[name](*args, **kwargs)
                if left == 0:
                    raise _PowerCutError
                left -= 1
                return result

            return change

        with monkeypatch.context() as patch:
            for name in names_changed:
                patch.setattr(os, name, dying(name))
            patch.setattr(Path, "unlink", lambda path, missing_ok=False: os.unlink(path))
            try:
                _write(Store(folder, part_bytes), NEW)
                outcomes.add("whole")
            except (_PowerCutError, FileNotFoundError):
                pass
        found = Store(folder, part_bytes).read("state.pt")
        assert found in (OLD, NEW)
        outcomes.add("old" if found == OLD else "new")
        _write(Store(folder, part_bytes), OLD)
        assert Store(folder, part_bytes).read("state.pt") == OLD
    assert outcomes >= {"old", "new"}


def test_joined_parts_are_the_whole_file(tmp_path):
    _write(Store(tmp_path / "stage", part_bytes=300), OLD)
    assert join(tmp_path) == [tmp_path / "stage" / "state.pt"]
    assert [path.name for path in (tmp_path / "stage").iterdir()] == ["state.pt"]
    assert (tmp_path / "stage" / "state.pt").read_bytes() == OLD


@pytest.mark.parametrize("damage", ["missing", "changed"])
def test_a_damaged_part_is_named_and_nothing_is_removed(tmp_path, damage: str):
    _write(Store(tmp_path, part_bytes=300), OLD)
    part = sorted(tmp_path.glob("state.pt.*.001"))[0]
    if damage == "missing":
        part.unlink()
    else:
        part.write_bytes(b"x" * 300)
    before = sorted(tmp_path.iterdir())
    with pytest.raises(StorageError, match=rf"part .*{part.name} (is|has) .*copy it again"):
        join(tmp_path)
    assert sorted(tmp_path.iterdir()) == before
