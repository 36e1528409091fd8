# Copyright 2026 mixformer2_ros contributors
# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import json

import pytest

torch = pytest.importorskip("torch")
pytest.importorskip("onnx", reason="counts the work in the graph")

from safetensors.torch import save_file  # noqa: E402

from mixformer2_ros.benchmark import engines  # noqa: E402
from mixformer2_ros.benchmark.gemm import Product  # noqa: E402
from mixformer2_ros.benchmark.tables import Report  # noqa: E402
from mixformer2_ros.cli import main  # noqa: E402

TORCH = ["--threads", "1", "--frames", "2"]


@pytest.fixture
def checkpoint(rule_model, tmp_path):
    path = tmp_path / "small.safetensors"
    save_file(rule_model("small").state_dict(), path)
    return str(path)


@pytest.fixture
def tables(checkpoint, tmp_path):
    """Return a function that measures and gives the tables by name."""

    def measure(*words, code=0):
        file = tmp_path / "figures.json"
        arguments = [*words, "--checkpoint", checkpoint, "--json", str(file)]
        assert main(["benchmark", *arguments]) == code
        report = Report.read(file)
        assert "--json" not in report.command
        return {table.name: table for table in report.tables}

    return measure


def test_engines_are_measured_in_every_way(tables, monkeypatch, capsys):
    small = (Product("torch", "fp32", 256, 512, 512), Product("torch", "fp32", 256, 512, 1024))
    monkeypatch.setattr(engines, "products_of", lambda variant: [small])
    options = ["--backends", "torch", "--precisions", "fp32", "--targets", "1", "3"]
    found = tables("engine", *options, *TORCH)
    reference, engine = found["engines-small"].rows
    assert reference[0] == "reference, 1 thread"
    assert engine[0].startswith("MixFormerV2-S, PyTorch")
    assert reference[3] == 1.0
    assert all(value > 0 for value in engine[1:5])
    precision, threads, rate, by = found["peaks-small"].rows[0]
    assert (precision, threads) == ("fp32", 1)
    assert rate > 0
    assert by.startswith("torch, ")
    assert found["targets-small"].columns == ("engine", "1, ms", "3, ms (times 1)")
    assert found["busy-small"].rows[0][-1] > 0
    _, first, later, memory, _ = found["start-small"].rows[0]
    assert first > 0
    assert later > 0
    assert memory > 50
    assert "| reference, 1 thread |" in capsys.readouterr().out


def test_trackers_stand_beside_what_this_opencv_has(tables):
    options = ["--backend", "torch", "--precisions", "fp32", "--size", "320x240"]
    table = tables("tracker", *options, *TORCH)["trackers-small"]
    name, median, _, extra, *_ = table.rows[0]
    assert name.startswith("MixFormerV2-S, PyTorch")
    assert 0 < extra < median
    names = {str(row[0]).partition(",")[0] for row in table.rows[1:]}
    left_out = {word for word in ("KCF", "MOSSE", "CSRT") if word in " ".join(table.notes)}
    assert names | left_out == {"KCF", "MOSSE", "CSRT"}


def test_what_cannot_run_ends_with_the_reason(checkpoint, capsys):
    words = ["--parts", "targets", "--backends", "torch", "--precisions", "fp16", *TORCH]
    assert main(["benchmark", "engine", "--checkpoint", checkpoint, *words]) == 2
    assert "no engine was asked for" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("words", "reason"),
    [
        (["node", "--size", "large"], "give WIDTHxHEIGHT"),
        (["engine", "--threads", "0"], "give a number from 1"),
    ],
)
def test_arguments_that_make_no_sense_are_explained(capsys, words, reason):
    with pytest.raises(SystemExit):
        main(["benchmark", *words])
    assert reason in capsys.readouterr().err


def test_the_node_is_soaked(tables):
    pytest.importorskip("rclpy", reason="needs ROS 2")
    pytest.importorskip("mixformer2_ros.msg", reason="needs the generated messages")
    options = ["--backend", "torch", "--precision", "fp32", "--minutes", "0.1"]
    table = tables("soak", *options, "--threads", "1", "--rate", "10")["soak"]
    figures = {row[0]: row[1] for row in table.rows}
    assert figures["images"] > 5
    assert figures["frames with a target"] > 0
    assert figures["memory at the end, MB"] > 50
    assert json.dumps(table.failures) == "[]"


def test_the_node_is_timed(tables):
    pytest.importorskip("rclpy", reason="needs ROS 2")
    pytest.importorskip("mixformer2_ros.msg", reason="needs the generated messages")
    options = ["--backend", "torch", "--precision", "fp32", "--size", "320x240"]
    found = tables("node", *options, "--threads", "1", "--rate", "20", "--frames", "10")
    times = {row[0]: row[1] for row in found["node-320x240"].rows}
    parts = times["network"] + times["what the node adds"]
    assert times["whole frame, image callback to published box"] == pytest.approx(parts, rel=0.5)
    start = {row[0]: row[1] for row in found["node-start-320x240"].rows}
    assert start["first start, s"] > 0
    first, last = (value for name, value in start.items() if name.startswith("most memory"))
    assert last >= first > 50
