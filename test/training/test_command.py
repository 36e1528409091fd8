# Copyright 2026 mixformer2_ros contributors
# SPDX-License-Identifier: Apache-2.0
"""The command as it is used: real processes, killed and resumed, and several at once."""

from __future__ import annotations

import io
import json
import os
import re
import socket
import subprocess
import sys
import time
from pathlib import Path

import pytest
import torch

from mixformer2_ros.cli import main
from mixformer2_ros.model import read_checkpoint
from mixformer2_ros.training.checkpoints import Store
from mixformer2_ros.training.runner import STATE

RECIPE = {
    "depth": 2, "width": 64, "mlp_ratio": 1, "search_size": 96, "template_size": 48,
    "groups": 4, "searches": 2, "windows": [[0.0, 4], [0.5, 6]], "equal_templates": [[0.0, 0.5]],
    "precision": "fp32", "validation_samples": 1,
    "optimiser": {"average": 0.9},
    "data": {"sprites": 4, "backgrounds": 2, "scene_clips": 2},
}  # fmt: skip


def _recipe(folder: Path, **fields: object) -> Path:
    path = folder / "recipe.json"
    path.write_text(json.dumps({**RECIPE, **fields}))
    return path


def _start(*arguments: object, **environment: str) -> subprocess.Popen:
    return subprocess.Popen(
        [sys.executable, "-m", "mixformer2_ros.training", *map(str, arguments), "--workers", "0"],
        env={**os.environ, "OMP_NUM_THREADS": "1", **environment},
        start_new_session=True,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
    )


def _finish(process: subprocess.Popen) -> None:
    _, errors = process.communicate(timeout=240)
    assert process.returncode == 0, errors


def _state(folder: Path) -> dict:
    return torch.load(io.BytesIO(Store(folder).read(STATE)), weights_only=True)


def _difference(first: dict, second: dict) -> float:
    return max((first[name] - second[name]).abs().max().item() for name in first)


def _wait_for_steps(process: subprocess.Popen, log: Path, steps: int) -> None:
    deadline = time.monotonic() + 240
    while not log.exists() or f'"step": {steps}' not in log.read_text():
        assert process.poll() is None, process.communicate()[1]
        assert time.monotonic() < deadline
        time.sleep(0.01)


@pytest.mark.timeout(600)
def test_after_a_kill_the_same_command_ends_like_an_uninterrupted_one(tmp_path):
    recipe = _recipe(tmp_path, optimiser={"kind": "muon", "patch_lr": 0.0, "average": 0.9})
    options = ("--steps", 14, "--threads", 1, "--checkpoint", 0, "--parts", 1)
    whole, broken = tmp_path / "whole", tmp_path / "broken"
    uninterrupted = _start(recipe, "--out", whole, *options)
    killed = _start(recipe, "--out", broken, *options)
    # It saves at every step, so the kill comes at no special moment of a save.
    _wait_for_steps(killed, broken / "log.jsonl", 6)
    killed.kill()
    killed.communicate()
    assert not (broken / "finished.json").exists()
    assert 5 <= _state(broken)["step"] < 14
    _finish(_start(recipe, "--out", broken, *options))
    _finish(uninterrupted)
    expected, found = _state(whole), _state(broken)
    for part in ("stage", "average"):
        for name, value in expected[part].items():
            assert torch.equal(value, found[part][name]), name
    assert max(path.stat().st_size for path in broken.iterdir()) <= 1_000_000
    assert main(["train", "--join", str(tmp_path)]) == 0
    weights = [(folder / "weights.safetensors").read_bytes() for folder in (whole, broken)]
    assert weights[0] == weights[1]


@pytest.mark.timeout(600)
def test_two_processes_equal_one_with_the_doubled_batch(tmp_path):
    recipe = _recipe(tmp_path)
    options = ("--steps", 6, "--threads", 1)
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = str(free.getsockname()[1])
    # What torchrun sets.
    shared = {"WORLD_SIZE": "2", "MASTER_ADDR": "127.0.0.1", "MASTER_PORT": port}
    pair = [
        _start(recipe, "--out", tmp_path / "two", *options, RANK=rank, LOCAL_RANK=rank, **shared)
        for rank in ("0", "1")
    ]
    alone = _start(recipe, "--out", tmp_path / "one", *options)
    for process in (*pair, alone):
        _finish(process)
    one, two = _state(tmp_path / "one"), _state(tmp_path / "two")
    assert one["step"] == two["step"] == 6
    moved = _difference(one["stage"], _initial(recipe))
    assert moved > 1e-3
    assert _difference(one["stage"], two["stage"]) < 1e-5
    assert _difference(one["average"], two["average"]) < 1e-5


