# Copyright 2026 mixformer2_ros contributors
# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import csv
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

import cv2
import numpy as np
import pytest

from mixformer2_ros import cli, track_command
from mixformer2_ros.inference import Locations, ModelError, TemplateMemory
from mixformer2_ros.model.variants import get_variant
from mixformer2_ros.scenes.scene import Scene


class RedFinder:
    """An engine double: locates what is red in a crop."""

    variant = get_variant("small")
    description = "red finder"

    def encode_templates(self, templates, online_templates) -> list[TemplateMemory]:
        return [None for _ in templates]

    def locate(self, memories: Sequence[TemplateMemory], crops: np.ndarray) -> Locations:
        boxes, scores = [], []
        size = self.variant.search_size
        for crop in crops.astype(int):
            red = (crop[..., 0] > 180) & (crop[..., 1:].max(axis=2) < 80)
            rows, columns = np.nonzero(red)
            scores.append(0.9 if len(rows) else 0.05)
            x1, y1, x2, y2 = (
                (columns.min(), rows.min(), columns.max() + 1, rows.max() + 1)
                if len(rows)
                else (0, 0, size, size)
            )
            boxes.append([(x1 + x2) / 2, (y1 + y2) / 2, x2 - x1, y2 - y1])
        edges = np.zeros((len(crops), 4, self.variant.bins), np.float32)
        return Locations(np.array(boxes) / size, np.array(scores), edges)


