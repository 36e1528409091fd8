# Copyright 2026 mixformer2_ros contributors
# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import pytest
import torch

from mixformer2_ros.model.corner_head import CornerHead, corner_probabilities, edge_marginals


@pytest.mark.parametrize(("pyramid", "side"), [(False, 6), (True, 24)])
def test_maps_have_one_cell_a_token_or_sixteen(pyramid: bool, side: int):
    head = CornerHead(32, 16, pyramid)
    assert head(torch.randn(2, 36, 32)).shape == (2, 2, side, side)


def test_maps_lie_over_the_tokens():
    head = CornerHead(8, 8, pyramid=True).eval()
    with torch.no_grad():
        for parameter in head.parameters():  # An increasing function of the tokens near a cell.
            parameter.copy_(parameter.abs())
    tokens = torch.zeros(1, 5, 5, 8)
    tokens[0, 1, 3] = 5.0
    for corner in head(tokens.flatten(1, 2))[0]:
        rows, columns = torch.nonzero(corner == corner.max(), as_tuple=True)
        assert (rows // 4 == 1).all()
        assert (columns // 4 == 3).all()


def test_probabilities_sum_to_one_over_a_map():
    corners = corner_probabilities(torch.randn(3, 2, 5, 5))
    torch.testing.assert_close(corners.sum(dim=(2, 3)), torch.ones(3, 2))


def test_marginals_of_a_hand_made_map():
    corners = torch.zeros(1, 2, 3, 3)
    corners[0, 0] = torch.tensor([[0.1, 0.2, 0.0], [0.3, 0.0, 0.0], [0.0, 0.4, 0.0]])
    corners[0, 1, 2, 1] = 1.0
    left, top, right, bottom = edge_marginals(corners)[0]
    torch.testing.assert_close(left, torch.tensor([0.4, 0.6, 0.0]))
    torch.testing.assert_close(top, torch.tensor([0.3, 0.3, 0.4]))
    assert right.tolist() == [0.0, 1.0, 0.0]
    assert bottom.tolist() == [0.0, 0.0, 1.0]
