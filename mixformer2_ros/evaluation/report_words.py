# Copyright 2026 mixformer2_ros contributors
# SPDX-License-Identifier: Apache-2.0
"""Numbers as a report writes them."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

from mixformer2_ros.evaluation.conventions import Metric
from mixformer2_ros.evaluation.report_data import Interval

NOTHING = "\N{EN DASH}"
"""Stands where a number does not apply."""

_MINUS = "\N{MINUS SIGN}"


def points(share: float | None) -> str:
    """Return a share in points of a hundred, such as 56.4."""
    return NOTHING if share is None or not math.isfinite(share) else f"{100 * share:.1f}"


def signed(share: float) -> str:
    """Return a difference of shares in points, with its sign."""
    return f"{100 * share:+.1f}".replace("-", _MINUS)


def interval(item: Interval, form: Callable[[float], str]) -> str:
    """Return both ends of an interval, each written by `form`."""
    return f"{form(item.low)} to {form(item.high)}" if math.isfinite(item.low) else NOTHING


def plain(number: float | None) -> str:
    """Return a number of three digits, or a large one without fraction."""
    if number is None or not math.isfinite(number):
        return NOTHING
    return f"{number:.0f}" if abs(number) >= 100 else f"{number:.3g}"


def in_words(metric: Metric, value: float | None) -> str:
    """Return a value of a metric with its unit."""
    if metric.unit == "share":
        return points(value)
    text = str(round(value)) if metric.unit == "count" and value is not None else plain(value)
    return text if value is None or metric.unit == "count" else f"{text} {metric.unit}"


def described(recipe: dict[str, Any]) -> str:
    """Return what matters most of a recipe: settings of the tracker are in the numbers."""
    settings = [value for name, value in recipe.items() if not name.startswith("tracker.")]
    return ", ".join(str(value) for value in settings if value not in (None, "auto"))


def count(number: int, noun: str) -> str:
    """Return a number with its noun, in the plural where it must be."""
    return f"{number} {noun}{'' if number == 1 else 's'}"
