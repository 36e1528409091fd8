# Copyright 2026 mixformer2_ros contributors
# SPDX-License-Identifier: Apache-2.0
"""Figures in documents: they come from measurements, never from a keyboard.

Between a line `<!-- benchmark: NAME -->` and the next `<!-- end -->` of a document stands the table
of that name with the command that repeats it; `<!-- benchmark: NAME | TEXT -->` takes only the
rows whose first cell contains the text, and the name `machine` stands for what was measured on.
"""

from __future__ import annotations

import argparse
import re
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

from mixformer2_ros.benchmark.tables import Report

MEASUREMENTS: dict[str, tuple[str, ...]] = {
    "engine": ("engine", "--parts", "speed", "start"),
    "targets": ("engine", "--parts", "targets", "--frames", "20"),
    "busy": ("engine", "--parts", "busy", "--frames", "60"),
    "engine-full": ("engine", "--full-width", "--parts", "speed"),
    "engine-base": ("engine", "--model", "base", "--frames", "40", "--parts", "speed"),
    "engine-base-full": (
        *("engine", "--model", "base", "--full-width", "--frames", "10", "--parts", "speed"),
        *("--threads", "2", "--backends", "openvino"),
    ),
    "tracker": ("tracker", "--precisions", "fp32", "bf16", "int8"),
    "tracker-full": ("tracker", "--full-width", "--precisions", "bf16", "int8"),
    "node": ("node", "--frames", "10000", "--size", "1280x720"),
    "node-1080p": ("node", "--frames", "600"),
    "soak": ("soak",),
    "generator": ("generator",),
}
"""What documents are made of, in the order of measuring."""

_BLOCK = re.compile(
    r"(<!-- benchmark: (?P<name>[\w-]+)(?: \| (?P<only>[^>]+?))? -->\n).*?(<!-- end -->)", re.DOTALL
)


def run(args: argparse.Namespace) -> list[Path]:
    """Measure what is asked for, then fill the documents.

    Returns:
        The documents that were written.

    Raises:
        RuntimeError: A measurement failed.
        ValueError: A document asks for a table that was not measured.
    """
    for name in args.measure:
        _measure(name, args.results)
    reports = [Report.read(path) for path in sorted(args.results.glob("*.json"))]
    for document in args.documents:
        document.write_text(filled(document.read_text(), reports))
    return list(args.documents)


def filled(text: str, reports: Sequence[Report]) -> str:
    """Return a document with its tables as they were measured.

    Args:
        text: The document.
        reports: Where the tables are.

    Raises:
        ValueError: It asks for a table that is not there.
    """
    blocks = {table.name: (report, table) for report in reports for table in report.tables}

    def block(match: re.Match[str]) -> str:
        name = match["name"]
        if name == "machine" and reports:
            features = (f"{key}: {value}" for key, value in reports[0].machine.items())
            content = ", ".join(features) + "."
        elif name in blocks:
            report, table = blocks[name]
            content = f"{table.markdown(match['only'] or '')}\n\n`{report.command}`"
        else:
            raise ValueError(
                f"table {name!r} was not measured; there are: {', '.join(blocks) or 'none'}"
            )
        return f"{match[1]}{content}\n{match[4]}"

    return _BLOCK.sub(block, text)


def _measure(name: str, results: Path) -> None:
    results.mkdir(parents=True, exist_ok=True)
    words = [*MEASUREMENTS[name], "--json", str(results / f"{name}.json")]
    command = [sys.executable, "-m", "mixformer2_ros.cli", "benchmark", *words]
    # A soak that breaks a limit has its table, which says so.
    if subprocess.run(command).returncode > 1:
        raise RuntimeError(f"measuring {name!r} failed: see the message above")
