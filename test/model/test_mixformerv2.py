# Copyright 2026 mixformer2_ros contributors
# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import json

import numpy as np
import pytest

torch = pytest.importorskip("torch")

from mixformer2_ros.model import FastMixFormerV2, build_model  # noqa: E402
from mixformer2_ros.model.variants import IMAGE_MEAN, IMAGE_STD  # noqa: E402


def normalise(crops: np.ndarray) -> torch.Tensor:
    """Crops (B, H, W, 3) uint8 to the published network's float input."""
    scaled = (crops / 255.0 - IMAGE_MEAN) / IMAGE_STD
    return torch.from_numpy(scaled.astype(np.float32)).permute(0, 3, 1, 2)


def random_crops(variant, batch: int, seed: int = 0) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    sides = (variant.template_size, variant.template_size, variant.search_size)
    return tuple(rng.integers(0, 256, (batch, side, side, 3), dtype=np.uint8) for side in sides)


@pytest.fixture(scope="module")
def golden(golden_dir, variant_name):
    return np.load(golden_dir / f"forward_{variant_name}.npz")


def golden_crops(golden) -> list[np.ndarray]:
    return [golden[name][None] for name in ("template", "online_template", "search")]


def test_parameters_are_those_of_the_published_checkpoints(golden_dir, variant_name):
    expected = json.loads((golden_dir / "checkpoint_keys.json").read_text())[variant_name]
    actual = {
        key: list(value.shape) for key, value in build_model(variant_name).state_dict().items()
    }
    assert actual == expected


def test_full_forward_equals_the_published_network(golden, rule_model, variant_name):
    model = rule_model(variant_name)
    inputs = [normalise(crops) for crops in golden_crops(golden)]
    with torch.inference_mode():
        outputs = model.backbone(*inputs)
        prediction = model(*inputs)
    np.testing.assert_allclose(outputs[-1][0, -4:], golden["reg_tokens"], atol=1e-4)
    for block, name in ((0, "first_block"), (-1, "last_block")):
        np.testing.assert_allclose(outputs[block][0, ::37, ::7], golden[name], atol=1e-4)
    for edge, name in (("left", "l"), ("top", "t"), ("right", "r"), ("bottom", "b")):
        np.testing.assert_allclose(getattr(prediction, edge)[0], golden[f"prob_{name}"], atol=1e-4)
    np.testing.assert_allclose(prediction.box[0], golden["pred_boxes_cxcywh"], atol=1e-4)
    np.testing.assert_allclose(prediction.score[0], golden["score_logit"][0], atol=1e-4)


@pytest.mark.parametrize("targets", [1, 3])
def test_fast_forward_equals_full_forward(rule_model, variant_name, targets):
    model = rule_model(variant_name)
    crops = random_crops(model.variant, targets)
    with torch.inference_mode():
        full = model(*[normalise(part) for part in crops])
    fast = FastMixFormerV2(model)
    template, online, search = (torch.from_numpy(part) for part in crops)
    located = fast.locate(fast.encode_templates(template, online), search)
    torch.testing.assert_close(located.edges, full.edges, atol=1e-4, rtol=0)
    torch.testing.assert_close(located.box, full.box, atol=1e-4, rtol=0)
    torch.testing.assert_close(located.score, full.score, atol=1e-4, rtol=0)
