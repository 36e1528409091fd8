# Copyright 2026 mixformer2_ros contributors
# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import os
from dataclasses import replace

import numpy as np
import pytest

pytest.importorskip("rosbags", reason="needs the extra 'bags'")

from rosbags.rosbag2 import CompressionFormat, CompressionMode, StoragePlugin, Writer
from rosbags.typesys import Stores, get_typestore

from mixformer2_ros.evaluation.bag_maker import Channels, make_bag
from mixformer2_ros.evaluation.bag_messages import (
    COMPRESSED_IMAGE,
    DETECTION,
    DETECTIONS,
    IMAGE,
    BagError,
    detection,
    header,
    message_types,
)
from mixformer2_ros.evaluation.bag_reader import BagReader
from mixformer2_ros.sources import SourceFrame

TYPES = message_types()


def frames(count=6, height=24, width=32):
    rng = np.random.default_rng(5)
    for i in range(count):
        image = rng.integers(0, 256, (height, width, 3), dtype=np.uint8)
        yield SourceFrame(i, image, i / 10, np.array([1.0 + i, 2, 8, 6]))


def image_message(stamp_ns, value=7, types=TYPES, **fields):
    values = {
        "header": header(types, stamp_ns, "camera"),
        "height": 4,
        "width": 5,
        "encoding": "mono8",
        "is_bigendian": 0,
        "step": 5,
        "data": np.full(20, value, np.uint8),
    }
    return types.types[IMAGE](**(values | fields))


def write(path, messages, compression=CompressionMode.NONE, types=TYPES):
    """Write (topic, type, received ns, message) rows."""
    writer = Writer(path, version=8, storage_plugin=StoragePlugin.MCAP)
    writer.set_compression(compression, CompressionFormat.ZSTD)
    with writer:
        channels = Channels(writer, types)
        for row in messages:
            channels.write(*row)


def values(bag, topic="/image"):
    return [int(image.frame.region(0, 0, 1, 1).flat[0]) for image in bag.images(topic)]


def read_images(path):
    with BagReader(path) as bag:
        return list(bag.images("/image"))


@pytest.mark.parametrize("mode", list(CompressionMode))
def test_compressed_bags_read_like_plain_ones(tmp_path, mode):
    rows = [("/image", IMAGE, i + 1, image_message(i + 1, i)) for i in range(5)]
    write(tmp_path / "bag", rows, mode)
    with BagReader(tmp_path / "bag") as bag:
        assert values(bag) == [0, 1, 2, 3, 4]
        assert bag.warnings == []


@pytest.mark.parametrize("storage", ["mcap", "sqlite3"])
def test_a_single_file_of_a_bag_is_enough(tmp_path, storage):
    make_bag(frames(), tmp_path / "bag", storage)
    suffix = {"mcap": "mcap", "sqlite3": "db3"}[storage]
    with BagReader(tmp_path / "bag" / f"bag.{suffix}") as bag:
        assert len(list(bag.images("/image"))) == 6
        assert bag.warnings == []
    (tmp_path / "bag" / "metadata.yaml").unlink()
    with BagReader(tmp_path / "bag") as bag:
        assert len(list(bag.images("/image"))) == 6
        assert len(bag.boxes("/truth")) == 6
        assert "no metadata.yaml" in bag.warnings[0]


def test_bags_without_definitions_are_read_by_the_standard_ones(tmp_path):
    """Humble writes no message definitions into sqlite3."""
    import sqlite3

    make_bag(frames(), tmp_path / "bag", "sqlite3")
    database = sqlite3.connect(tmp_path / "bag" / "bag.db3")
    with database:
        database.execute("DELETE FROM message_definitions")
    database.close()
    with BagReader(tmp_path / "bag") as bag:
        assert len(list(bag.images("/image"))) == 6
        np.testing.assert_array_equal(list(bag.boxes("/truth").values())[1], [2, 2, 8, 6])


@pytest.mark.parametrize(
    "store", [store for store in Stores if store.name.startswith("ROS2")], ids=str
)
def test_images_of_every_distribution_are_read(tmp_path, store):
    types = get_typestore(store)
    rows = [("/image", IMAGE, 5, image_message(5, types=types))]
    write(tmp_path / "bag", rows, types=types)
    with BagReader(tmp_path / "bag") as bag:
        assert values(bag) == [7]


def test_a_missing_topic_lists_what_there_is(tmp_path):
    make_bag(frames(), tmp_path / "bag")
    with BagReader(tmp_path / "bag") as bag:
        with pytest.raises(BagError, match=r"'/camera'(.|\n)*/image \(sensor_msgs/msg/Image, 6"):
            bag.image_topic("/camera")
        with pytest.raises(BagError, match="type vision_msgs/msg/Detection2D, not sensor_msgs"):
            bag.image_topic("/truth")
        with pytest.raises(BagError, match=r"'/nothing'(.|\n)*/truth"):
            bag.boxes("/nothing")


def test_two_image_topics_have_to_be_told_apart(tmp_path):
    rows = [(topic, IMAGE, 1, image_message(1)) for topic in ("/left", "/right")]
    write(tmp_path / "bag", rows)
    with BagReader(tmp_path / "bag") as bag:
        with pytest.raises(BagError, match="2 image topics: choose one with --image-topic"):
            bag.image_topic(None)
        assert bag.image_topic("/left") == "/left"


