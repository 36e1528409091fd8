# Copyright 2026 mixformer2_ros contributors
# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import csv
import json
import re
from html.parser import HTMLParser
from pathlib import Path
from xml.etree import ElementTree

import numpy as np
import pytest

pytest.importorskip("matplotlib", reason="needs the extra 'report'")
pytest.importorskip("jinja2", reason="needs the extra 'report'")

from mixformer2_ros.evaluation.datasets import make_sequence
from mixformer2_ros.evaluation.report import NUMBERS, TABLE, write_report
from mixformer2_ros.evaluation.results import ResultStore, SequenceResult
from mixformer2_ros.evaluation.summary import LatencyPoint

FRAMES = 60
ATTRIBUTES = ["FM", "OCC", "SV"]
POINTS = [
    LatencyPoint("0ms", "offline", 0.7, None),
    LatencyPoint("60ms~5ms", "run", 0.5, 15.0),
    LatencyPoint("measured", "run", 0.6, 21.5),
]


def data(tmp_path, trackers=("ours", "theirs"), names=("one", "two", "<b>three")):
    store = ResultStore(tmp_path / "store")
    sequences = []
    for k, name in enumerate(names):
        rng = np.random.default_rng(k)
        truth = np.stack([50.0 + np.arange(FRAMES), np.full(FRAMES, 40.0)], axis=1)
        truth = np.hstack([truth, np.full((FRAMES, 2), 30.0)])
        boxes = truth.copy()
        truth[50:55] = np.nan
        frames = [Path(f"{i}.jpg") for i in range(FRAMES)]
        sequences.append(make_sequence(name, frames, truth, attributes=ATTRIBUTES[: k + 1]))
        for j, tracker in enumerate(trackers):
            found = boxes + rng.normal(0, 1 + j, boxes.shape)
            found[20 + 5 * j : 40] += [100, 0, 0, 0]
            scores = np.clip(0.9 - 0.6 * (found[:, 0] > boxes[:, 0] + 50), 0, 1)
            states = np.where(scores > 0.5, 1, 3)
            fields = {} if j else {"scores": scores, "states": states}
            times = np.full(FRAMES, 0.02)
            store.write(tracker, name, SequenceResult.of(found, times=times, **fields))
    return store, sequences


class Page(HTMLParser):
    """Collects what a page loads and whether its elements are closed."""

    def __init__(self, text):
        super().__init__()
        self.open, self.links, self.tags = [], [], []
        self.feed(text)

    def handle_starttag(self, tag, attributes):
        self.tags.append(tag)
        if tag not in ("meta", "img", "br", "link"):
            self.open.append(tag)
        for name, value in attributes:
            if name in ("src", "href", "xlink:href", "action", "data"):
                self.links.append(value)

    def handle_endtag(self, tag):
        assert self.open.pop() == tag


@pytest.fixture(scope="module")
def report(tmp_path_factory):
    folder = tmp_path_factory.mktemp("report")
    store, sequences = data(folder)

    def image_of(sequence, index):
        return np.full((90, 120, 3), index, np.uint8) if sequence.name != "two" else None

    page = write_report(
        folder / "out",
        store,
        sequences,
        title="Ours & theirs",
        trackers=["ours", "theirs"],
        image_of=image_of,
        latency={"ours": POINTS},
    )
    return page, page.read_text()


def test_page_is_complete_in_itself(report):
    _, text = report
    page = Page(text)
    assert page.open == []
    assert all(link.startswith(("data:", "#")) for link in page.links)
    assert "@import" not in text
    assert not re.search(r"url\((?!#)", text)


def test_page_shows_every_part(report):
    _, text = report
    assert "<title>Ours &amp; theirs</title>" in text
    for heading in ("Trackers", "Against ours", "Accuracy", "By attribute", "what hurts first"):
        assert heading in text
    assert "lost 1 time, at frame 20" in text
    assert "target absent in 5" in text
    assert "<td>60ms~5ms</td><td>run</td><td>50.0</td><td>15</td>" in text
    assert "prefers-color-scheme: dark" in text
    assert (
        len(re.findall(r'<img src="data:image/jpeg;base64,[\w+/]+=*" alt="frame 20">', text)) == 2
    )


def test_names_cannot_inject_markup(report):
    _, text = report
    assert "<b>three" not in text
    assert "&lt;b&gt;three" in text


def test_plots_are_drawings_in_the_colours_of_the_page(report):
    _, text = report
    drawings = re.findall(r"<svg.*?</svg>", text, re.DOTALL)
    # Success, precision, reliability, precision-recall, latency, radar, a course each sequence.
    assert len(drawings) == 6 + 3
    for drawing in drawings:
        ElementTree.fromstring(drawing)
        assert "var(--tracker0)" in drawing
        assert "#0a0b" not in drawing
        assert "font-family" not in drawing


def test_numbers_beside_the_page_are_those_on_it(report):
    page, text = report
    numbers = json.loads((page.parent / NUMBERS).read_text())
    assert [tracker["tracker"] for tracker in numbers["trackers"]] == ["ours", "theirs"]
    auc = numbers["trackers"][0]["overall"]["success_auc"]
    assert f"<b>{100 * auc:.1f}</b>" in text
    assert numbers["differences"][0]["reference"] == "ours"
    interval = numbers["trackers"][0]["success_interval"]
    assert interval["low"] <= auc <= interval["high"]
    with (page.parent / TABLE).open() as file:
        rows = list(csv.DictReader(file))
    assert len(rows) == 6
    mean = np.mean([float(row["success_auc"]) for row in rows if row["tracker"] == "ours"])
    assert mean == pytest.approx(auc)


def test_the_same_results_make_the_same_page(tmp_path):
    store, sequences = data(tmp_path, names=("one",))
    pages = [
        write_report(tmp_path / folder, store, sequences, title="Twice") for folder in ("a", "b")
    ]
    assert pages[0].read_bytes() == pages[1].read_bytes()


def test_one_tracker_on_one_sequence_is_enough(tmp_path):
    store, sequences = data(tmp_path, trackers=("other",), names=("only",))
    text = write_report(tmp_path / "out", store, sequences, title="Alone").read_text()
    assert Page(text).open == []
    assert "Against" not in text
    assert ">nan<" not in text


def test_sequences_without_a_result_are_named(tmp_path):
    store, sequences = data(tmp_path)
    extra = make_sequence("unfinished", sequences[0].frames, sequences[0].truth)
    text = write_report(tmp_path / "out", store, [*sequences, extra], title="Part").read_text()
    assert "Left out" in text
    assert "unfinished" in text
