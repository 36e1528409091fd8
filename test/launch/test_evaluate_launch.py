# Copyright 2026 mixformer2_ros contributors
# SPDX-License-Identifier: Apache-2.0
"""evaluate.launch.py on the real launch stack, with the real nodes."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest

NO_LAUNCH = "launch_ros is not here (the ROS 2 wheels do not carry it)"
launch = pytest.importorskip("launch", reason=NO_LAUNCH)
pytest.importorskip("launch_ros", reason=NO_LAUNCH)
pytest.importorskip("mixformer2_ros.srv", reason="the interfaces are not built")
pytest.importorskip("torch", reason="PyTorch is not here")

from launch.actions import IncludeLaunchDescription  # noqa: E402
from launch.launch_description_sources import PythonLaunchDescriptionSource  # noqa: E402
from safetensors.torch import save_file  # noqa: E402

from mixformer2_ros.evaluation.results import ResultStore  # noqa: E402
from mixformer2_ros.model import build_model  # noqa: E402

FILE = Path(__file__).resolve().parents[2] / "launch" / "evaluate.launch.py"
COUNT = 8


def run(**arguments: str) -> int:
    source = PythonLaunchDescriptionSource(str(FILE))
    include = IncludeLaunchDescription(source, launch_arguments=arguments.items())
    service = launch.LaunchService(noninteractive=True)
    service.include_launch_description(launch.LaunchDescription([include]))
    return int(service.run())


@pytest.fixture
def sequence(tmp_path: Path) -> Path:
    folder = tmp_path / "sequence"
    (folder / "img").mkdir(parents=True)
    noise = np.random.default_rng(3).integers(0, 256, (12, 16, 3), dtype=np.uint8)
    scene = cv2.resize(noise, (160, 120))
    for i in range(COUNT):
        cv2.imwrite(str(folder / "img" / f"{i:03d}.png"), np.roll(scene, 2 * i, axis=1))
    rows = "\n".join(f"{40 + 2 * i},40,36,30" for i in range(COUNT))
    (folder / "groundtruth_rect.txt").write_text(rows)
    return folder


def test_a_source_is_played_to_the_tracker_and_scored(
    sequence: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ROS_AUTOMATIC_DISCOVERY_RANGE", "LOCALHOST")
    weights = tmp_path / "weights.safetensors"
    save_file(build_model("small").half().state_dict(), weights)
    out = tmp_path / "out"
    arguments: dict[str, Any] = {"video_source": str(sequence), "rate": "2.0", "device": "cpu"}

    assert run(**arguments, checkpoint=str(weights), out=str(out), name="short") == 0

    result = ResultStore(out / "results").read("published", "short")
    assert 2 <= len(result) <= COUNT
    assert result.meta["streaming"]["median_latency"] > 0


def test_something_has_to_be_played(caplog: pytest.LogCaptureFixture) -> None:
    assert run() != 0
    assert "give either video_source:=... or bag:=..." in caplog.text