def test_frames_out_of_order_are_left_out_and_counted(tmp_path):
    stamps = [10, 20, 15, 30, 30, 40]
    rows = [("/image", IMAGE, 100 + i, image_message(s, i)) for i, s in enumerate(stamps)]
    write(tmp_path / "bag", rows)
    with BagReader(tmp_path / "bag") as bag:
        assert values(bag) == [0, 1, 3, 5]
        (warning,) = bag.warnings
    assert warning.startswith("2 images of /image are not newer")


def test_unreadable_images_are_left_out_and_counted(tmp_path):
    rows = [
        ("/image", IMAGE, 1, image_message(1, 0)),
        ("/image", IMAGE, 2, image_message(2, 1, encoding="nonsense")),
        ("/image", IMAGE, 3, image_message(3, 2, data=np.zeros(3, np.uint8))),
        ("/image", IMAGE, 4, image_message(4, 3)),
    ]
    write(tmp_path / "bag", rows)
    with BagReader(tmp_path / "bag") as bag:
        assert values(bag) == [0, 3]
        (warning,) = bag.warnings
    assert warning.startswith("2 messages of /image could not be read")
    assert "nonsense" in warning


def test_without_header_stamps_the_times_of_reception_count(tmp_path):
    rows = [("/image", IMAGE, 50 + i, image_message(0)) for i in range(3)]
    write(tmp_path / "bag", rows)
    with BagReader(tmp_path / "bag") as bag:
        assert [image.stamp_ns for image in bag.images("/image")] == [50, 51, 52]


def test_truth_may_be_an_array_and_absent(tmp_path):
    heads = [header(TYPES, stamp, "") for stamp in (1, 2)]
    present = detection(TYPES, heads[0], [1, 2, 3, 4])
    rows = [
        ("/a", DETECTIONS, 1, TYPES.types[DETECTIONS](header=heads[0], detections=[present])),
        ("/a", DETECTIONS, 2, TYPES.types[DETECTIONS](header=heads[1], detections=[])),
        ("/b", DETECTION, 3, detection(TYPES, heads[1], [np.nan] * 4)),
    ]
    write(tmp_path / "bag", rows)
    with BagReader(tmp_path / "bag") as bag:
        boxes = bag.boxes("/a")
        np.testing.assert_array_equal(boxes[1], [1, 2, 3, 4])
        assert np.isnan(boxes[2]).all()
        assert np.isnan(bag.boxes("/b")[2]).all()


def test_an_empty_truth_topic_is_an_error(tmp_path):
    writer = Writer(tmp_path / "bag", version=8)
    with writer:
        writer.add_connection("/truth", DETECTION, typestore=TYPES)
    with BagReader(tmp_path / "bag") as bag, pytest.raises(BagError, match="has no messages"):
        bag.boxes("/truth")


@pytest.mark.parametrize(("storage", "suffix"), [("mcap", "mcap"), ("sqlite3", "db3")])
def test_a_truncated_bag_gives_what_is_left(tmp_path, storage, suffix):
    # The writer's chunks hold 1 MiB: two images each, so that the first half has whole ones.
    make_bag(frames(8, height=480, width=640), tmp_path / "bag", storage)
    file = tmp_path / "bag" / f"bag.{suffix}"
    os.truncate(file, file.stat().st_size // 2)
    with BagReader(tmp_path / "bag") as bag:
        images = list(bag.images("/image"))
        assert any("damaged" in warning for warning in bag.warnings)
    assert 2 <= len(images) <= 4
    for source, image in zip(frames(8, height=480, width=640), images, strict=False):
        np.testing.assert_array_equal(image.frame.region(0, 0, 640, 480), source.image)


def test_a_bag_damaged_in_the_middle_gives_what_comes_before(tmp_path):
    make_bag(frames(8, height=480, width=640), tmp_path / "bag", "mcap")
    file = tmp_path / "bag" / "bag.mcap"
    data = bytearray(file.read_bytes())
    middle = len(data) // 2
    data[middle : middle + 4000] = os.urandom(4000)
    file.write_bytes(data)
    with BagReader(tmp_path / "bag") as bag:
        assert 2 <= len(list(bag.images("/image"))) <= 8


@pytest.mark.parametrize("content", [b"", b"no bag at all" * 100])
@pytest.mark.parametrize("name", ["bag.mcap", "bag.db3", "bag.txt"])
def test_what_is_not_a_bag_is_refused_with_a_cure(tmp_path, name, content):
    (tmp_path / name).write_bytes(content)
    with pytest.raises(BagError, match=r"cannot be read as a bag|bag is empty"):
        read_images(tmp_path / name)


def test_missing_and_empty_folders_are_refused(tmp_path):
    with pytest.raises(BagError, match="does not exist"):
        BagReader(tmp_path / "nowhere")
    with pytest.raises(BagError, match=r"neither metadata\.yaml nor"):
        BagReader(tmp_path)


def test_damaged_compressed_images_are_found_when_they_are_decoded(tmp_path):
    make_bag(frames(2), tmp_path / "bag", compressed="png")
    with BagReader(tmp_path / "bag") as bag:
        message = next(bag._messages("/image/compressed"))[1]
    data = message.data.copy()
    data[60:80] ^= 255
    rows = [("/image/compressed", COMPRESSED_IMAGE, 1, replace(message, data=data))]
    write(tmp_path / "damaged", rows)
    with BagReader(tmp_path / "damaged") as bag:
        (image,) = bag.images("/image/compressed")
        with pytest.raises(ValueError, match="damaged"):
            image.frame.region(0, 0, 4, 4)
