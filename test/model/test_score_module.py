# Copyright 2026 mixformer2_ros contributors
# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import pytest
import torch
import torch.nn.functional as F

from mixformer2_ros.model.score_module import ScoreModule, pool_boxes


def test_pooling_a_linear_surface_gives_the_values_at_the_bins_centres():
    rows, columns = torch.meshgrid(torch.arange(8.0), torch.arange(8.0), indexing="ij")
    pooled = pool_boxes(torch.stack([rows, columns])[None], torch.tensor([[1.0, 2.0, 5.0, 4.0]]), 4)
    centres = torch.tensor([0.125, 0.375, 0.625, 0.875])
    torch.testing.assert_close(pooled[0, 0, :, 0], 2.0 + 2.0 * centres)
    torch.testing.assert_close(pooled[0, 1, 0], 1.0 + 4.0 * centres)


def test_pooling_is_the_mean_of_the_interpolated_surface():
    grid = torch.randn(1, 3, 6, 6, generator=torch.Generator().manual_seed(0))
    pooled = pool_boxes(grid, torch.tensor([[0.3, 1.7, 4.1, 4.6]]), 2)
    fine = 400
    x, y = (
        start + (end - start) * (torch.arange(fine) + 0.5) / fine
        for start, end in ((0.3, 4.1), (1.7, 4.6))
    )
    where = torch.stack(torch.meshgrid(y, x, indexing="ij")[::-1], dim=-1)[None] / 5 * 2 - 1
    surface = F.grid_sample(grid, where, align_corners=True)
    torch.testing.assert_close(pooled, F.avg_pool2d(surface, fine // 2), atol=1e-3, rtol=0)


@pytest.mark.parametrize("box", [(4.0, 4.0, 2.0, 2.0), (3.0, 3.0, 3.0, 3.0), (-9.0, -9.0, 20, 20)])
def test_odd_boxes_give_finite_features(box: tuple[float, ...]):
    assert pool_boxes(torch.randn(1, 2, 5, 5), torch.tensor([box]), 4).isfinite().all()


def test_the_score_looks_into_the_box_and_at_the_template():
    torch.manual_seed(0)
    module = ScoreModule(16, 2)
    search, template = torch.randn(1, 36, 16), torch.randn(1, 9, 16)
    box = torch.tensor([[0.1, 0.1, 0.4, 0.4]])
    score = module(search, template, box)
    assert score.shape == (1,)
    elsewhere = search.clone()
    elsewhere[:, 35] += 1.0  # The opposite corner of the crop.
    torch.testing.assert_close(module(elsewhere, template, box), score)
    inside = search.clone()
    inside[:, 7] += 1.0
    assert not torch.allclose(module(inside, template, box), score)
    assert not torch.allclose(module(search, template + torch.randn(16), box), score)
