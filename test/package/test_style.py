# Copyright 2026 mixformer2_ros contributors
# SPDX-License-Identifier: Apache-2.0
"""The checks that every file passes."""

from __future__ import annotations

import importlib.util
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

ROOT = Path(__file__).resolve().parents[2]


def check(*command: str) -> None:
    if importlib.util.find_spec(command[0]) is None:
        pytest.skip(f"{command[0]} is not installed (pip install '.[dev]')")
    answer = subprocess.run(
        [sys.executable, "-m", *command], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert answer.returncode == 0, answer.stdout + answer.stderr


def test_ruff_finds_nothing() -> None:
    check("ruff", "check", ".")


def test_files_are_formatted() -> None:
    check("ruff", "format", "--check", ".")


@pytest.mark.timeout(600)
def test_types_are_right() -> None:
    if not np.__version__.startswith("2.4."):
        pytest.skip(f"types are checked against NumPy 2.4, and this is {np.__version__}")
    pytest.importorskip("torch", reason="PyTorch, whose types are needed, is not here")
    check("mypy")
