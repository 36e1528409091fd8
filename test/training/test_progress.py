# Copyright 2026 mixformer2_ros contributors
# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import io
import json
import sys
import types

import pytest

import mixformer2_ros.training.progress as module
from mixformer2_ros.training.progress import Progress


@pytest.fixture(autouse=True)
def _plain(monkeypatch):
    """As on a machine with neither TensorBoard nor a terminal."""
    monkeypatch.setattr(module, "_EVENT_WRITERS", ())


def _steps(path):
    return [json.loads(line)["step"] for line in path.read_text().splitlines()]


def test_records_after_the_state_that_is_resumed_are_dropped(tmp_path):
    first = Progress(tmp_path, 0)
    for step in (10, 20, 30):
        first.show(step / 100, {"step": step, "loss": 1.0})
    with (tmp_path / "log.jsonl").open("a") as file:
        file.write('{"step": 4')  # a kill in the middle of a line
    second = Progress(tmp_path, 20)
    second.show(0.3, {"step": 30, "loss": 0.5})
    assert _steps(tmp_path / "log.jsonl") == [10, 20, 30]
    assert json.loads((tmp_path / "log.jsonl").read_text().splitlines()[-1])["loss"] == 0.5


def test_the_console_sees_rare_records_always_and_others_now_and_then(tmp_path, caplog):
    caplog.set_level("INFO")
    progress = Progress(tmp_path, 0)
    for step in (10, 20):
        progress.show(0.1, {"step": step})
    progress.tell({"step": 20, "set": "videos"})
    assert [record.message for record in caplog.records] == ["step=10", "step=20 set=videos"]


def test_events_go_to_tensorboard_where_there_is_one(tmp_path, monkeypatch):
    seen = []

    class Writer:
        def __init__(self, folder, purge_step):
            seen.append((folder, purge_step))

        def add_scalar(self, *scalar):
            seen.append(scalar)

        def close(self):
            seen.append("closed")

    stand_in = types.ModuleType("stand_in_for_tensorboard")
    stand_in.SummaryWriter = Writer
    monkeypatch.setitem(sys.modules, "stand_in_for_tensorboard", stand_in)
    monkeypatch.setattr(module, "_EVENT_WRITERS", ("no_such_package", "stand_in_for_tensorboard"))
    progress = Progress(tmp_path, 7)
    progress.tell({"step": 8, "set": "videos", "iou": 0.5})
    progress.close()
    assert seen == [(str(tmp_path / "events"), 7), ("videos/iou", 0.5, 8), "closed"]


def test_a_terminal_gets_a_bar(tmp_path, monkeypatch):
    pytest.importorskip("tqdm")

    class Terminal(io.StringIO):
        def isatty(self) -> bool:
            return True

    terminal = Terminal()
    monkeypatch.setattr(sys, "stderr", terminal)
    progress = Progress(tmp_path, 0, "teacher")
    progress.show(0.25, {"step": 10, "loss": 1.5})
    progress.tell({"step": 10, "set": "videos"})
    progress.close()
    assert "teacher" in terminal.getvalue()
    assert "25.0%" in terminal.getvalue()
    assert "step=10 set=videos" in terminal.getvalue()
