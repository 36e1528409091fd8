# Copyright 2026 mixformer2_ros contributors
# SPDX-License-Identifier: Apache-2.0
"""Libraries that only some commands need."""

from __future__ import annotations

from importlib.util import find_spec


class MissingExtraError(RuntimeError):
    """An optional library is not installed; the message says how to get it."""


def require(extra: str, *modules: str) -> None:
    """Check that the libraries of an extra are installed.

    Args:
        extra: Name of the extra in pyproject.toml.
        modules: What it brings, as imported.

    Raises:
        MissingExtraError: Something is not installed.
    """
    missing = [module for module in modules if find_spec(module) is None]
    if missing:
        raise MissingExtraError(
            f"{' and '.join(missing)} not installed: pip install 'mixformer2_ros[{extra}]'"
        )
