# Copyright 2026 mixformer2_ros contributors
# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import argparse

import cv2
import numpy as np
import pytest

pytest.importorskip("torch", reason="needs the extra 'torch'")

import torch
from safetensors.torch import save_file

from mixformer2_ros.evaluation import inspection_command
from mixformer2_ros.evaluation.inspection import attention, inspect
from mixformer2_ros.inference import ModelError
from mixformer2_ros.inference.torch_engine import TorchEngine
from mixformer2_ros.sources import SourceFrame
from mixformer2_ros.tracking.tracker import Tracker

BOX = (60.0, 40.0, 40.0, 30.0)


def frames(count=4, truth=None):
    rng = np.random.default_rng(2)
    scene = cv2.resize(rng.integers(0, 256, (12, 16, 3), dtype=np.uint8), (200, 150))
    for i in range(count):
        yield SourceFrame(i, np.roll(scene, 3 * i, axis=1), i / 30, truth)


def pictures(variant):
    rng = np.random.default_rng(4)
    templates = rng.integers(0, 256, (2, *[variant.template_size] * 2, 3), dtype=np.uint8)
    return templates, rng.integers(0, 256, (*[variant.search_size] * 2, 3), dtype=np.uint8)


def test_attention_is_that_of_the_forward(rule_model, monkeypatch):
    model = rule_model("small")
    variant = model.variant
    templates, crop = pictures(variant)
    maps = attention(model, templates, crop)
    seen = []
    original = torch.nn.functional.scaled_dot_product_attention

    def witness(query, keys, values):
        weights = (query @ keys.transpose(-2, -1) / query.shape[-1] ** 0.5).softmax(-1)
        if keys.shape[2] > model.backbone.template_tokens:
            seen.append(weights.mean(dim=1)[0].numpy())
        return original(query, keys, values)

    monkeypatch.setattr(torch.nn.functional, "scaled_dot_product_attention", witness)
    mean, std = torch.tensor([0.485, 0.456, 0.406]), torch.tensor([0.229, 0.224, 0.225])
    images = [(torch.from_numpy(image) / 255 - mean) / std for image in (*templates, crop)]
    with torch.inference_mode():
        model(*[image.permute(2, 0, 1)[None] for image in images])

    assert len(seen) == variant.depth
    first, count = model.backbone.template_tokens, variant.search_tokens
    left, right, top, bottom = range(count, count + 4)
    for layer, weights in enumerate(seen):
        edges = weights[[left, top, right, bottom]]
        np.testing.assert_allclose(
            maps.edges_to_search[layer].reshape(4, -1), edges[:, first : first + count], atol=1e-6
        )
        np.testing.assert_allclose(
            maps.edges_to_templates[layer], edges[:, :first].sum(axis=1), atol=1e-6
        )
        of_search = weights[:count, :first]
        np.testing.assert_allclose(
            maps.search_to_templates[layer].reshape(-1), of_search.sum(axis=1), atol=1e-6
        )
        np.testing.assert_allclose(
            maps.templates_from_search[layer].reshape(-1), of_search.mean(axis=0), atol=1e-6
        )


def test_inspection_shows_what_the_tracker_really_did(rule_model):
    model = rule_model("small")
    found = list(inspect(model, frames(), BOX, {1, 3}))
    tracker = Tracker(TorchEngine(model, "cpu"))
    first, *rest = frames()
    tracker.init(first.image, BOX, first.time)
    results = [tracker.update(frame.image, frame.time) for frame in rest]
    assert [item.index for item in found] == [1, 3]
    for item in found:
        expected = results[item.index - 1]
        np.testing.assert_array_equal(item.result.box, expected.box)
        assert item.score == item.result.score == expected.score
        assert item.crop.shape == (224, 224, 3)
        assert item.templates.shape == (2, 112, 112, 3)
        np.testing.assert_allclose(item.edges.sum(axis=1), 1, atol=1e-5)
        assert item.attention.edges_to_search.shape == (4, 4, 14, 14)


def test_nothing_is_read_after_the_last_frame(rule_model):
    source = frames(10)
    list(inspect(rule_model("small"), source, BOX, {2}))
    assert next(source).index == 3


def test_frames_and_boxes_that_are_not_there_are_refused(rule_model):
    model = rule_model("small")
    with pytest.raises(ValueError, match="frame 9 does not exist"):
        list(inspect(model, frames(), BOX, {1, 9}))
    with pytest.raises(ValueError, match="name frames from 1 on"):
        list(inspect(model, frames(), BOX, {0}))
    with pytest.raises(ValueError, match="--box"):
        list(inspect(model, frames(), None, {1}))


def test_command_draws_the_frames_asked_for(rule_model, tmp_path, capsys):
    pytest.importorskip("matplotlib", reason="needs the extra 'report'")
    model = rule_model("small")
    save_file(model.state_dict(), tmp_path / "weights.safetensors")
    folder = tmp_path / "images"
    folder.mkdir()
    for frame in frames(3):
        cv2.imwrite(str(folder / f"{frame.index}.png"), frame.image)
    parser = argparse.ArgumentParser()
    inspection_command.add_arguments(parser)
    words = [str(folder), "2", "--box", "60,40,40,30", "--out", str(tmp_path / "out")]
    checkpoint = str(tmp_path / "weights.safetensors")

    args = parser.parse_args([*words, "--checkpoint", checkpoint])
    assert inspection_command.run(args) == 0

    (path,) = (tmp_path / "out").iterdir()
    assert path.name == "frame_000002.png"
    assert str(path) in capsys.readouterr().out
    picture = cv2.imread(str(path))
    assert picture.shape[0] > 1000
    assert picture.std() > 20
    with pytest.raises(ModelError, match="not a file"):
        inspection_command.run(parser.parse_args([*words, "--checkpoint", "missing.safetensors"]))
