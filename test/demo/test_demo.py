# Copyright 2026 mixformer2_ros contributors
# SPDX-License-Identifier: Apache-2.0
"""The whole demo with real processes and random weights: that it runs, not how well it tracks."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path

import cv2
import numpy as np
import pytest

from mixformer2_ros.demo.__main__ import main

pytest.importorskip("rclpy", reason="ROS 2 is not here: source it or use make test")
pytest.importorskip("mixformer2_ros.srv", reason="the messages are not built")
torch = pytest.importorskip("torch", reason="PyTorch is not installed")

# Five seconds: on a busy machine it takes some until the target is caught up.
FRAMES = 150
COMMAND = [sys.executable, "-m", "mixformer2_ros.demo"]


@pytest.fixture(scope="module")
def checkpoint(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Random weights of a network that is always sure to see its target."""
    from safetensors.torch import save_file

    from mixformer2_ros.model import build_model

    torch.manual_seed(0)
    model = build_model("small")
    with torch.no_grad():
        model.score_head.layers[1].bias += 5
    path = tmp_path_factory.mktemp("weights") / "random.safetensors"
    save_file({name: value.half().contiguous() for name, value in model.state_dict().items()}, path)
    return path


@pytest.fixture
def sequence(tmp_path: Path) -> Path:
    folder = tmp_path / "sequence"
    (folder / "img").mkdir(parents=True)
    lines = []
    for k in range(FRAMES):
        image = np.full((120, 160, 3), 70, np.uint8)
        cv2.rectangle(image, (40 + k // 3, 50), (59 + k // 3, 69), (0, 0, 255), -1)
        cv2.imwrite(str(folder / "img" / f"{k:03d}.png"), image)
        lines.append(f"{40 + k // 3},50,20,20")
    (folder / "groundtruth_rect.txt").write_text("\n".join(lines))
    return folder


def _run(*arguments: object, **options: object) -> subprocess.CompletedProcess[str]:
    command = [*COMMAND, *(str(argument) for argument in arguments)]
    return subprocess.run(command, capture_output=True, text=True, timeout=110, **options)


def _orphans(marker: Path) -> list[str]:
    """Processes whose command line or environment names a path of this test."""
    found = []
    for entry in Path("/proc").iterdir():
        if entry.name.isdecimal() and int(entry.name) != os.getpid():
            try:
                line = (entry / "cmdline").read_text().replace("\0", " ")
            except OSError:
                continue
            if str(marker) in line:
                found.append(line)
    return found


def test_the_demo_follows_and_writes_its_pictures(
    sequence: Path, checkpoint: Path, tmp_path: Path
) -> None:
    out = tmp_path / "out"
    done = _run("--source", sequence, "--checkpoint", checkpoint, "--out", out)
    assert done.returncode == 0, done.stdout + done.stderr
    figures = next(line for line in done.stdout.splitlines() if line.startswith("frames "))
    for part in (f"frames {FRAMES}", "tracked ", "mean IoU 0.", " ms", "detections/s"):
        assert part in figures
    if find_spec("matplotlib") and find_spec("jinja2"):
        page = out / "report" / "report.html"
        assert done.stdout.strip().splitlines()[-1] == f"report: {page}"
        assert "the live node" in page.read_text()
    capture = cv2.VideoCapture(str(out / "demo.mp4"))
    assert int(capture.get(cv2.CAP_PROP_FRAME_COUNT)) == FRAMES
    capture.release()
    assert cv2.imread(str(out / "demo.png")) is not None
    assert not _orphans(tmp_path)


def test_a_tracker_that_cannot_start_ends_the_demo_with_its_reason(
    sequence: Path, tmp_path: Path
) -> None:
    missing = tmp_path / "none.safetensors"
    done = _run("--source", sequence, "--checkpoint", missing, "--out", tmp_path / "out")
    assert done.returncode == 1
    assert "none.safetensors" in done.stderr
    assert "Traceback" not in done.stderr
    assert not _orphans(tmp_path)


def test_an_interrupted_demo_leaves_nothing_behind(
    sequence: Path, checkpoint: Path, tmp_path: Path
) -> None:
    command = [*COMMAND, "--source", str(sequence), "--checkpoint", str(checkpoint)]
    process = subprocess.Popen(
        [*command, "--out", str(tmp_path / "out")], stdout=subprocess.PIPE, text=True
    )
    assert process.stdout is not None
    while "waiting for the tracker" not in process.stdout.readline():
        assert process.poll() is None
    process.send_signal(signal.SIGTERM)
    process.communicate(timeout=60)
    assert process.returncode == 128 + signal.SIGTERM
    assert not _orphans(tmp_path)


def test_missing_weights_are_said_plainly(
    sequence: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setattr("mixformer2_ros.demo.__main__.find_default_weights", lambda model: None)
    assert main(["--source", str(sequence), "--out", str(tmp_path)]) == 1
    assert "no default weights" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("source", "text"), [("nowhere.mp4", "does not exist"), ("SEQUENCE", "--box")]
)
def test_sources_that_cannot_be_used_are_exit_code_2(
    sequence: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], source: str, text: str
) -> None:
    (sequence / "groundtruth_rect.txt").unlink()
    source = str(sequence) if source == "SEQUENCE" else source
    assert main(["--source", source, "--out", str(tmp_path)]) == 2
    assert text in capsys.readouterr().err
