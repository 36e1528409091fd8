# Copyright 2026 mixformer2_ros contributors
# SPDX-License-Identifier: Apache-2.0
"""Bad files of the training material: named once, skipped, and counted at the end."""

from __future__ import annotations

import logging
from pathlib import Path

_LOG = logging.getLogger(__name__)
_SHOWN = 5


class SkippedFiles:
    """Why files were skipped, collected from all processes of a training.

    Every process that makes samples has a copy; they share a text file, to which each appends the
    lines that are new to it.

    Args:
        path: The text file; None keeps what this process met alone.
    """

    def __init__(self, path: Path | None = None) -> None:
        self._path = path
        self._known: dict[str, None] = {}

    def add(self, reason: object) -> None:
        """Remember why a file was skipped; the text names the file."""
        line = " ".join(str(reason).split())
        if line in self._known:
            return
        self._known[line] = None
        _LOG.warning("skipped: %s", line)
        if self._path is not None:
            self._path.parent.mkdir(parents=True, exist_ok=True)
            with self._path.open("a", encoding="utf-8") as file:
                file.write(line + "\n")

    def reasons(self) -> list[str]:
        """Return why, one line a file, of all processes so far."""
        if self._path is None or not self._path.is_file():
            return list(self._known)
        return list(dict.fromkeys(self._path.read_text(encoding="utf-8").splitlines()))

    def report(self) -> str:
        """Return the count and the first of them in words."""
        reasons = self.reasons()
        if not reasons:
            return "no file of the training material was skipped"
        where = f", all in {self._path}" if self._path is not None else ""
        shown = "".join(f"\n  {reason}" for reason in reasons[:_SHOWN])
        return f"{len(reasons)} files of the training material were skipped{where}:{shown}"
