# Copyright 2026 mixformer2_ros contributors
# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import json
from pathlib import Path

import pytest
import torch

from mixformer2_ros.training.chain import as_mapping, read_chain, train_chain
from mixformer2_ros.training.config import ConfigError
from mixformer2_ros.training.pipeline import Machine
from mixformer2_ros.training.runner import Trainer
from mixformer2_ros.training.schedule import Budget
from mixformer2_ros.training.weights import read_weights

TINY = {
    "depth": 2, "width": 64, "mlp_ratio": 1, "search_size": 96, "template_size": 48,
    "stage": "dense_to_sparse", "groups": 2, "searches": 1, "precision": "fp32",
    "validation_samples": 1, "data": {"sprites": 3, "backgrounds": 2, "scene_clips": 2},
}  # fmt: skip
MACHINE = Machine(workers=0, part_bytes=300_000)


@pytest.fixture
def chain(tmp_path: Path) -> Path:
    """Two stages; the second learns from the first."""
    first = {**TINY, "stage": "teacher", "corner": {"channels": 16, "pyramid": False}}
    (tmp_path / "first.json").write_text(json.dumps(first))
    stages = [
        {"name": "dense", "config": "first.json", "share": 3},
        {"name": "sparse", "config": TINY, "teacher": "dense"},
    ]
    path = tmp_path / "chain.json"
    path.write_text(json.dumps({"stages": stages}))
    return path


def _steps(folder: Path) -> int:
    return json.loads((folder / "finished.json").read_text())["steps"]


def test_a_chain_that_is_broken_off_goes_on_where_it_was(chain, tmp_path, monkeypatch):
    links = read_chain(chain)
    train_chain(links, Budget(steps=8), tmp_path / "whole", MACHINE)
    assert (_steps(tmp_path / "whole/dense"), _steps(tmp_path / "whole/sparse")) == (6, 2)

    class Killed(BaseException):
        pass

    trained = []
    step = Trainer.train_step

    def dying(trainer: Trainer, batch):
        trained.append(trainer.step)
        if len(trained) in (4, 9):
            raise Killed
        return step(trainer, batch)

    monkeypatch.setattr(Trainer, "train_step", dying)
    every_step = Machine(workers=0, checkpoint_seconds=-1.0)
    for _ in range(2):
        with pytest.raises(Killed):
            train_chain(links, Budget(steps=8), tmp_path / "parts", every_step)
    train_chain(links, Budget(steps=8), tmp_path / "parts", every_step)
    assert trained == [0, 1, 2, 3, 3, 4, 5, 0, 1, 1]
    expected, found = (read_weights(tmp_path / name / "sparse") for name in ("whole", "parts"))
    assert expected.keys() == found.keys()
    assert all(torch.equal(value, found[name]) for name, value in expected.items())


def test_a_chain_as_plain_data_is_the_same_chain(chain, tmp_path):
    links = read_chain(chain)
    (tmp_path / "all.json").write_text(json.dumps(as_mapping(links)))
    assert read_chain(tmp_path / "all.json") == links


def test_minutes_are_shared_out():
    assert Budget(minutes=20.0).part(0.75) == Budget(minutes=15.0)
    assert Budget(steps=2).part(0.1) == Budget(steps=1)


@pytest.mark.parametrize(
    ("stages", "message"),
    [
        ([], "stages: expected a list"),
        ([{"name": "a"}], "stages: 0: expected name, config"),
        ([{"name": "a/b", "config": TINY}], "stages: 0: name is 'a/b': give one that can be"),
        ([{"name": "a", "config": TINY, "share": 0}], "stages: 0: share is 0: give a number"),
        ([{"name": "a", "config": TINY}] * 2, "stages: 1: name 'a' is taken"),
        ([{"name": "a", "config": "none.json"}], "none.json cannot be read"),
        ([{"name": "a", "config": {"sed": 1}}], "stages: 0: there is no field sed"),
    ],
)
def test_a_bad_chain_is_explained(tmp_path, stages, message):
    (tmp_path / "chain.json").write_text(json.dumps({"stages": stages}))
    with pytest.raises(ConfigError, match=message):
        read_chain(tmp_path / "chain.json")


def test_weights_of_a_later_stage_are_refused_before_anything_is_trained(tmp_path):
    stages = [
        {"name": "a", "config": TINY, "start": "b"},
        {"name": "b", "config": TINY},
    ]
    (tmp_path / "chain.json").write_text(json.dumps({"stages": stages}))
    with pytest.raises(ConfigError, match="a: start is 'b', which is neither a file nor"):
        train_chain(read_chain(tmp_path / "chain.json"), None, tmp_path / "out", MACHINE)
    assert not (tmp_path / "out").exists()
