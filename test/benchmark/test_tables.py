# Copyright 2026 mixformer2_ros contributors
# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import pytest

from mixformer2_ros.benchmark.tables import Report, Table, median, p99, shown

TABLE = Table(
    "speed",
    "How fast",
    ("engine", "ms", "note"),
    [("a, 1 thread", 12.345, None), ("b, 2 threads", 1, "x")],
    ("it rained",),
    ("b is slow",),
)


def test_times_are_in_milliseconds():
    assert median([0.010, 0.020, 0.030]) == pytest.approx(20.0)
    assert p99([0.010, 0.020, 0.030]) == pytest.approx(29.8)


@pytest.mark.parametrize(
    ("cell", "text"),
    [(None, ""), ("word", "word"), (7, "7"), (0.123, "0.12"), (12.34, "12.3"), (123.4, "123")],
)
def test_numbers_have_the_digits_that_count(cell, text):
    assert shown(cell) == text


def test_a_table_says_everything():
    assert TABLE.markdown().splitlines() == [
        "**How fast**",
        "",
        "| engine | ms | note |",
        "|---|---|---|",
        "| a, 1 thread | 12.3 |  |",
        "| b, 2 threads | 1 | x |",
        "",
        "- it rained",
        "- Limit broken: b is slow",
    ]


def test_rows_can_be_chosen():
    text = TABLE.markdown(only="2 threads")
    assert "| b, 2 threads" in text
    assert "1 thread |" not in text
    assert "it rained" not in text


def test_a_report_is_read_back_as_it_was_written(tmp_path):
    path = tmp_path / "new" / "report.json"
    report = Report("mixformer2 benchmark engine", {"cores": "2"}, [TABLE])
    report.write(path)
    assert Report.read(path).markdown() == report.markdown()
    assert "`mixformer2 benchmark engine`" in report.markdown()
    assert "cores: 2" in report.markdown()


@pytest.mark.parametrize("text", ["[]", "{}", "no json"])
def test_other_files_are_refused(tmp_path, text):
    path = tmp_path / "other.json"
    path.write_text(text)
    with pytest.raises(ValueError, match=r"other\.json is no result"):
        Report.read(path)
