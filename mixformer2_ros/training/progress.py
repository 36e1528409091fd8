# Copyright 2026 mixformer2_ros contributors
# SPDX-License-Identifier: Apache-2.0
"""What a training reports: JSON lines always; a progress bar and TensorBoard where installed."""

from __future__ import annotations

import importlib
import json
import logging
import os
import sys
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

_LOG = logging.getLogger(__name__)
_CONSOLE_SECONDS = 10.0
_EVENT_WRITERS = ("torch.utils.tensorboard", "tensorboardX")


class Progress:
    """Reports one stage.

    Args:
        folder: Takes `log.jsonl` and TensorBoard's events.
        step: Step at which the training goes on; records beyond it, of a run that was killed after
            its last checkpoint, are dropped.
        title: Shown before the bar.
    """

    def __init__(self, folder: Path, step: int, title: str = "") -> None:
        self._path = folder / "log.jsonl"
        self._drop_after(step)
        self._events = _event_writer(folder, step)
        self._bar = _bar(title)
        self._shown = float("-inf")

    def show(self, share: float, record: Mapping[str, Any]) -> None:
        """Report figures of the training itself: the console sees some of them only.

        Args:
            share: Of the training that is over.
            record: Figures by name, "step" among them.
        """
        self._write(record)
        if self._bar is not None:
            self._bar.n = min(round(100.0 * share, 1), 100.0)
            self._bar.set_postfix(
                {name: record[name] for name in ("loss", "iou") if name in record}
            )
        elif time.monotonic() - self._shown > _CONSOLE_SECONDS:
            _LOG.info("%s", _line(record))
            self._shown = time.monotonic()

    def tell(self, record: Mapping[str, Any]) -> None:
        """Report figures that are rare and always shown."""
        self._write(record)
        if self._bar is not None:
            self._bar.write(_line(record), file=sys.stderr)
        else:
            _LOG.info("%s", _line(record))

    def close(self) -> None:
        """End the bar and flush the events."""
        if self._bar is not None:
            self._bar.close()
        if self._events is not None:
            self._events.close()

    def _write(self, record: Mapping[str, Any]) -> None:
        with self._path.open("a", encoding="utf-8") as file:
            file.write(json.dumps(record) + "\n")
        if self._events is not None:
            prefix = f"{record['set']}/" if "set" in record else ""
            for name, value in record.items():
                if isinstance(value, float):
                    self._events.add_scalar(prefix + name, value, record["step"])

    def _drop_after(self, step: int) -> None:
        if not self._path.exists():
            return
        lines = self._path.read_text(encoding="utf-8").splitlines(keepends=True)
        kept = [line for line in lines if _step_of(line) <= step]
        partial = self._path.with_suffix(".partial")
        partial.write_text("".join(kept), encoding="utf-8")
        os.replace(partial, self._path)


def _step_of(line: str) -> float:
    """Return a record's step; infinity for a line that was cut off."""
    try:
        return float(json.loads(line)["step"])
    except (ValueError, KeyError, TypeError):
        return float("inf")


def _line(record: Mapping[str, Any]) -> str:
    return " ".join(f"{name}={value}" for name, value in record.items())


def _bar(title: str) -> Any:
    if not sys.stderr.isatty():
        return None
    try:
        from tqdm import tqdm
    except ImportError:
        return None
    form = "{desc}{percentage:5.1f}% |{bar}| {elapsed}<{remaining}{postfix}"
    return tqdm(total=100.0, desc=title, bar_format=form)


def _event_writer(folder: Path, step: int) -> Any:
    """Return TensorBoard's writer, of whichever package has one; None without."""
    for module in _EVENT_WRITERS:
        try:
            writer = importlib.import_module(module).SummaryWriter
        except ImportError:
            continue
        return writer(str(folder / "events"), purge_step=step or None)
    return None
