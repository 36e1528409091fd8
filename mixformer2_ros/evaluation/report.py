# Copyright 2026 mixformer2_ros contributors
# SPDX-License-Identifier: Apache-2.0
"""One page about how trackers did, complete in itself, with its numbers beside it.

Needs the extra `report` (matplotlib, jinja2).
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined, select_autoescape

from mixformer2_ros.evaluation import datasets
from mixformer2_ros.evaluation import report_pictures as pictures
from mixformer2_ros.evaluation import report_rows as rows
from mixformer2_ros.evaluation.report_data import INTERVAL_CONVENTION, Comparison, compare
from mixformer2_ros.evaluation.report_numbers import numbers, write_table
from mixformer2_ros.evaluation.report_pictures import ImageOf
from mixformer2_ros.evaluation.results import ResultStore
from mixformer2_ros.evaluation.summary import LatencyPoint

PAGE = "report.html"
TABLE = "sequences.csv"
NUMBERS = "report.json"

SHOWN_SEQUENCES = 12
"""Sequences whose course is shown, the worst ones."""


def write_report(
    out: Path,
    store: ResultStore,
    sequences: Sequence[datasets.Sequence],
    *,
    title: str,
    trackers: Sequence[str] | None = None,
    image_of: ImageOf | None = None,
    latency: Mapping[str, Sequence[LatencyPoint]] | None = None,
) -> Path:
    """Score what is in a store and write a page and tables about it.

    Args:
        out: Folder for `report.html`, `report.json` and `sequences.csv`; made when needed.
        store: Results of one or several trackers.
        sequences: The data set; results are compared where all trackers have one.
        title: Heading of the page.
        trackers: Names, the one that the others are compared with first; None = all in the store,
            the best first.
        image_of: Gives the images of the frames at which the target was lost, such as
            `playback.read_image`; None leaves them out.
        latency: Points of the curve over latency, by tracker; None = not judged.

    Returns:
        The page.

    Raises:
        ValueError: There is nothing to score.
        OSError: The folder cannot be written.
    """
    comparison = compare(store, sequences, trackers)
    curves = latency or {}
    out.mkdir(parents=True, exist_ok=True)
    write_table(out / TABLE, comparison)
    text = json.dumps(numbers(title, comparison, curves), indent=1, allow_nan=False)
    (out / NUMBERS).write_text(text + "\n", encoding="utf-8")
    known = {sequence.name: sequence for sequence in sequences}
    timelines = []
    for index in comparison.worst_first[:SHOWN_SEQUENCES]:
        score = comparison.reference.sequences[index]
        sequence = known[score.name]
        timelines.append(
            {
                "name": sequence.name,
                "facts": rows.facts(sequence, score),
                "svg": pictures.timeline(comparison, index),
                "views": pictures.views(store, comparison, sequence, index, image_of),
            }
        )
    page = out / PAGE
    page.write_text(_page(title, comparison, timelines, curves), encoding="utf-8")
    return page


def _page(
    title: str,
    comparison: Comparison,
    timelines: list[dict[str, Any]],
    curves: Mapping[str, Sequence[LatencyPoint]],
) -> str:
    environment = Environment(
        loader=FileSystemLoader(Path(__file__).parent),
        autoescape=select_autoescape(default=True),
        undefined=StrictUndefined,
        trim_blocks=True,
    )
    return environment.get_template("report.html.jinja").render(
        title=title,
        frames=comparison.frames,
        tiles=rows.tiles(comparison),
        missing=rows.missing(comparison),
        trackers=rows.tracker_rows(comparison),
        differences=rows.difference_rows(comparison),
        plots=pictures.plots(comparison),
        latency_plot=pictures.latency_plot(comparison, curves),
        latencies=rows.latency_rows(comparison, curves),
        radar=pictures.radar(comparison),
        attributes=rows.attribute_rows(comparison),
        sequences=rows.sequence_rows(comparison),
        timelines=timelines,
        metrics=rows.metric_rows(comparison),
        interval_convention=INTERVAL_CONVENTION,
    )
