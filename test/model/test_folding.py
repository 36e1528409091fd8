# Copyright 2026 mixformer2_ros contributors
# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray

from mixformer2_ros.model.folding import fold, fold_to
from mixformer2_ros.model.state import expected_shapes
from mixformer2_ros.model.variants import Variant, narrowed

torch = pytest.importorskip("torch")

from mixformer2_ros.model import MixFormerV2  # noqa: E402
from mixformer2_ros.model.mixformerv2 import folded  # noqa: E402
from mixformer2_ros.training.widen import widen  # noqa: E402

WIDE = Variant(
    "wide", search_size=96, template_size=48, search_factor=4.0, depth=2, mlp_ratio=2,
    width=96, heads=6, bins=24,
)  # fmt: skip


@pytest.fixture
def random() -> np.random.Generator:
    return np.random.default_rng(0)


def network(variant: Variant, random: np.random.Generator) -> MixFormerV2:
    """A network of which no two channels are alike."""
    model = MixFormerV2(variant).eval()
    state = {
        name: torch.from_numpy(random.normal(0, 0.2, shape).astype(np.float32))
        for name, shape in expected_shapes(variant).items()
    }
    model.load_state_dict(state)
    return model


def arrays(model: MixFormerV2, dtype: type = np.float32) -> dict[str, NDArray]:
    return {name: values.numpy().astype(dtype) for name, values in model.state_dict().items()}


@pytest.mark.parametrize(("width", "mlp_ratio"), [(16, 4), (32, 3), (48, 1)])
def test_a_widened_network_folds_to_the_one_it_was_made_of(width, mlp_ratio, random):
    narrow = narrowed(WIDE, width, mlp_ratio)
    wide = widen(network(narrow, random), WIDE)
    variant, state = fold(WIDE, arrays(wide))
    assert variant == narrow
    assert {name: array.shape for name, array in state.items()} == expected_shapes(narrow)


def test_the_folded_network_computes_the_same(random):
    wide = widen(network(narrowed(WIDE, 32, 2), random), WIDE).eval()
    narrow = folded(wide)
    assert narrow.variant.width == 32
    images = [
        torch.from_numpy(random.normal(size=(2, 3, side, side)).astype(np.float32))
        for side in (48, 48, 96)
    ]
    with torch.inference_mode():
        expected, found = wide(*images), narrow(*images)
    torch.testing.assert_close(found.edges, expected.edges, atol=1e-5, rtol=0)
    torch.testing.assert_close(found.score, expected.score, atol=1e-4, rtol=1e-5)


def test_copies_stay_copies_in_half_precision(random):
    narrow = narrowed(WIDE, 32, 3)
    wide = widen(network(narrow, random), WIDE)
    variant, state = fold(WIDE, arrays(wide, np.float16))
    assert variant == narrow
    name = "backbone.blocks.1.attn.proj.weight"
    # A third of a weight has been rounded, so three of them are not quite the weight again.
    np.testing.assert_allclose(
        state[name].sum(axis=1), 3 * arrays(wide)[name][:32, :32].sum(axis=1), atol=5e-3
    )


def test_hidden_units_that_do_nothing_are_left_out_wherever_they_are(random):
    narrow = narrowed(WIDE, 32, 2)
    state = arrays(widen(network(narrow, random), WIDE))
    mlp = "backbone.blocks.0.mlp"
    order = random.permutation(2 * WIDE.width)
    for name in (f"{mlp}.fc1.weight", f"{mlp}.fc1.bias"):
        state[name] = state[name][order]
    state[f"{mlp}.fc2.weight"] = state[f"{mlp}.fc2.weight"][:, order]
    variant, folded_state = fold(WIDE, state)
    assert variant == narrow
    product = folded_state[f"{mlp}.fc2.weight"] @ folded_state[f"{mlp}.fc1.bias"]
    expected = (state[f"{mlp}.fc2.weight"] @ state[f"{mlp}.fc1.bias"])[:32]
    np.testing.assert_allclose(product, expected, atol=1e-4)


@pytest.mark.parametrize(
    "name",
    [
        "backbone.pos_embed_s",
        "backbone.patch_embed.proj.weight",
        "backbone.blocks.0.norm2.bias",
        "backbone.blocks.1.attn.qkv.weight",
        "backbone.blocks.1.mlp.fc2.weight",
        "score_head.layers.0.0.bias",
    ],
)
def test_one_weight_that_differs_between_copies_is_enough_to_leave_all_as_it_is(name, random):
    state = arrays(widen(network(narrowed(WIDE, 32, 2), random), WIDE))
    state[name] = state[name].copy()
    state[name].flat[0] += 1e-6
    variant, kept = fold(WIDE, state)
    assert variant is WIDE
    assert kept is state


def test_a_network_of_full_width_stays_itself(random):
    model = network(WIDE, random)
    assert folded(model) is model


def test_more_hidden_units_than_there_is_room_for_do_not_fold(random):
    state = arrays(widen(network(narrowed(WIDE, 32, 3), random), WIDE))
    assert fold_to(narrowed(WIDE, 32, 2), WIDE, state) is None
