# Copyright 2026 mixformer2_ros contributors
# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import numpy as np
import pytest

from mixformer2_ros.annotations import AnnotationError
from mixformer2_ros.splits import LASOT_TEST_NAMES
from mixformer2_ros.training.data.readers import KINDS, open_reader


def test_got10k_is_read_with_its_absences(sets, tmp_path):
    for root in (sets.got10k(tmp_path), tmp_path / "train"):
        reader = open_reader("got10k", root)
        assert len(reader) == 1
        track = reader[0]
        assert track.name == "GOT-10k_Train_000001"
        assert track.names[:2] == ["00000001.jpg", "00000002.jpg"]
        np.testing.assert_array_equal(track.boxes[4], sets.box_at(4))
        assert np.flatnonzero(~track.visible).tolist() == [5, 6]


def test_lasot_leaves_the_testing_list_out(sets, tmp_path):
    reader = open_reader("lasot", sets.lasot(tmp_path, ("airplane-1", "airplane-2", "airplane-3")))
    assert [reader[index].name for index in range(len(reader))] == ["airplane-2", "airplane-3"]
    assert np.flatnonzero(~reader[0].visible).tolist() == [3, 8, 9]
    assert reader[0].names[0] == "00000001.jpg"
    assert len(LASOT_TEST_NAMES) == 280


def test_trackingnet_is_read_from_all_its_chunks(sets, tmp_path):
    sets.trackingnet(tmp_path, ("abc_0", "abd_1"), chunk=0)
    sets.trackingnet(tmp_path, ("xyz_2",), chunk=10)
    sets.trackingnet(tmp_path, ("mno_0",), chunk=2)
    reader = open_reader("trackingnet", tmp_path)
    tracks = [reader[index] for index in range(len(reader))]
    assert [track.name for track in tracks] == ["abc_0", "abd_1", "mno_0", "xyz_2"]
    assert tracks[0].names == [f"{i}.jpg" for i in range(sets.FRAMES)]
    assert tracks[3].visible.all()


def test_coco_gives_every_object_but_crowds(sets, tmp_path):
    reader = open_reader("coco", sets.coco(tmp_path, ((20, 30, 50, 40), (90, 10, 20, 20))))
    assert len(reader) == 2
    track = reader[1]
    np.testing.assert_array_equal(track.boxes, [[90, 10, 20, 20]])
    image = track.read(0)
    assert image[15, 100, 0] < 100 < image[15, 100, 2]  # cyan in RGB


def test_coco_with_its_photographs_under_images(sets, tmp_path):
    sets.coco(tmp_path)
    (tmp_path / "images").mkdir()
    (tmp_path / "train2017").rename(tmp_path / "images" / "train2017")
    assert open_reader("coco", tmp_path)[0].read(0).shape == (120, 160, 3)


@pytest.mark.parametrize(
    ("line", "reason"),
    [
        ("nan,nan,nan,nan", "line 3.*is no box"),
        ("1,2,-3,4", "line 3.*is no box"),
        ("1,2,3", "line 3 has 3 numbers"),
        ("1,2,x,4", "'x'"),
        (None, "11 boxes and 12 labels for 12 frames"),
    ],
)
def test_a_bad_annotation_is_named(sets, tmp_path, line, reason):
    sets.got10k(tmp_path)
    truth = tmp_path / "train/GOT-10k_Train_000001/groundtruth.txt"
    lines = truth.read_text().splitlines()
    lines[2:3] = [] if line is None else [line]
    truth.write_text("\n".join(lines))
    with pytest.raises(AnnotationError, match=rf"groundtruth\.txt.*{reason}"):
        open_reader("got10k", tmp_path)[0]


def test_a_box_of_nothing_is_no_error_where_the_target_is_marked_as_absent(sets, tmp_path):
    sets.got10k(tmp_path)
    truth = tmp_path / "train/GOT-10k_Train_000001/groundtruth.txt"
    lines = truth.read_text().splitlines()
    lines[5] = "nan,nan,nan,nan"
    truth.write_text("\n".join(lines))
    assert not open_reader("got10k", tmp_path)[0].visible[5]


def test_missing_files_are_named(sets, tmp_path):
    sets.got10k(tmp_path, ("GOT-10k_Train_000001", "GOT-10k_Train_000002"))
    first, second = (tmp_path / f"train/GOT-10k_Train_00000{i}" for i in (1, 2))
    (first / "groundtruth.txt").unlink()
    for image in second.glob("*.jpg"):
        image.unlink()
    reader = open_reader("got10k", tmp_path)
    with pytest.raises(AnnotationError, match=r"000001/groundtruth\.txt: cannot be read"):
        reader[0]
    with pytest.raises(AnnotationError, match="000002: no images"):
        reader[1]


def test_unreadable_images_are_named(sets, tmp_path):
    track = open_reader("trackingnet", sets.trackingnet(tmp_path))[0]
    (track.images / "3.jpg").write_bytes(b"nothing")
    with pytest.raises(AnnotationError, match=r"abc_0/3\.jpg: no readable image"):
        track.read(3)


def test_coco_objects_without_a_box_are_named(sets, tmp_path):
    reader = open_reader("coco", sets.coco(tmp_path, ((1, 2, -3, 4), (1, 2, float("nan"), 4))))
    for index in (0, 1):
        with pytest.raises(AnnotationError, match=f"annotation {100 + index}.*no box"):
            reader[index]


def test_damaged_coco_instances_are_named(tmp_path):
    (tmp_path / "annotations").mkdir()
    (tmp_path / "annotations" / "instances_train2017.json").write_text('{"images": []}')
    with pytest.raises(AnnotationError, match=r"instances_train2017\.json: not the instances"):
        open_reader("coco", tmp_path)


@pytest.mark.parametrize("kind", KINDS)
def test_a_folder_of_something_else_is_refused_with_what_was_expected(tmp_path, kind):
    with pytest.raises(AnnotationError, match="expected"):
        open_reader(kind, tmp_path)
    with pytest.raises(AnnotationError, match="no such folder"):
        open_reader(kind, tmp_path / "elsewhere")


def test_unknown_kinds_are_refused(tmp_path):
    with pytest.raises(AnnotationError, match="choose one of got10k, lasot, trackingnet, coco"):
        open_reader("imagenet", tmp_path)
