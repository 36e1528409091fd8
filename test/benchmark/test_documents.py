# Copyright 2026 mixformer2_ros contributors
# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import pytest

from mixformer2_ros.benchmark.documents import MEASUREMENTS, filled
from mixformer2_ros.benchmark.tables import Report, Table
from mixformer2_ros.cli import main

REPORT = Report(
    "mixformer2 benchmark engine",
    {"cores": "2", "memory": "1 GiB"},
    [Table("speed", "How fast", ("engine", "ms"), [("slow", 2.0), ("quick", 1.0)])],
)
DOCUMENT = """# Speed
<!-- benchmark: speed -->
old
<!-- end -->
between
<!-- benchmark: speed | quick -->
<!-- end -->
<!-- benchmark: machine -->
<!-- end -->
"""


def test_tables_are_filled_in_with_their_commands():
    text = filled(DOCUMENT, [REPORT])
    assert "old" not in text
    assert "between" in text
    assert text.count("`mixformer2 benchmark engine`") == 2
    assert text.count("| slow | 2.00 |") == 1
    assert text.count("| quick | 1.00 |") == 2
    assert "cores: 2, memory: 1 GiB." in text
    assert filled(text, [REPORT]) == text


def test_a_table_that_was_not_measured_is_named():
    with pytest.raises(ValueError, match=r"'speed' was not measured; there are: none"):
        filled(DOCUMENT, [])


def test_the_command_fills_documents_from_a_folder(tmp_path, capsys):
    REPORT.write(tmp_path / "results" / "engine.json")
    document = tmp_path / "speed.md"
    document.write_text(DOCUMENT)
    options = ["--results", str(tmp_path / "results"), "--documents", str(document)]
    assert main(["benchmark", "report", *options]) == 0
    assert "| quick | 1.00 |" in document.read_text()
    assert "speed.md" in capsys.readouterr().out


@pytest.mark.parametrize("words", MEASUREMENTS.values(), ids=MEASUREMENTS)
def test_every_measurement_is_a_command(words):
    with pytest.raises(SystemExit) as ended:
        main(["benchmark", *words, "--help"])
    assert ended.value.code == 0
