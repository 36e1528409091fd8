# Copyright 2026 mixformer2_ros contributors
# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import pytest

torch = pytest.importorskip("torch")

from mixformer2_ros.model.heads import BoxHead, edges_to_box, expected_edges  # noqa: E402


def test_expected_edges_have_no_half_bin_offset():
    probabilities = torch.zeros(1, 4, 96)
    for edge, position in enumerate((0, 24, 48, 95)):
        probabilities[0, edge, position] = 1.0
    assert expected_edges(probabilities).tolist() == [[0.0, 0.25, 0.5, pytest.approx(95 / 96)]]


def test_expected_edge_of_a_split_distribution_lies_between():
    probabilities = torch.zeros(1, 4, 96)
    probabilities[..., 10], probabilities[..., 20] = 0.25, 0.75
    torch.testing.assert_close(expected_edges(probabilities), torch.full((1, 4), 17.5 / 96))


def test_box_is_centre_and_size_and_corners_may_cross():
    edges = torch.tensor([[0.1, 0.2, 0.5, 0.4], [0.5, 0.2, 0.1, 0.4]])
    expected = torch.tensor([[0.3, 0.3, 0.4, 0.2], [0.3, 0.3, -0.4, 0.2]])
    torch.testing.assert_close(edges_to_box(edges), expected)


def test_tokens_left_right_top_bottom_become_edges_left_top_right_bottom():
    head = BoxHead(width=8, bins=12).eval()
    tokens = torch.randn(1, 4, 8)
    logits = head(tokens)
    for edge, token in enumerate((0, 2, 1, 3)):
        torch.testing.assert_close(logits[:, edge], head.layers(tokens[:, token]))
