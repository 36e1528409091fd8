# Copyright 2026 mixformer2_ros contributors
# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import cv2
import numpy as np
import pytest

from mixformer2_ros.inference.engine import Locations
from mixformer2_ros.model.variants import SMALL
from mixformer2_ros.precision.recording import collect_crops


class _Still:
    """An engine that sees the target where it was."""

    variant = SMALL
    description = "still"

    def encode_templates(self, templates, online_templates):
        return list(templates)

    def locate(self, memories, crops):
        count = len(crops)
        side = 1 / SMALL.search_factor
        return Locations(
            np.tile([0.5, 0.5, side, side], (count, 1)),
            np.full(count, 0.9),
            np.zeros((count, 4, SMALL.bins), np.float32),
        )


@pytest.fixture
def folder(tmp_path):
    """An image folder whose frames are told apart by their grey."""

    def make(name: str, frames: int, boxes: str = "") -> str:
        path = tmp_path / name
        path.mkdir()
        for i in range(frames):
            cv2.imwrite(str(path / f"{i}.png"), np.full((60, 80, 3), 10 * i, np.uint8))
        if boxes:
            (path / "groundtruth_rect.txt").write_text(boxes)
        return str(path)

    return make


def test_crops_are_those_of_the_tracker_spread_over_the_sources(folder):
    sources = [folder("a", 13, "20,20,16,16\n"), folder("b", 9, "30,20,12,12\n")]
    crops = collect_crops(_Still(), sources, 8)
    assert crops.searches.shape == (8, 224, 224, 3)
    assert crops.template_of.tolist() == [0, 0, 0, 0, 1, 1, 1, 1]
    assert crops.templates.shape == crops.online_templates.shape == (2, 112, 112, 3)
    middle = crops.searches[:, 112, 112, 0]
    assert middle[:4].tolist() == [30, 60, 90, 120]
    assert middle[4:].tolist() == [20, 40, 60, 80]
    assert crops.sources == tuple(sources)


def test_without_a_known_box_the_middle_of_the_image_is_followed(folder):
    crops = collect_crops(_Still(), [folder("a", 3)], 2)
    assert len(crops.searches) == 2


def test_a_single_image_is_refused(folder):
    with pytest.raises(ValueError, match="two or more"):
        collect_crops(_Still(), [folder("a", 1)], 1)


def test_each_source_must_give_a_crop():
    with pytest.raises(ValueError, match="at least one of each"):
        collect_crops(_Still(), ["scene:1", "scene:2"], 1)
