# Copyright 2026 mixformer2_ros contributors
# SPDX-License-Identifier: Apache-2.0
"""Figures of one measurement and how they are shown."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np


class Row(NamedTuple):
    """One measured quantity.

    Attributes:
        name: What was measured.
        median: Milliseconds.
        p99: 99th percentile, milliseconds.
        ratio: How many times faster than the reference of the same run; None where there is none.
    """

    name: str
    median: float
    p99: float
    ratio: float | None = None


def row(name: str, seconds: Sequence[float], reference: Sequence[float] | None = None) -> Row:
    """Summarise times in seconds; `reference` was measured in turn with them."""
    times = np.asarray(seconds) * 1e3
    ratio = None
    if reference is not None:
        ratio = float(np.median(reference) * 1e3 / np.median(times))
    return Row(name, float(np.median(times)), float(np.percentile(times, 99)), ratio)


def as_table(rows: Sequence[Row]) -> str:
    """Return rows as a Markdown table."""
    lines = ["| what | median, ms | p99, ms | times the reference |", "|---|---|---|---|"]
    for name, median, p99, ratio in rows:
        shown = "" if ratio is None else f"{ratio:.1f}"
        lines.append(f"| {name} | {median:.2f} | {p99:.2f} | {shown} |")
    return "\n".join(lines)
