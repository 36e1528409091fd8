# Copyright 2026 mixformer2_ros contributors
# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import argparse
import math

import cv2
import numpy as np
import pytest

pytest.importorskip("rosbags", reason="needs the extra 'bags'")

from rosbags.highlevel import AnyReader

from mixformer2_ros.evaluation import bag_command
from mixformer2_ros.evaluation.bag_maker import (
    CAMERA_INFO_TOPIC,
    FIRST_STAMP_NS,
    FRAME_ID,
    TRUTH_TOPIC,
    make_bag,
)
from mixformer2_ros.evaluation.bag_messages import BagError
from mixformer2_ros.evaluation.bag_reader import BagReader
from mixformer2_ros.sources import SourceFrame

HEIGHT, WIDTH = 36, 48


def frames(count=5, truth=True):
    rng = np.random.default_rng(3)
    for i in range(count):
        image = rng.integers(0, 256, (HEIGHT, WIDTH, 3), dtype=np.uint8)
        box = np.array([2.25 + i, 3.5, 10.0, 8.0]) if i != 2 else np.full(4, np.nan)
        yield SourceFrame(i, image, i / 30, box if truth else None)


def pixels(image):
    frame = image.frame
    return frame.to_rgb(frame.region(0, 0, frame.width, frame.height))


@pytest.mark.parametrize("storage", ["mcap", "sqlite3"])
@pytest.mark.parametrize("compressed", [None, "png"])
def test_images_stamps_and_truth_come_back_exactly(tmp_path, storage, compressed):
    assert make_bag(frames(), tmp_path / "bag", storage, compressed) == 5
    with BagReader(tmp_path / "bag") as bag:
        topic = bag.image_topic(None)
        assert topic == ("/image" if compressed is None else "/image/compressed")
        images = list(bag.images(topic))
        truth = bag.boxes(TRUTH_TOPIC)
        assert bag.warnings == []
    for source, image in zip(frames(), images, strict=True):
        np.testing.assert_array_equal(pixels(image), source.image)
        assert image.stamp_ns == FIRST_STAMP_NS + round(source.index * 1e9 / 30)
        np.testing.assert_array_equal(truth[image.stamp_ns], source.truth)


def test_jpeg_images_are_close_and_small(tmp_path):
    smooth = cv2.resize(np.arange(48, dtype=np.uint8).reshape(4, 4, 3) * 5, (320, 240))
    make_bag([SourceFrame(0, smooth, 0.0, None)], tmp_path / "bag", compressed="jpeg")
    with BagReader(tmp_path / "bag") as bag:
        (image,) = bag.images("/image/compressed")
    assert np.abs(pixels(image).astype(int) - smooth).max() <= 8
    assert image.frame.nbytes < smooth.nbytes / 10


def test_the_same_source_makes_the_same_file(tmp_path):
    for name in ("one", "two"):
        make_bag(frames(), tmp_path / name / "bag")
    one, two = (tmp_path / name / "bag" / "bag.mcap" for name in ("one", "two"))
    assert one.read_bytes() == two.read_bytes()


def camera_info(path):
    with AnyReader([path]) as reader:
        connections = [item for item in reader.connections if item.topic == CAMERA_INFO_TOPIC]
        ((connection, _, data),) = reader.messages(connections)
        return reader.deserialize(data, connection.msgtype)


def test_camera_info_is_the_pinhole_of_the_field_of_view(tmp_path):
    make_bag(frames(1), tmp_path / "bag", field_of_view=90.0)
    info = camera_info(tmp_path / "bag")
    assert (info.height, info.width) == (HEIGHT, WIDTH)
    assert info.header.frame_id == FRAME_ID
    assert math.isclose(info.k[0], WIDTH / 2)
    assert list(info.k[[2, 5, 8]]) == [(WIDTH - 1) / 2, (HEIGHT - 1) / 2, 1]
    assert list(info.p[[0, 2, 3]]) == [info.k[0], info.k[2], 0]
    assert not info.d.any()


def test_an_unknown_field_of_view_is_an_uncalibrated_camera(tmp_path):
    make_bag(frames(1), tmp_path / "bag")
    info = camera_info(tmp_path / "bag")
    assert info.width == WIDTH
    assert not info.k.any()
    assert not info.p.any()


def test_without_truth_there_is_no_truth_topic(tmp_path):
    make_bag(frames(truth=False), tmp_path / "bag")
    with BagReader(tmp_path / "bag") as bag:
        assert set(bag.topics) == {"/image", CAMERA_INFO_TOPIC}


def test_an_existing_folder_is_left_alone(tmp_path):
    (tmp_path / "bag").mkdir()
    with pytest.raises(BagError, match="exists already"):
        make_bag(frames(), tmp_path / "bag")


def test_a_failing_source_leaves_nothing_behind(tmp_path):
    def broken():
        yield from frames(2)
        raise OSError("unplugged")

    with pytest.raises(OSError, match="unplugged"):
        make_bag(broken(), tmp_path / "bag")
    with pytest.raises(BagError, match="no frames"):
        make_bag([], tmp_path / "bag")
    assert not (tmp_path / "bag").exists()


def test_command_makes_a_bag_of_an_annotated_sequence(tmp_path, capsys):
    (tmp_path / "seq" / "img").mkdir(parents=True)
    for frame in frames(3):
        path = tmp_path / "seq" / "img" / f"{frame.index:04d}.png"
        cv2.imwrite(str(path), cv2.cvtColor(frame.image, cv2.COLOR_RGB2BGR))
    boxes = "\n".join(",".join(map(str, frame.truth)) for frame in frames(3))
    (tmp_path / "seq" / "groundtruth_rect.txt").write_text(boxes)
    parser = argparse.ArgumentParser()
    bag_command.add_arguments(parser)
    args = ["make", str(tmp_path / "seq"), str(tmp_path / "bag"), "--storage", "sqlite3"]

    assert bag_command.run(parser.parse_args([*args, "--rate", "10"])) == 0

    assert "3 frames" in capsys.readouterr().out
    with BagReader(tmp_path / "bag") as bag:
        stamps = [image.stamp_ns for image in bag.images("/image")]
        truth = bag.boxes(TRUTH_TOPIC)
    assert np.diff(stamps).tolist() == [100_000_000] * 2
    np.testing.assert_array_equal([truth[s] for s in stamps], [f.truth for f in frames(3)])
