# Copyright 2026 mixformer2_ros contributors
# SPDX-License-Identifier: Apache-2.0
"""Plain data from YAML or JSON files, and dataclasses built of it."""

from __future__ import annotations

import dataclasses
import json
import types
import typing
from pathlib import Path
from typing import Any, TypeVar, Union

T = TypeVar("T")


class ConfigError(ValueError):
    """A configuration file cannot be used; the message names the field and the cure."""


def read_mapping(path: Path) -> Any:
    """Read plain data: JSON where the name ends in .json, else YAML.

    Raises:
        ConfigError: The file cannot be read.
    """
    try:
        text = path.read_text(encoding="utf-8")
        return json.loads(text) if path.suffix == ".json" else _parse_yaml(text, path)
    except OSError as error:
        raise ConfigError(f"{path} cannot be read ({error.strerror}): check the path") from error
    except ValueError as error:
        raise ConfigError(f"{path} cannot be read: {error}") from error


def _parse_yaml(text: str, path: Path) -> Any:
    try:
        import yaml
    except ImportError:
        raise ConfigError(
            f"{path} is YAML, which takes PyYAML to read: install it, or write {path.stem}.json "
            "with the option --json on another machine"
        ) from None
    try:
        return yaml.safe_load(text) or {}
    except yaml.YAMLError as error:
        raise ValueError(error) from error


def build(kind: type[T], values: Any, where: str) -> T:
    """Build a dataclass, and those in its fields, of plain data.

    Args:
        kind: The dataclass; its fields are plain values, tuples, dicts and dataclasses.
        values: Mapping of fields.
        where: Where the mapping stands, for messages.

    Raises:
        ConfigError: A field does not exist, or has a value that it cannot have.
    """
    if not isinstance(values, dict):
        raise ConfigError(f"{where}: expected a mapping of fields, found {values!r}")
    known = typing.get_type_hints(kind)
    unknown = sorted(set(values) - set(known))
    if unknown:
        raise ConfigError(
            f"{where}: there is no field {', '.join(unknown)}; the fields are {', '.join(known)}"
        )
    arguments = {
        name: _value(known[name], value, f"{where}: {name}") for name, value in values.items()
    }
    try:
        return kind(**arguments)
    except ConfigError as error:
        raise ConfigError(f"{where}: {error}") from error


_PLAIN = {int: "a whole number", float: "a number", str: "text", bool: "true or false"}


def _value(kind: Any, value: Any, where: str) -> Any:
    """Return `value` as the type `kind` of a field."""
    if dataclasses.is_dataclass(kind):
        return build(typing.cast("type[Any]", kind), value, where)
    parts = typing.get_args(kind)
    if typing.get_origin(kind) in (Union, types.UnionType):
        if value is None:
            return None
        return _value(next(part for part in parts if part is not type(None)), value, where)
    if typing.get_origin(kind) is tuple:
        if not isinstance(value, (list, tuple)):
            raise ConfigError(f"{where} is {value!r}: give a list")
        if parts[-1] is Ellipsis:
            parts = parts[:1] * len(value)
        if len(parts) != len(value):
            raise ConfigError(f"{where} is {value!r}: give a list of {len(parts)} values")
        return tuple(_value(part, item, where) for part, item in zip(parts, value, strict=True))
    if typing.get_origin(kind) is dict:
        if not isinstance(value, dict):
            raise ConfigError(f"{where} is {value!r}: give a mapping")
        return {key: _value(parts[1], item, f"{where}: {key}") for key, item in value.items()}
    accepted = (int, float) if kind is float else kind
    if not isinstance(value, accepted) or (isinstance(value, bool) and kind is not bool):
        hint = " (YAML reads 1e-3 as text: write 1.0e-3)" if kind is float else ""
        raise ConfigError(f"{where} is {value!r}: give {_PLAIN[kind]}{hint}")
    return value
