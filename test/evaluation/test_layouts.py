# Copyright 2026 mixformer2_ros contributors
# SPDX-License-Identifier: Apache-2.0
"""Tiny copies of the benchmarks' folders, with the exact names and formats they publish."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from mixformer2_ros.evaluation.datasets import DatasetError
from mixformer2_ros.evaluation.layouts import KINDS, open_dataset

THREE = "1,2,3,4\n5,6,7,8\n9,10,11,12\n"


def images(folder: Path, count: int, name: str = "{:04d}.jpg", first: int = 1) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    for i in range(first, first + count):
        (folder / name.format(i)).touch()


def text(path: Path, content: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(content)


def test_otb_delimiters_ranges_and_two_targets(tmp_path):
    images(tmp_path / "Tabs/img", 3)
    text(tmp_path / "Tabs/groundtruth_rect.txt", THREE.replace(",", "\t"))
    text(tmp_path / "Tabs/attributes.txt", "OCC, SV\n")
    images(tmp_path / "David/img", 770)
    text(tmp_path / "David/groundtruth_rect.txt", "1,2,3,4\n" * 471)
    images(tmp_path / "Jogging/img", 3)
    text(tmp_path / "Jogging/groundtruth_rect.1.txt", THREE)
    text(tmp_path / "Jogging/groundtruth_rect.2.txt", THREE)
    images(tmp_path / "Human4/img", 3)
    text(tmp_path / "Human4/groundtruth_rect.1.txt", "")
    text(tmp_path / "Human4/groundtruth_rect.2.txt", THREE)
    found = {sequence.name: sequence for sequence in open_dataset("otb", tmp_path)}
    assert list(found) == ["David", "Human4", "Jogging.1", "Jogging.2", "Tabs"]
    assert found["David"].frames[0].name == "0300.jpg"
    assert len(found["David"]) == 471
    np.testing.assert_array_equal(found["Tabs"].truth[2], [9, 10, 11, 12])
    assert found["Tabs"].attributes == {"OCC", "SV"}
    assert found["Tabs"].fps is None


@pytest.mark.parametrize("kind", ["lasot", "lasot_ext"])
def test_lasot_labels_and_attributes(tmp_path, kind):
    for name in ("airplane-1", "airplane-2"):
        folder = tmp_path / "airplane" / name
        images(folder / "img", 3, "{:08d}.jpg")
        text(folder / "groundtruth.txt", THREE)
        text(folder / "full_occlusion.txt", "0,1,0\n")
        text(folder / "out_of_view.txt", "0,0,1\n")
        text(folder / "nlp.txt", "an airplane\n")
    text(tmp_path / "att/airplane-1.txt", "0,1,0,0,0,1,0,0,1,0,0,0,1,0\n")
    found = open_dataset(kind, tmp_path)
    names = [sequence.name for sequence in found]
    assert names == (["airplane-1"] if kind == "lasot" else ["airplane-1", "airplane-2"])
    assert found[0].absent.tolist() == [False, True, True]
    assert np.isnan(found[0].truth[1:]).all()
    assert found[0].attributes == {"POC", "ROT", "SV", "LR"}


def got10k(root: Path, truth: str) -> None:
    name = "GOT-10k_Val_000001"
    text(root / "list.txt", name + "\n")
    images(root / name, 3, "{:08d}.jpg")
    text(root / name / "groundtruth.txt", truth)
    text(root / name / "absence.label", "0\n0\n1\n")
    text(root / name / "cover.label", "8\n0\n3\n")
    text(root / name / "cut_by_image.label", "0\n1\n0\n")
    text(
        root / name / "meta_info.ini",
        "[METAINFO]\nanno_fps: 10Hz\nobject_class: fox\nresolution: (1920, 1080)\n",
    )


def test_got10k_validation(tmp_path):
    got10k(tmp_path / "val", THREE.replace(",", ".0000,"))
    for path in (tmp_path, tmp_path / "val"):
        (sequence,) = open_dataset("got10k", path)
        assert sequence.absent.tolist() == [False, True, True]
        assert sequence.frame_size == (1920, 1080)
        assert sequence.fps == 10
        assert sequence.attributes == {"absence", "cut_by_image"}
        assert not sequence.withheld
    got10k(tmp_path / "test", "1,2,3,4\n")
    with pytest.raises(DatasetError, match="several splits"):
        open_dataset("got10k", tmp_path)


def test_got10k_test_withholds_its_truth(tmp_path):
    got10k(tmp_path / "test", "1,2,3,4\n")
    (sequence,) = open_dataset("got10k", tmp_path)
    assert sequence.withheld
    assert len(sequence) == 3
    assert not sequence.absent.any()
    np.testing.assert_array_equal(sequence.truth[0], [1, 2, 3, 4])
    assert np.isnan(sequence.truth[1:]).all()


@pytest.mark.parametrize("inside", ["TEST", ""])
def test_trackingnet_frames_are_numbered_from_zero_without_padding(tmp_path, inside):
    images(tmp_path / inside / "frames/abc_1", 12, "{}.jpg", first=0)
    text(tmp_path / inside / "anno/abc_1.txt", "1.0,2.0,3.0,4.0\n")
    (sequence,) = open_dataset("trackingnet", tmp_path)
    assert [path.stem for path in sequence.frames] == [str(i) for i in range(12)]
    assert sequence.withheld


def test_uav123_cuts_videos_into_sequences(tmp_path):
    images(tmp_path / "data_seq/UAV123/bird1", 800, "{:06d}.jpg")
    images(tmp_path / "data_seq/UAV123/bike1", 3, "{:06d}.jpg")
    text(tmp_path / "anno/UAV123/bird1_2.txt", "1,2,3,4\n" + "NaN,NaN,NaN,NaN\n" * 25)
    text(tmp_path / "anno/UAV123/bike1.txt", THREE)
    text(tmp_path / "anno/UAV123/att/bike1.txt", "1,0,0,0,0,0,0,0,0,0,1,0\n")
    bike, bird = open_dataset("uav123", tmp_path)
    assert bike.attributes == {"SV", "CM"}
    assert bird.frames[0].name == "000775.jpg"
    assert bird.absent.sum() == 25
    assert bird.fps == 30


@pytest.mark.parametrize("name", ["car1_s", "bird1_9"])
def test_uav123_frames_that_are_not_unpacked_are_named(tmp_path, name):
    text(tmp_path / f"anno/UAV123/{name}.txt", THREE)
    with pytest.raises(DatasetError, match=f"{name}: no images"):
        open_dataset("uav123", tmp_path)


def test_tnl2k_with_flags_whose_meaning_is_not_published(tmp_path):
    images(tmp_path / "TNL2K_test_subset/Arrow_Video", 0)
    images(tmp_path / "TNL2K_test_subset/Arrow_Video/imgs", 3, "{:05d}.png")
    text(tmp_path / "TNL2K_test_subset/Arrow_Video/groundtruth.txt", "1,2,3,4\n0,0,0,0\n5,6,7,8\n")
    text(tmp_path / "TNL2K_test_subset/Arrow_Video/attributes.txt", "0,1,0")
    for path in (tmp_path, tmp_path / "TNL2K_test_subset"):
        (sequence,) = open_dataset("tnl2k", path)
        assert sequence.name == "Arrow_Video"
        assert sequence.absent.tolist() == [False, True, False]
        assert sequence.attributes == {"attribute 2"}


@pytest.mark.parametrize("rows", [3, 24])
def test_nfs_corners_and_lost_flag(tmp_path, rows):
    images(tmp_path / "airboard_1/30/airboard_1", 3, "{:05d}.jpg")
    lines = [f'0 10 20 40 60 {i} {int(i >= rows - rows // 3)} 0 0 "ball"\n' for i in range(rows)]
    text(tmp_path / "airboard_1/30/airboard_1.txt", "".join(lines))
    (sequence,) = open_dataset("nfs", tmp_path)
    np.testing.assert_array_equal(sequence.truth[0], [10, 20, 30, 40])
    assert sequence.absent.tolist() == [False, False, True]
    assert sequence.fps == 30


@pytest.mark.parametrize("kind", ["dtb70", "folder"])
def test_plain_folders(tmp_path, kind):
    images(tmp_path / "kite/img", 11, "img{}.png")
    text(tmp_path / "kite/groundtruth_rect.txt", "NaN,NaN,NaN,NaN\n" + "1.5,2,3,4\n" * 10)
    for path in (tmp_path, tmp_path / "kite"):
        (sequence,) = open_dataset(kind, path)
        assert sequence.name == "kite"
        assert sequence.start == 1
        assert sequence.frames[-1].name == "img11.png"
        assert sequence.truth[1, 0] == 1.5


def test_frames_without_boxes_are_left_out_with_a_warning(tmp_path):
    images(tmp_path / "kite/img", 5)
    text(tmp_path / "kite/groundtruth_rect.txt", THREE)
    with pytest.warns(UserWarning, match="last 2 of 5 frames"):
        (sequence,) = open_dataset("folder", tmp_path)
    assert len(sequence) == 3


@pytest.mark.parametrize(
    ("count", "truth", "message"),
    [
        (2, THREE, "3 boxes but only 2 frames"),
        (3, "0,0,0,0\n" * 3, "no box"),
        (3, "1,2,3\n", "line 1 has 3 numbers"),
        (0, THREE, "no images"),
    ],
)
def test_what_does_not_fit_is_named(tmp_path, count, truth, message):
    images(tmp_path / "kite/img", count)
    text(tmp_path / "kite/groundtruth_rect.txt", truth)
    with pytest.raises(DatasetError, match=message):
        open_dataset("folder", tmp_path)


@pytest.mark.parametrize("kind", KINDS)
def test_an_empty_folder_says_what_was_expected(tmp_path, kind):
    with pytest.raises(DatasetError, match="expected"):
        open_dataset(kind, tmp_path)


def test_unknown_kind_and_missing_folder(tmp_path):
    with pytest.raises(DatasetError, match="choose one of otb"):
        open_dataset("vot", tmp_path)
    with pytest.raises(DatasetError, match="no such folder"):
        open_dataset("otb", tmp_path / "nowhere")


def test_real_sequences(sequences_dir):
    found = open_dataset("folder", sequences_dir)
    assert len(found) == 14
    by_name = {sequence.name: sequence for sequence in found}
    assert by_name["tld_pedestrian3"].absent.sum() == 28
    assert by_name["vot_bag"].truth[0].tolist() == [292.23, 128.36, 145.96, 132.47]
    assert sum(len(sequence) for sequence in found) == 2192
