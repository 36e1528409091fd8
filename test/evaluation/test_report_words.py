# Copyright 2026 mixformer2_ros contributors
# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import math

import pytest

from mixformer2_ros.evaluation.conventions import METRIC
from mixformer2_ros.evaluation.report_data import Interval
from mixformer2_ros.evaluation.report_words import (
    NOTHING,
    count,
    described,
    in_words,
    interval,
    plain,
    points,
    signed,
)


def test_what_does_not_apply_is_a_dash():
    assert points(None) == points(math.nan) == plain(None) == plain(math.inf) == NOTHING
    assert interval(Interval(0.5, math.nan, math.nan), points) == NOTHING


def test_shares_are_written_in_points():
    assert points(0.5641) == "56.4"
    assert signed(0.02) == "+2.0"
    assert signed(-0.02) == "\N{MINUS SIGN}2.0"
    assert interval(Interval(0.5, 0.4, 0.6), points) == "40.0 to 60.0"


@pytest.mark.parametrize(
    ("name", "value", "text"),
    [
        ("success_auc", 0.5, "50.0"),
        ("failures", 3.0, "3"),
        ("frames_per_second", 123.4, "123 Hz"),
        ("time_to_reacquire", 0.25, "0.25 s"),
        ("time_to_reacquire", None, NOTHING),
    ],
)
def test_metrics_are_written_with_their_units(name, value, text):
    assert in_words(METRIC[name], value) == text


def test_nouns_agree_with_their_numbers():
    assert [count(number, "frame") for number in (0, 1, 2)] == ["0 frames", "1 frame", "2 frames"]


def test_a_recipe_is_described_by_what_was_chosen():
    recipe = {"model": "small", "precision": "auto", "threads": None, "tracker.robust": True}
    assert described(recipe) == "small"
