# Copyright 2026 mixformer2_ros contributors
# SPDX-License-Identifier: Apache-2.0
"""Several stages one after another, each beginning with, or learning from, what earlier ones gave.

A chain file (YAML or JSON):

    stages:
      - name: teacher           # also the folder of the stage's results
        config: teacher.yaml    # beside the chain file; or the fields themselves
        share: 3                # of the time or steps, relative to the other stages; 1 by default
      - name: student
        config: dense_to_sparse.yaml
        teacher: teacher        # in place of the configuration's own; likewise start
"""

from __future__ import annotations

import logging
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from mixformer2_ros.training.config import (
    ConfigError,
    TrainingConfig,
    as_dict,
    build_config,
    read_mapping,
)
from mixformer2_ros.training.pipeline import Machine, train
from mixformer2_ros.training.schedule import Budget, configured_budget

_LOG = logging.getLogger(__name__)
_FIELDS = ("name", "config", "share", "start", "teacher")
_WEIGHTS_OF = ("start", "teacher")


@dataclass(frozen=True)
class Link:
    """One stage of a chain.

    Attributes:
        name: Name of the stage and of its folder; empty for a stage on its own.
        config: The run; `start` and `teacher` may be names of earlier stages.
        share: Share of the budget, relative to the other stages.
    """

    name: str
    config: TrainingConfig
    share: float = 1.0


def read_chain(path: Path) -> list[Link]:
    """Read a chain file, or the configuration of a single stage.

    Raises:
        ConfigError: The file cannot be used; the message names the field.
    """
    values = read_mapping(path)
    if not isinstance(values, dict) or "stages" not in values:
        return [Link("", build_config(values, str(path)))]
    if not isinstance(values["stages"], list) or not values["stages"]:
        raise ConfigError(f"{path}: stages: expected a list of stages")
    links: list[Link] = []
    for index, entry in enumerate(values["stages"]):
        where = f"{path}: stages: {index}"
        link = _read_link(entry, path.parent, where)
        if link.name in {other.name for other in links}:
            raise ConfigError(f"{where}: name {link.name!r} is taken: give every stage its own")
        links.append(link)
    return links


def _read_link(entry: Any, folder: Path, where: str) -> Link:
    if not isinstance(entry, dict) or not {"name", "config"} <= set(entry) <= set(_FIELDS):
        raise ConfigError(f"{where}: expected name, config and perhaps {', '.join(_FIELDS[2:])}")
    name, share = entry["name"], entry.get("share", 1.0)
    if not isinstance(name, str) or not name or Path(name).name != name:
        raise ConfigError(f"{where}: name is {name!r}: give one that can be a folder")
    if not isinstance(share, (int, float)) or share <= 0:
        raise ConfigError(f"{where}: share is {share!r}: give a number above 0")
    values = entry["config"]
    if isinstance(values, str):
        where, values = str(folder / values), read_mapping(folder / values)
    if isinstance(values, dict):
        values = {**values, **{key: entry[key] for key in _WEIGHTS_OF if key in entry}}
    return Link(name, build_config(values, where), float(share))


def as_mapping(links: list[Link]) -> dict[str, Any]:
    """Return a chain, or a stage on its own, as plain data that `read_chain` reads again."""
    if not links[0].name:
        return as_dict(links[0].config)
    return {
        "stages": [
            {"name": link.name, "share": link.share, "config": as_dict(link.config)}
            for link in links
        ]
    }


def train_chain(links: list[Link], budget: Budget | None, out: Path, machine: Machine) -> None:
    """Train all stages; those that are done are passed over, one that was broken off is resumed.

    Args:
        links: The stages in order.
        budget: Shared out among the stages; None for the epochs of each configuration.
        out: Folder for the stages' folders; that of the results themselves for a single stage.
        machine: Device and material.

    Raises:
        ConfigError: A stage's weights are neither a stage before it nor a file.
    """
    total = sum(link.share for link in links)
    earlier: dict[str, Path] = {}
    runs = []
    for link in links:
        runs.append(_located(link, earlier))
        earlier[link.name] = out / link.name
    for link, config in zip(links, runs, strict=True):
        own = configured_budget(config) if budget is None else budget.part(link.share / total)
        if link.name:
            _LOG.info("stage %s", link.name)
        train(config, own, out / link.name, machine)


def _located(link: Link, earlier: dict[str, Path]) -> TrainingConfig:
    """Return the configuration with paths in place of earlier stages' names."""
    paths: dict[str, Any] = {}
    for field in _WEIGHTS_OF:
        given = getattr(link.config, field)
        if given is None:
            continue
        path = earlier.get(given, Path(given).expanduser())
        if given not in earlier and not path.exists():
            known = ", ".join(name for name in earlier if name)
            raise ConfigError(
                f"{link.name or link.config.stage}: {field} is {given!r}, which is neither a file "
                f"nor an earlier stage{f' ({known})' if known else ''}: correct the name or path"
            )
        paths[field] = str(path)
    return replace(link.config, **paths)