@pytest.fixture
def red_engine(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(track_command, "load_engine", lambda *args, **kwargs: RedFinder())


@pytest.fixture
def sequence(tmp_path: Path) -> Path:
    """A red square that moves 3 px a frame; it is absent in the last frame."""
    folder = tmp_path / "sequence"
    (folder / "img").mkdir(parents=True)
    lines = []
    for k in range(12):
        image = np.full((120, 160, 3), 70, np.uint8)
        if k < 11:
            cv2.rectangle(image, (40 + 3 * k, 50), (59 + 3 * k, 69), (0, 0, 255), -1)
        lines.append(f"{40 + 3 * k},50,20,20" if k < 11 else "NaN,NaN,NaN,NaN")
        cv2.imwrite(str(folder / "img" / f"{k:03d}.png"), image)
    (folder / "groundtruth_rect.txt").write_text("\n".join(lines))
    return folder


@pytest.mark.usefixtures("red_engine")
def test_track_writes_video_and_table_and_judges_itself(
    sequence: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    video, table = tmp_path / "out" / "a.mp4", tmp_path / "out" / "a.csv"
    code = cli.main(["track", str(sequence), "-o", str(video), "--csv", str(table)])
    assert code == 0
    with table.open() as file:
        rows = list(csv.DictReader(file))
    assert tuple(rows[0]) == track_command.CSV_COLUMNS
    assert [int(row["frame"]) for row in rows] == list(range(12))
    assert float(rows[3]["time"]) == pytest.approx(0.1)
    assert float(rows[10]["x"]) == pytest.approx(70.0, abs=1.0)
    assert np.isnan(float(rows[0]["score"]))
    assert rows[10]["state"] == "TRACKING"
    assert rows[11]["state"] == "UNCERTAIN"
    capture = cv2.VideoCapture(str(video))
    assert int(capture.get(cv2.CAP_PROP_FRAME_COUNT)) == 12
    assert (int(capture.get(3)), int(capture.get(4))) == (160, 120)
    capture.release()
    printed = capsys.readouterr().out
    assert "red finder" in printed
    assert "12 frames, 11 tracked" in printed
    mean = float(printed.split("mean IoU ")[1].split()[0])
    assert mean > 0.9
    assert "over 10 frames" in printed


@pytest.mark.usefixtures("red_engine")
def test_the_table_keeps_every_digit(sequence: Path, tmp_path: Path) -> None:
    table = tmp_path / "a.csv"
    box = (40.123456789012345, 50.1, 20.3, 19.7)
    text = ",".join(repr(value) for value in box)
    assert cli.main(["track", str(sequence), "--box", text, "--csv", str(table)]) == 0
    row = table.read_text().splitlines()[1].split(",")
    assert tuple(float(value) for value in row[2:6]) == box


@pytest.mark.usefixtures("red_engine")
def test_a_source_without_truth_needs_a_box(
    sequence: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (sequence / "groundtruth_rect.txt").unlink()
    assert cli.main(["track", str(sequence)]) == 2
    assert "--box" in capsys.readouterr().err
    assert cli.main(["track", str(sequence), "--box", "40,50,20,20"]) == 0
    assert "mean IoU" not in capsys.readouterr().out


@pytest.mark.usefixtures("red_engine")
@pytest.mark.parametrize(
    ("arguments", "text"),
    [
        (["nowhere.mp4"], "nowhere.mp4"),
        (["SEQ", "--box", "900,900,10,10"], "900"),
        (["SEQ", "-o", "/proc/none/x.mp4"], "/proc/none"),
    ],
)
def test_errors_of_users_are_one_line_and_code_2(
    sequence: Path, capsys: pytest.CaptureFixture[str], arguments: list[str], text: str
) -> None:
    arguments = [str(sequence) if argument == "SEQ" else argument for argument in arguments]
    assert cli.main(["track", *arguments]) == 2
    last = capsys.readouterr().err.strip().splitlines()[-1]
    assert last.startswith("mixformer2 track: error: ")
    assert text in last


@pytest.mark.parametrize("box", ["1,2,3", "a,b,c,d", "1,2,0,5", "1,2,nan,5"])
def test_bad_boxes_are_refused(box: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as caught:
        cli.main(["track", "scene", "--box", box])
    assert caught.value.code == 2
    assert box in capsys.readouterr().err


def test_a_model_that_cannot_be_loaded_is_one_line(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def fail(*args: object, **kwargs: object) -> None:
        raise ModelError("no weights: give a checkpoint")

    monkeypatch.setattr(track_command, "load_engine", fail)
    assert cli.main(["track", "scene"]) == 2
    assert capsys.readouterr().err == "mixformer2 track: error: no weights: give a checkpoint\n"


def test_the_scene_knows_its_box(monkeypatch: pytest.MonkeyPatch) -> None:
    started = []

    class Recorder:
        def __init__(self, engine: object, config: object) -> None:
            pass

        def init(self, image: np.ndarray, box: Sequence[float], stamp: float) -> None:
            started.append((image.shape, box))
            raise ValueError("enough")

    monkeypatch.setattr(track_command, "load_engine", lambda *args, **kwargs: RedFinder())
    monkeypatch.setattr(track_command, "Tracker", Recorder)
    assert cli.main(["track", "scene:2"]) == 2
    assert started[0][0] == (720, 1280, 3)
    assert started[0][1] == pytest.approx(tuple(Scene.demo(2).truth(0)[0]))


def test_help_of_every_verb_and_of_none(capsys: pytest.CaptureFixture[str]) -> None:
    for verb in cli.COMMANDS:
        with pytest.raises(SystemExit) as caught:
            cli.main([verb, "--help"])
        assert caught.value.code == 0
    printed = capsys.readouterr().out
    assert "--checkpoint" in printed
    with pytest.raises(SystemExit) as caught:
        cli.main([])
    assert caught.value.code == 2


def test_neither_torch_nor_ros_is_loaded_for_the_help() -> None:
    code = (
        "import sys\nfrom mixformer2_ros import cli\n"
        "try:\n    cli.main(['track', '--help'])\nexcept SystemExit:\n    pass\n"
        "assert not {'torch', 'rclpy'} & set(sys.modules), 'heavy import'\n"
    )
    subprocess.run([sys.executable, "-c", code], check=True, capture_output=True)