def _initial(recipe: Path) -> dict:
    from mixformer2_ros.training.config import read_config
    from mixformer2_ros.training.stages import build_stage

    return build_stage(read_config(recipe)).state_dict()


def _run(*arguments: object) -> int:
    return main(["train", *map(str, arguments), "--workers", "0"])


def test_the_recipe_as_json_trains_the_same(tmp_path, monkeypatch):
    pytest.importorskip("yaml")
    recipe = tmp_path / "recipe.yaml"
    recipe.write_text(json.dumps(RECIPE))  # JSON is YAML, too
    assert _run(recipe, "--json", tmp_path / "all.json") == 0
    # Stands for a machine without PyYAML.
    monkeypatch.setitem(sys.modules, "yaml", None)
    assert _run(tmp_path / "all.json", "--out", tmp_path / "out", "--steps", 1) == 0
    weights = read_checkpoint(tmp_path / "out" / "weights.safetensors")
    assert len({name.split(".")[2] for name in weights if ".blocks." in name}) == 2
    report = json.loads((tmp_path / "out" / "finished.json").read_text())
    assert (report["steps"], report["crops"]) == (1, 8)
    # Nothing is left to do.
    assert _run(tmp_path / "all.json", "--out", tmp_path / "out", "--steps", 1) == 0


@pytest.mark.parametrize("recipe", ["small_gpu", "base_gpu"])
def test_the_recipes_for_gpus_end_with_parts_that_are_not_too_large(tmp_path, recipe: str):
    """Everything but the sizes is as on a GPU; the generator renders on the CPU here."""
    pytest.importorskip("yaml")
    assert _run(recipe, "--json", tmp_path / "whole.json") == 0
    values = json.loads((tmp_path / "whole.json").read_text())
    values |= {"depth": 2, "width": 64, "mlp_ratio": 1, "groups": 2, "validation_samples": 1}
    values |= {"search_size": 96, "template_size": 48}
    values["data"] |= {"sprites": 4, "backgrounds": 2, "scene_clips": 2}
    (tmp_path / "tiny.json").write_text(json.dumps(values))
    out = tmp_path / "out"
    assert _run(tmp_path / "tiny.json", "--out", out, "--steps", 3, "--parts", 16) == 0
    parts = sorted(out.glob("weights.safetensors.*.0*"))
    assert [path.stat().st_size for path in parts][:-1] == [16_000_000] * (len(parts) - 1)
    assert main(["train", "--join", str(out)]) == 0
    assert "score_scale" in (out / "log.jsonl").read_text().splitlines()[-1]
    weights = read_checkpoint(out / "weights.safetensors")
    assert weights["backbone.patch_embed.proj.weight"].shape == (768, 3, 16, 16)


def test_yaml_without_its_reader_is_an_error_with_the_cure(tmp_path, monkeypatch, capsys):
    recipe = tmp_path / "recipe.yaml"
    recipe.write_text("seed: 1\n")
    monkeypatch.setitem(sys.modules, "yaml", None)
    assert _run(recipe, "--out", tmp_path / "out") == 2
    assert "--json on another machine" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["recipe.json"], "give --out"),
        ([], "give a recipe"),
        (["none.yaml", "--out", "out"], r"none.yaml cannot be read .*check the path"),
        (["recipe.json", "--out", "out", "--data", "got10k"], "give KIND=FOLDER"),
        (["recipe.json", "--out", "out", "--start", "none.pt"], "start is 'none.pt', which is"),
        (["--join", "."], "nothing is kept in parts"),
    ],
)
def test_bad_input_is_explained(tmp_path, monkeypatch, capsys, arguments, message):
    monkeypatch.chdir(tmp_path)
    _recipe(tmp_path)
    assert _run(*arguments) == 2
    assert re.search(message, capsys.readouterr().err)
