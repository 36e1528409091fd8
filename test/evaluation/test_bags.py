# Copyright 2026 mixformer2_ros contributors
# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import argparse
import os
from dataclasses import replace

import cv2
import numpy as np
import pytest

pytest.importorskip("rosbags", reason="needs the extra 'bags'")

from mixformer2_ros.annotations import AnnotationError
from mixformer2_ros.evaluation.bag_evaluation import add_bag_arguments, parse_start, run_bag
from mixformer2_ros.evaluation.bag_maker import (
    DETECTION_TOPIC,
    FIRST_STAMP_NS,
    FRAME_ID,
    make_bag,
    new_bag,
)
from mixformer2_ros.evaluation.bag_messages import COMPRESSED_IMAGE, BagError
from mixformer2_ros.evaluation.bag_reader import BagReader
from mixformer2_ros.evaluation.bag_truth import read_truth
from mixformer2_ros.evaluation.bags import Start, read_bag_image, track_bag
from mixformer2_ros.evaluation.datasets import make_sequence
from mixformer2_ros.inference.engine import Locations
from mixformer2_ros.model.variants import SMALL
from mixformer2_ros.sources import SourceFrame
from mixformer2_ros.tracking.config import TrackerConfig
from mixformer2_ros.tracking.tracker import Tracker
from mixformer2_ros.tracking.types import TargetState

RATE = 20.0
COUNT = 12
HIDDEN = (7, 8)


class RedEngine:
    """Finds the red blob of a search crop."""

    variant = SMALL
    description = "red blobs"

    def encode_templates(self, templates, online_templates):
        return [None] * len(templates)

    def locate(self, memories, crops):
        boxes, scores = zip(*map(self._find, crops), strict=True)
        edges = np.full((len(crops), 4, SMALL.bins), 1 / SMALL.bins, np.float32)
        return Locations(np.array(boxes), np.array(scores), edges)

    @staticmethod
    def _find(image):
        red = (image[..., 0] > 150) & (image[..., 1] < 100)
        if red.sum() < 50:
            return (0.5, 0.5, 0.2, 0.2), 0.05
        x, y, w, h = (v / SMALL.search_size for v in cv2.boundingRect(red.astype(np.uint8)))
        return (x + w / 2, y + h / 2, w, h), 0.9


class Echo:
    """A tracker that takes RGB arrays and remembers what it was given."""

    def __init__(self):
        self.means = []

    def init(self, image, box):
        self.box = box
        self.means.append(image.mean())

    def update(self, image):
        self.means.append(image.mean())
        return self.box if len(self.means) % 2 else None


def tracker():
    return Tracker(RedEngine(), TrackerConfig())


def box_at(i):
    return np.array([30.0 + 4 * i, 40.0 + i, 36.0, 24.0])


def frames():
    for i in range(COUNT):
        noise = np.random.default_rng(i).integers(60, 120, (120, 160, 3), dtype=np.uint8)
        truth = np.full(4, np.nan)
        if i not in HIDDEN:
            truth = box_at(i)
            x, y, w, h = truth.astype(int)
            noise[y : y + h, x : x + w] = (220, 40, 30)
        yield SourceFrame(i, noise, i / RATE, truth)


def run(path, make=tracker, start=None, truth="/truth"):
    with BagReader(path) as bag:
        found = None if truth is None else read_truth(bag, truth)
        return track_bag(bag, bag.image_topic(None), make(), start, found), bag.warnings


@pytest.fixture
def bag_path(tmp_path):
    make_bag(frames(), tmp_path / "bag")
    return tmp_path / "bag"


def test_boxes_follow_the_target_at_the_stamps_of_the_images(bag_path):
    result, warnings = run(bag_path)
    assert warnings == []
    expected = [FIRST_STAMP_NS + round(i / RATE * 1e9) for i in range(COUNT)]
    assert result.stamps.tolist() == expected
    assert result.frame_ids == [FRAME_ID] * COUNT
    assert result.result.frame_size == (160, 120)
    seen = [i for i in range(COUNT) if i not in HIDDEN]
    truth = np.stack([box_at(i) for i in seen])
    np.testing.assert_allclose(result.result.boxes[seen], truth, atol=1.0)
    np.testing.assert_array_equal(result.truth[seen], truth)
    assert np.isnan(result.truth[list(HIDDEN)]).all()
    assert result.labelled.all()
    assert set(result.result.states[list(HIDDEN)]) == {TargetState.UNCERTAIN}


