# Copyright 2026 mixformer2_ros contributors
# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import math

import pytest

from mixformer2_ros.tracking.config import RANGES, TrackerConfig


def test_paper_is_the_published_procedure() -> None:
    config = TrackerConfig.paper(update_interval=25, search_factor=4.55)
    assert not config.robust
    assert (config.update_interval, config.search_factor) == (25, 4.55)
    assert (config.template_factor, config.update_threshold, config.margin) == (2.0, 0.5, 10.0)


@pytest.mark.parametrize("name", sorted(RANGES))
def test_every_range_is_checked(name: str) -> None:
    low, high = RANGES[name]
    for value in (low - 1, high + 1, math.nan, math.inf):
        with pytest.raises(ValueError, match=f"{name} is .*; give a value from {low:g} to"):
            TrackerConfig(**{name: value})


@pytest.mark.parametrize("name", ["update_interval", "reacquire_frames"])
def test_whole_numbers_are_required_where_frames_are_counted(name: str) -> None:
    with pytest.raises(ValueError, match=f"{name} is 2.5; give a whole number"):
        TrackerConfig(**{name: 2.5})


def test_thresholds_must_leave_hysteresis() -> None:
    assert TrackerConfig(doubt_score=0.5, confirm_score=0.5).confirm_score == 0.5
    with pytest.raises(ValueError, match=r"confirm_score is 0.4, below doubt_score 0.5; raise"):
        TrackerConfig(doubt_score=0.5, confirm_score=0.4)
