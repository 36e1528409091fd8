# Copyright 2026 mixformer2_ros contributors
# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import pytest

from mixformer2_ros.benchmark.summary import Row, as_table, row


def test_a_row_has_milliseconds_and_the_ratio_of_medians():
    figures = row("fast", [0.010, 0.020, 0.030], reference=[0.040, 0.080, 0.060])
    assert figures.median == pytest.approx(20.0)
    assert figures.ratio == pytest.approx(3.0)
    assert figures.p99 == pytest.approx(29.8)


def test_the_table_leaves_out_what_has_no_reference():
    table = as_table([Row("a", 1.0, 2.0, 3.0), Row("b", 1.5, 2.5)])
    assert table.splitlines()[2:] == ["| a | 1.00 | 2.00 | 3.0 |", "| b | 1.50 | 2.50 |  |"]