def test_the_same_bag_twice_gives_identical_boxes(bag_path):
    one, two = (run(bag_path)[0] for _ in range(2))
    np.testing.assert_array_equal(one.result.boxes, two.result.boxes)
    np.testing.assert_array_equal(one.result.scores, two.result.scores)


def test_storage_and_lossless_compression_change_nothing(bag_path, tmp_path):
    expected = run(bag_path)[0].result
    for storage, compressed in (("sqlite3", None), ("mcap", "png"), ("sqlite3", "png")):
        path = tmp_path / f"{storage}_{compressed}"
        make_bag(frames(), path, storage, compressed)
        found = run(path)[0].result
        np.testing.assert_array_equal(found.boxes, expected.boxes)
        np.testing.assert_array_equal(found.scores, expected.scores)
        np.testing.assert_array_equal(found.states, expected.states)


def test_other_trackers_get_rgb_arrays(bag_path):
    echo = Echo()
    result, _ = run(bag_path, lambda: echo)
    np.testing.assert_array_equal(echo.means, [frame.image.mean() for frame in frames()])
    np.testing.assert_array_equal(np.isnan(result.result.boxes[:, 0]), np.arange(COUNT) % 2 == 1)
    assert (result.result.states[1:] == -1).all()


def test_start_at_a_stamp_without_truth(bag_path):
    stamp = FIRST_STAMP_NS + round(3 / RATE * 1e9)
    result, _ = run(bag_path, start=Start(tuple(box_at(3)), stamp), truth=None)
    assert len(result.stamps) == COUNT - 3
    assert result.stamps[0] == stamp
    np.testing.assert_array_equal(result.result.boxes[0], box_at(3))
    assert not result.labelled.any()


def test_a_start_after_the_end_is_an_error(bag_path):
    with pytest.raises(BagError, match="or a later one"):
        run(bag_path, start=Start((1, 2, 30, 30), FIRST_STAMP_NS * 2), truth=None)


def test_truth_from_files(bag_path, tmp_path):
    boxes = [frame.truth for frame in frames()]
    plain, stamped = tmp_path / "boxes.txt", tmp_path / "stamped.txt"
    plain.write_text("\n".join(",".join(map(str, box)) for box in boxes[:10]))
    lines = [f"{1000 + i / RATE},{','.join(map(str, box))}" for i, box in enumerate(boxes)]
    stamped.write_text("\n".join(lines[::2]))
    by_line, by_stamp = (run(bag_path, truth=str(file))[0] for file in (plain, stamped))
    np.testing.assert_array_equal(by_line.truth[:10], boxes[:10])
    assert by_line.labelled.tolist() == [True] * 10 + [False] * 2
    np.testing.assert_array_equal(by_stamp.truth[::2], boxes[::2])
    assert by_stamp.labelled.tolist() == [True, False] * 6


def test_truth_that_is_not_there_is_an_error(bag_path, tmp_path):
    with pytest.raises(BagError, match=r"has no topic '/nothing'(.|\n)*/truth"):
        run(bag_path, truth="/nothing")
    bad = tmp_path / "bad.txt"
    bad.write_text("1,2,3\n")
    with pytest.raises(AnnotationError, match="3 numbers"):
        run(bag_path, truth=str(bad))
    elsewhere = tmp_path / "elsewhere.txt"
    elsewhere.write_text("5,1,2,3,4\n")
    with pytest.raises(BagError, match="no image on /image with a visible true box"):
        run(bag_path, truth=str(elsewhere))


