# Copyright 2026 mixformer2_ros contributors
# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

from pathlib import Path

import pytest

import mixformer2_ros.training.config as module
from mixformer2_ros.training.config import ConfigError, TrainingConfig, read_config

CONFIGS = sorted((Path(module.__file__).parent / "configs").glob("*.yaml"))


@pytest.mark.parametrize("path", CONFIGS, ids=lambda path: path.stem)
def test_shipped_configurations_are_valid(path: Path):
    config = read_config(path)
    assert config.windows[-1][1] == 14


def test_fields_that_are_not_named_keep_their_defaults(tmp_path):
    path = tmp_path / "c.yaml"
    path.write_text("seed: 4\ndata: {sprites: 3}\nwindows: [[0.0, 5]]\n")
    config = read_config(path)
    assert (config.seed, config.data.sprites, config.windows) == (4, 3, ((0.0, 5),))
    assert config.data.backgrounds == TrainingConfig().data.backgrounds


def test_an_unknown_field_is_named_with_the_known_ones(tmp_path):
    path = tmp_path / "c.yaml"
    path.write_text("data: {spritse: 3}\n")
    with pytest.raises(ConfigError, match=r"data: there is no field spritse; .*sprites"):
        read_config(path)


def test_a_list_is_no_configuration(tmp_path):
    path = tmp_path / "c.yaml"
    path.write_text("- 1\n")
    with pytest.raises(ConfigError, match="expected a mapping"):
        read_config(path)
