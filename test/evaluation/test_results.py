# Copyright 2026 mixformer2_ros contributors
# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import zipfile

import numpy as np
import pytest

from mixformer2_ros.evaluation.results import ResultError, ResultStore, SequenceResult

BOXES = np.array([[1, 2, 3, 4], [0.1 + 0.2, 1 / 3, 1e-9, 12345.678901234567], [np.nan] * 4])


def full_result() -> SequenceResult:
    return SequenceResult.of(
        BOXES,
        scores=[1.0, 2 / 3, np.nan],
        states=[1, 2, 3],
        times=[0.1, 0.2, np.nan],
        frame_size=(640, 480),
        meta={"engine": "test"},
    )


@pytest.mark.parametrize("layout", ["flat", "got10k"])
def test_what_is_written_is_read_exactly(tmp_path, layout):
    store = ResultStore(tmp_path, layout)
    store.write("kcf", "Crossing", full_result())
    read = store.read("kcf", "Crossing")
    for name in ("boxes", "scores", "states", "times"):
        np.testing.assert_array_equal(getattr(read, name), getattr(full_result(), name))
    assert read.frame_size == (640, 480)
    assert read.meta == {"engine": "test"}
    assert store.trackers() == ["kcf"]
    assert store.sequences("kcf") == ["Crossing"]
    assert store.has("kcf", "Crossing")
    assert not store.has("kcf", "Skiing")


def test_layouts_are_the_published_ones(tmp_path):
    ResultStore(tmp_path).write("a", "S", full_result())
    ResultStore(tmp_path, "got10k").write("b", "S", full_result())
    assert (tmp_path / "a/S.txt").read_text().splitlines()[:2] == [
        "1.0,2.0,3.0,4.0",
        "0.30000000000000004,0.3333333333333333,1e-09,12345.678901234567",
    ]
    assert (tmp_path / "a/S_time.txt").is_file()
    assert (tmp_path / "b/S/S_001.txt").is_file()
    assert (tmp_path / "b/S/S_time.txt").is_file()


@pytest.mark.parametrize(
    "text", ["1\t2\t3\t4\n5\t6\t7\t8\n", "1,2,3,4\r\n\r\n5, 6, 7, 8", "1 2 3 4\n5 6 7 8"]
)
def test_files_of_other_toolkits_are_read(tmp_path, text):
    folder = tmp_path / "ostrack"
    folder.mkdir()
    (folder / "S.txt").write_text(text)
    result = ResultStore(tmp_path).read("ostrack", "S")
    np.testing.assert_array_equal(result.boxes, [[1, 2, 3, 4], [5, 6, 7, 8]])
    assert np.isnan(result.scores).all()
    assert np.isnan(result.times).all()
    assert (result.states == -1).all()
    assert result.frame_size is None


def test_repeated_times_of_got10k_give_the_first_run(tmp_path):
    folder = tmp_path / "siamfc" / "S"
    folder.mkdir(parents=True)
    (folder / "S_001.txt").write_text("1,2,3,4\n5,6,7,8\n")
    (folder / "S_time.txt").write_text("0.1,0.2,0.3\n0.4,0.5,0.6\n")
    result = ResultStore(tmp_path).read("siamfc", "S")
    np.testing.assert_array_equal(result.times, [0.1, 0.4])


def test_times_of_the_got10k_toolkit_for_otb_lie_apart(tmp_path):
    (tmp_path / "siamfc" / "times").mkdir(parents=True)
    (tmp_path / "siamfc" / "S.txt").write_text("1,2,3,4\n")
    (tmp_path / "siamfc" / "times" / "S_time.txt").write_text("0.25\n")
    store = ResultStore(tmp_path)
    assert store.sequences("siamfc") == ["S"]
    np.testing.assert_array_equal(store.read("siamfc", "S").times, [0.25])


def test_side_files_are_no_sequences_but_a_sequence_may_be_named_like_one(tmp_path):
    store = ResultStore(tmp_path)
    store.write("kcf", "clock", full_result())
    store.write("kcf", "half_time", full_result())
    assert store.sequences("kcf") == ["clock", "half_time"]


@pytest.mark.parametrize(
    ("text", "message"),
    [("1,2,3\n", "line 1 has 3"), ("1,2,3,4\n1,2,x,4\n", "'x'"), ("1,2,3\n1,2,3,4,5\n", "line 1")],
)
def test_damaged_files_are_named(tmp_path, text, message):
    (tmp_path / "kcf").mkdir()
    (tmp_path / "kcf" / "S.txt").write_text(text)
    with pytest.raises(ResultError, match=message):
        ResultStore(tmp_path).read("kcf", "S")


def test_a_missing_result_is_named(tmp_path):
    with pytest.raises(ResultError, match=r"kcf.*Skiing"):
        ResultStore(tmp_path).read("kcf", "Skiing")


@pytest.mark.parametrize("name", ["", "..", "a/b", ".hidden"])
def test_names_that_leave_the_folder_are_refused(tmp_path, name):
    with pytest.raises(ResultError, match="cannot be a file name"):
        ResultStore(tmp_path).write("kcf", name, full_result())


def test_lengths_must_agree():
    with pytest.raises(ResultError, match="scores"):
        SequenceResult.of(BOXES, scores=[1.0])


def test_an_error_is_kept_until_the_sequence_is_done(tmp_path):
    store = ResultStore(tmp_path)
    store.write_error("kcf", "S", "frame 3 is unreadable")
    assert store.read_error("kcf", "S") == "frame 3 is unreadable"
    assert store.sequences("kcf") == []
    store.write("kcf", "S", full_result())
    assert store.read_error("kcf", "S") is None


def test_a_failed_write_leaves_nothing_half(tmp_path, monkeypatch):
    store = ResultStore(tmp_path)
    monkeypatch.setattr(
        "mixformer2_ros.evaluation.results.os.replace",
        lambda *_: (_ for _ in ()).throw(OSError("disk full")),
    )
    with pytest.raises(OSError, match="disk full"):
        store.write("kcf", "S", full_result())
    assert [path for path in tmp_path.rglob("*") if path.is_file()] == []


def test_submissions(tmp_path):
    for layout, names in (("flat", ["S.txt"]), ("got10k", ["S/S_001.txt", "S/S_time.txt"])):
        store = ResultStore(tmp_path / layout, layout)
        store.write("kcf", "S", full_result())
        store.pack("kcf", ["S"], tmp_path / f"{layout}.zip")
        with zipfile.ZipFile(tmp_path / f"{layout}.zip") as archive:
            assert archive.namelist() == names
            assert archive.read(names[0]).decode().splitlines()[2] == "0.0,0.0,0.0,0.0"
    with pytest.raises(ResultError, match="Skiing"):
        store.pack("kcf", ["S", "Skiing"], tmp_path / "x.zip")
