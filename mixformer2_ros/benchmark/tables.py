# Copyright 2026 mixformer2_ros contributors
# SPDX-License-Identifier: Apache-2.0
"""What was measured, as JSON and as Markdown."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, TypeAlias

import numpy as np

Cell: TypeAlias = "str | int | float | None"


@dataclass(frozen=True)
class Table:
    """Figures of one measurement.

    Attributes:
        name: What documents call it, unique within a report.
        title: What was measured under which conditions.
        columns: Head of each column, with its unit.
        rows: A cell per column; None where there is nothing to say.
        notes: What is to be known beside it, such as what could not be measured and why.
        failures: Limits that were broken.
    """

    name: str
    title: str
    columns: tuple[str, ...]
    rows: Sequence[Sequence[Cell]]
    notes: tuple[str, ...] = ()
    failures: tuple[str, ...] = ()

    def markdown(self, only: str = "") -> str:
        """Return the table with its title and its notes.

        Args:
            only: Leave out notes, and rows whose first cell does not contain this.
        """
        lines = [f"**{self.title}**", "", f"| {' | '.join(self.columns)} |"]
        lines.append("|---" * len(self.columns) + "|")
        rows = [list(map(shown, row)) for row in self.rows]
        lines += [f"| {' | '.join(row)} |" for row in rows if only in row[0]]
        remarks = [*self.notes, *(f"Limit broken: {text}" for text in self.failures)]
        if remarks and not only:
            lines += ["", *(f"- {text}" for text in remarks)]
        return "\n".join(lines)


@dataclass(frozen=True)
class Report:
    """The tables of one command.

    Attributes:
        command: What repeats it.
        machine: What it was measured on.
        tables: What was measured.
    """

    command: str
    machine: dict[str, str]
    tables: list[Table]

    def markdown(self) -> str:
        """Return all tables below the command and the machine."""
        features = ", ".join(f"{name}: {value}" for name, value in self.machine.items())
        tables = (table.markdown() for table in self.tables)
        return "\n\n".join([f"`{self.command}`", features, *tables]) + "\n"

    def write(self, path: Path) -> None:
        """Write it as JSON."""
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(json.dumps(asdict(self), indent=1) + "\n")

    @classmethod
    def read(cls, path: Path) -> Report:
        """Read what `write` wrote.

        Raises:
            ValueError: The file was written by something else.
        """
        try:
            content = json.loads(path.read_text())
            tables = [_table(entry) for entry in content["tables"]]
            return cls(content["command"], content["machine"], tables)
        except (KeyError, TypeError, ValueError) as error:
            raise ValueError(
                f"{path} is no result of `mixformer2 benchmark ... --json` ({error}): remove it"
            ) from error


def _table(entry: dict[str, Any]) -> Table:
    return Table(
        entry["name"],
        entry["title"],
        tuple(entry["columns"]),
        entry["rows"],
        tuple(entry["notes"]),
        tuple(entry["failures"]),
    )


def shown(cell: Cell) -> str:
    """Return a cell as text; numbers with three digits that count."""
    if cell is None:
        return ""
    if isinstance(cell, float):
        digits = 0 if abs(cell) >= 100 else 1 if abs(cell) >= 10 else 2
        return f"{cell:.{digits}f}"
    return str(cell)


def median(seconds: Sequence[float]) -> float:
    """Return the median in milliseconds."""
    return float(np.median(seconds)) * 1e3


def p99(seconds: Sequence[float]) -> float:
    """Return the 99th percentile in milliseconds."""
    return float(np.percentile(seconds, 99)) * 1e3
