# Copyright 2026 mixformer2_ros contributors
# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import numpy as np
import pytest

torch = pytest.importorskip("torch")

from mixformer2_ros.model.backbone import Block, sincos_position_embedding  # noqa: E402


@pytest.mark.parametrize(("name", "grid"), [("base_search", 18), ("base_template", 8)])
def test_position_embeddings_equal_the_published_ones(golden_dir, name, grid):
    expected = np.load(golden_dir / "pos_embed.npz")[name]
    embedding = sincos_position_embedding(768, grid)[0].numpy()
    step = 5 if name == "base_search" else 3
    np.testing.assert_allclose(embedding[::step, ::8], expected, atol=1e-6)


def test_position_embedding_puts_the_column_first():
    embedding = sincos_position_embedding(16, 3)[0].reshape(3, 3, 16)
    assert torch.equal(embedding[0, 1, 8:], embedding[0, 2, 8:])  # same row, other column
    assert torch.equal(embedding[1, 0, :8], embedding[2, 0, :8])  # same column, other row
    assert not torch.equal(embedding[0, 1, :8], embedding[0, 2, :8])


def test_templates_never_see_the_search():
    torch.manual_seed(0)
    block = Block(width=32, heads=4, mlp_ratio=2).eval()
    templates = torch.randn(1, 6, 32)
    outputs = [
        block(torch.cat([templates, torch.randn(1, 9, 32)], dim=1), template_tokens=6)[:, :6]
        for _ in range(2)
    ]
    torch.testing.assert_close(outputs[0], outputs[1])
    torch.testing.assert_close(block.encode(templates)[0], outputs[0])


def test_search_sees_both_templates():
    torch.manual_seed(0)
    block = Block(width=32, heads=4, mlp_ratio=2).eval()
    tokens = torch.randn(1, 15, 32)
    changed = tokens.clone()
    changed[:, 5] = torch.randn(32)  # one token of the second template
    assert not torch.allclose(block(tokens, 6)[:, 6:], block(changed, 6)[:, 6:])


def test_reduced_last_block_equals_the_rows_of_the_full_one():
    torch.manual_seed(0)
    block = Block(width=32, heads=4, mlp_ratio=2).eval()
    tokens = torch.randn(2, 15, 32)
    full = block(tokens, template_tokens=6)
    reduced = block.locate(tokens[:, 6:], block.key_value(tokens[:, :6]), leaving=4)
    torch.testing.assert_close(reduced, full[:, -4:])
