# Copyright 2026 mixformer2_ros contributors
# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import dataclasses
import inspect
import json
import typing
from pathlib import Path

import pytest

import mixformer2_ros.training.config as module
from mixformer2_ros.training.chain import read_chain
from mixformer2_ros.training.config import (
    ConfigError,
    TrainingConfig,
    as_dict,
    build_config,
    read_config,
    read_mapping,
    trained_variant,
    written_variant,
)

CONFIGS = sorted((Path(module.__file__).parent / "configs").glob("*.yaml"))


@pytest.mark.parametrize("path", CONFIGS, ids=lambda path: path.stem)
def test_shipped_configurations_are_valid(path: Path):
    values = read_mapping(path)
    if "stages" in values:
        links = read_chain(path)
        assert len(links) == len(values["stages"])
    else:
        config = read_config(path)
        grid = written_variant(config).search_size // 16
        assert [side for _, side in config.windows][-1:] in ([], [grid])


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


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"stage": "two"}, "c: stage is 'two': choose one of one_stage, teacher"),
        ({"variant": "large"}, "c: variant is 'large': choose one of small, base"),
        ({"precision": "fp16"}, "c: precision is 'fp16': choose one of bf16, fp32"),
        ({"groups": 0}, "c: groups is 0: give a number above 0"),
        ({"groups": 2.5}, "c: groups is 2.5: give a whole number"),
        ({"compile": 1}, "c: compile is 1: give true or false"),
        ({"windows": [[0.0]]}, r"c: windows is \[0.0\]: give a list of 2 values"),
        ({"windows": 3}, "c: windows is 3: give a list"),
        ({"optimiser": {"kind": "sgd"}}, "c: optimiser: kind is 'sgd': choose one of adamw, muon"),
        ({"optimiser": {"adam_lr": "1e-3"}}, r"c: optimiser: adam_lr is '1e-3': .*write 1.0e-3"),
        ({"optimiser": {"average": 1.0}}, "c: optimiser: average is 1.0: give a decay"),
        (
            {"data": {"video_weights": {"a": "b"}}},
            "c: data: video_weights: a is 'b': give a number",
        ),
    ],
)
def test_a_bad_value_is_named_with_the_cure(values, message):
    with pytest.raises(ConfigError, match=message):
        build_config(values, "c")


def test_a_width_that_is_no_multiple_of_a_head_is_a_configuration_error():
    with pytest.raises(ConfigError, match="width 100 does not fit"):
        trained_variant(build_config({"width": 100}, "c"))


def test_a_configuration_as_plain_data_builds_the_same():
    config = build_config({"width": 256, "windows": [[0.0, 5]], "data": {"sprites": 3}}, "c")
    assert build_config(json.loads(json.dumps(as_dict(config))), "c") == config


@pytest.mark.parametrize("name", ["c.json", "c.yaml"])
def test_a_file_that_cannot_be_read_is_named(tmp_path, name: str):
    (tmp_path / name).write_text("{a: [")
    with pytest.raises(ConfigError, match=rf"{name} cannot be read"):
        read_config(tmp_path / name)


def _configurations(kind: type) -> list[type]:
    own = typing.get_type_hints(kind).values()
    below = [_configurations(hint) for hint in own if dataclasses.is_dataclass(hint)]
    return [kind, *(part for parts in below for part in parts)]


@pytest.mark.parametrize("kind", _configurations(TrainingConfig), ids=lambda kind: kind.__name__)
def test_every_field_is_documented(kind: type):
    documented = inspect.getdoc(kind).partition("Attributes:")[2]
    missing = [
        field.name
        for field in dataclasses.fields(kind)
        if f"\n    {field.name}: " not in documented
    ]
    assert not missing