def test_damaged_compressed_images_are_left_out_and_counted(tmp_path):
    make_bag(frames(), tmp_path / "good", compressed="png")
    with BagReader(tmp_path / "good") as bag:
        messages = [message for _, message in bag._messages("/image/compressed")]
    for i in (0, 5):
        data = messages[i].data.copy()
        data[60:90] ^= 255
        messages[i] = replace(messages[i], data=data)
    with new_bag(tmp_path / "bad") as bag:
        for i, message in enumerate(messages):
            bag.write("/image/compressed", COMPRESSED_IMAGE, i + 1, message)
    result, warnings = run(tmp_path / "bad", start=Start(tuple(box_at(1))), truth=None)
    assert len(result.stamps) == COUNT - 2
    np.testing.assert_allclose(result.result.boxes[-1], box_at(COUNT - 1), atol=1.0)
    assert warnings[0].startswith("2 messages of /image/compressed could not be read")


def test_a_truncated_bag_gives_the_boxes_of_what_is_left(tmp_path):
    big = [replace(f, image=np.repeat(np.repeat(f.image, 4, 0), 4, 1)) for f in frames()]
    make_bag(big, tmp_path / "bag")
    file = tmp_path / "bag" / "bag.mcap"
    os.truncate(file, file.stat().st_size * 2 // 3)
    box = tuple(4 * box_at(0))
    result, warnings = run(tmp_path / "bag", start=Start(box), truth=None)
    assert 5 <= len(result.stamps) < COUNT
    assert "damaged" in warnings[0]


@pytest.mark.parametrize(
    ("text", "box", "stamp"),
    [
        ("1,2.5,30,40", (1, 2.5, 30, 40), None),
        ("1,2,3,4@1700000000.123456789", (1, 2, 3, 4), 1_700_000_000_123_456_789),
    ],
)
def test_start_is_read_exactly(text, box, stamp):
    assert parse_start(text) == Start(box, stamp)


@pytest.mark.parametrize("text", ["1,2,3", "1,2,3,x", "1,2,0,4", "1,2,3,nan", "1,2,3,4@noon"])
def test_bad_starts_are_refused(text):
    with pytest.raises(argparse.ArgumentTypeError):
        parse_start(text)


def arguments(*words):
    parser = argparse.ArgumentParser()
    add_bag_arguments(parser)
    return parser.parse_args(words)


def test_command_writes_detections_at_the_stamps_of_the_images(bag_path, tmp_path, capsys):
    out = tmp_path / "out"
    args = arguments("--bag", str(bag_path), "--truth", "/truth", "--output-bag", str(out))
    result = run_bag(args, tracker())
    assert "12 detections" in capsys.readouterr().out
    with BagReader(out) as bag:
        boxes = bag.boxes(DETECTION_TOPIC)
    assert list(boxes) == result.stamps.tolist()
    np.testing.assert_allclose(np.stack(list(boxes.values())), result.result.boxes, atol=1e-9)
    with pytest.raises(BagError, match="exists already"):
        run_bag(args, tracker())


def test_a_lost_target_is_silence_in_the_output_bag(bag_path, tmp_path):
    quick = Tracker(RedEngine(), TrackerConfig(lost_timeout=0.0))
    out = tmp_path / "out"
    args = arguments("--bag", str(bag_path), "--truth", "/truth", "--output-bag", str(out))
    result = run_bag(args, quick)
    believed = result.stamps[result.result.states != TargetState.LOST]
    assert len(believed) < COUNT
    with BagReader(out) as bag:
        assert list(bag.boxes(DETECTION_TOPIC)) == believed.tolist()


def test_command_says_what_is_missing(bag_path, tmp_path, capsys):
    with pytest.raises(BagError, match="where is the target"):
        run_bag(arguments("--bag", str(bag_path)), tracker())
    plain = tmp_path / "boxes.txt"
    plain.write_text(",".join(map(str, box_at(0))))
    run_bag(arguments("--bag", str(bag_path), "--truth", str(plain)), tracker())
    assert "11 of 12 images have no truth and are not scored" in capsys.readouterr().out


def test_an_image_of_a_bag_is_found_by_its_stamp(bag_path):
    stamp = FIRST_STAMP_NS + round(4 / RATE * 1e9)
    truth = np.stack([box_at(i) for i in range(2)])
    sequence = make_sequence("bag", [bag_path / str(s) for s in (stamp, stamp + 1)], truth)
    np.testing.assert_array_equal(read_bag_image(None, sequence, 0), list(frames())[4].image)
    assert read_bag_image("/image", sequence, 1) is None
