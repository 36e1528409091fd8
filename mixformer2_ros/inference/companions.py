# Copyright 2026 mixformer2_ros contributors
# SPDX-License-Identifier: Apache-2.0
"""JSON files that lie beside a file of weights and say what was measured with it."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

from mixformer2_ros.inference.engine import ModelError

T = TypeVar("T")


def read_companion(
    path: Path, version: int, parse: Callable[[dict[str, Any]], T], words: str, cure: str
) -> T:
    """Read a file beside weights.

    Args:
        path: The file.
        version: What its entry "format" must be.
        parse: Makes the result of the file's content; ValueError, KeyError, TypeError and
            AttributeError mean that it is damaged.
        words: What to call the file in a message.
        cure: What to do when it cannot be used.

    Raises:
        ModelError: It cannot be read, is of another format, or is damaged.
    """
    try:
        content = json.loads(path.read_text())
        if content["format"] != version:
            raise ValueError(f"format {content['format']}, not {version}")
        return parse(content)
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise ModelError(
            f"{words} {str(path)!r} cannot be used ({type(error).__name__}: {error}): {cure}"
        ) from error
