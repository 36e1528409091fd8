# Copyright 2026 mixformer2_ros contributors
# SPDX-License-Identifier: Apache-2.0
"""`mixformer2 bag make` and `mixformer2 evaluate --bag`, from a sequence to a page."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

pytest.importorskip("rosbags", reason="needs the extra 'bags'")

from mixformer2_ros.cli import main

TRACKER = "square_tracker:SquareTracker"


@pytest.fixture
def bag_path(squares_dir, tmp_path, monkeypatch):
    monkeypatch.syspath_prepend(str(Path(__file__).parent))
    bag = tmp_path / "middle_bag"
    assert main(["bag", "make", str(squares_dir / "middle"), str(bag), "--compressed", "png"]) == 0
    return bag


def evaluate(bag, folder, *arguments):
    words = ["evaluate", "--bag", str(bag), "--truth", "/truth", "--tracker", TRACKER]
    words += ["--results", str(folder / "results"), "--json", str(folder / "numbers.json")]
    code = main([*words, *arguments])
    numbers = folder / "numbers.json"
    return code, json.loads(numbers.read_text()) if numbers.is_file() else None


def test_a_bag_is_scored_like_the_sequence_it_was_made_of(bag_path, squares_dir, tmp_path):
    code, numbers = evaluate(bag_path, tmp_path)
    assert code == 0
    words = ["evaluate", "--dataset", "folder", str(squares_dir), "--sequence", "middle"]
    words += ["--tracker", TRACKER, "--workers", "1", "--results", str(tmp_path / "again")]
    assert main([*words, "--json", str(tmp_path / "again.json")]) == 0
    (of_bag,), (of_images,) = (
        found["trackers"] for found in (numbers, json.loads((tmp_path / "again.json").read_text()))
    )
    for name in ("success_auc", "precision_20", "average_overlap", "missed_loss_rate"):
        assert of_bag["overall"][name] == of_images["overall"][name]


def test_latency_counts_on_bags_too(bag_path, tmp_path):
    code, numbers = evaluate(bag_path, tmp_path, "--latency", "100ms")
    assert code == 0
    ((offline, late),) = numbers["latency_curves"].values()
    assert late["success_auc"] < offline["success_auc"]
    assert late["frame_rate"] == pytest.approx(10, abs=1)


def test_the_page_of_a_bag(bag_path, tmp_path, capsys):
    pytest.importorskip("matplotlib", reason="needs the extra 'report'")
    pytest.importorskip("jinja2", reason="needs the extra 'report'")
    code, _ = evaluate(bag_path, tmp_path, "--report", str(tmp_path / "report"))
    assert code == 0
    page = tmp_path / "report" / "report.html"
    assert str(page) in capsys.readouterr().out
    assert "middle_bag" in page.read_text()


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("--image-topic", "/camera"), "has no topic '/camera'"),
        (("--init", "1,2,8,10@5000000"), "or a later one"),
        (("--tracker", "kcf", "--output-bag", "x"), "the boxes of one tracker"),
    ],
)
def test_what_does_not_fit_is_explained(bag_path, tmp_path, capsys, arguments, message):
    code, _ = evaluate(bag_path, tmp_path, *arguments)
    assert code == 2
    assert message in capsys.readouterr().err
