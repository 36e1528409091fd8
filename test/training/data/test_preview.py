# Copyright 2026 mixformer2_ros contributors
# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

from pathlib import Path

import cv2
import pytest
import torch

from mixformer2_ros.training.data.batch import Batch
from mixformer2_ros.training.data.preview import contact_sheet, main


def test_boxes_are_drawn_where_the_target_is_present():
    batch = Batch(
        torch.zeros(1, 2, 16, 16, 3, dtype=torch.uint8),
        torch.zeros(1, 2, 32, 32, 3, dtype=torch.uint8),
        torch.tensor([[[0.25, 0.25, 0.75, 0.5], [0.0, 0.0, 0.0, 0.0]]]),
        torch.tensor([[True, False]]),
    )
    sheet = contact_sheet(batch)
    assert sheet.shape == (36, 2 * 20 + 2 * 36, 3)
    first, second = sheet[:32, 40:72], sheet[:32, 76:108]
    assert (first[8, 8:24, 0] == 255).all()
    assert (first[15, 8:24, 0] == 255).all()
    assert not second.any()


def test_a_recipe_becomes_a_picture(tmp_path: Path):
    recipe = tmp_path / "recipe.json"
    recipe.write_text('{"data": {"sprites": 4, "backgrounds": 2, "scene_clips": 0}}')
    out = tmp_path / "sheet.png"
    assert main([str(recipe), str(out), "--samples", "2"]) == 0
    assert cv2.imread(str(out)).shape[0] == 2 * (224 + 4)


def test_what_cannot_be_read_is_said(tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    assert main([str(tmp_path / "none.yaml"), str(tmp_path / "sheet.png")]) == 2
    assert "none.yaml cannot be read" in capsys.readouterr().err
