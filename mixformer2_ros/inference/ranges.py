# Copyright 2026 mixformer2_ros contributors
# SPDX-License-Identifier: Apache-2.0
"""The ranges of an int8 network as plain JSON, tied to the weights they were measured with."""

from __future__ import annotations

import hashlib
import json
import math
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from mixformer2_ros.checksums import file_sha256
from mixformer2_ros.inference.companions import read_companion
from mixformer2_ros.inference.engine import ModelError
from mixformer2_ros.model.variants import get_variant

RANGES_FORMAT = 1
RANGES_SUFFIX = ".int8.json"
# Of every bound; more would not change a rounded value.
_DIGITS = 5


@dataclass(frozen=True)
class Ranges:
    """How large the values are that enter a network's products with weights.

    Attributes:
        variant: Name of the network's variant.
        weights_sha256: Hash of the file of weights they were measured with.
        sources: What the crops come from.
        crops: Number of search crops.
        bounds: Product (its name in the graphs) to the largest absolute value that is kept; what
            is beyond is clipped.
    """

    variant: str
    weights_sha256: str
    sources: tuple[str, ...]
    crops: int
    bounds: dict[str, float]

    def digest(self) -> str:
        """Identify the ranges in a few characters."""
        return hashlib.sha256(self.to_json().encode()).hexdigest()[:16]

    def to_json(self) -> str:
        """Return the ranges as a JSON document."""
        content = asdict(self)
        content["bounds"] = {name: _rounded(bound) for name, bound in self.bounds.items()}
        return json.dumps({"format": RANGES_FORMAT, **content}, indent=1) + "\n"


def read_ranges(path: Path) -> Ranges:
    """Read a file of ranges.

    Raises:
        ModelError: It cannot be read, or is none.
    """
    cure = "measure them again with mixformer2 precision calibrate"
    return read_companion(path, RANGES_FORMAT, _ranges, "ranges", cure)


def _ranges(content: dict[str, Any]) -> Ranges:
    bounds = {str(name): float(bound) for name, bound in content["bounds"].items()}
    if not bounds or not all(math.isfinite(b) and b > 0 for b in bounds.values()):
        raise ValueError("bounds must be finite numbers above 0")
    return Ranges(
        variant=get_variant(content["variant"]).name,
        weights_sha256=str(content["weights_sha256"]),
        sources=tuple(map(str, content["sources"])),
        crops=int(content["crops"]),
        bounds=bounds,
    )


def ranges_path(weights: Path) -> Path:
    """Where the ranges of a file of weights lie: beside it."""
    return weights.with_name(weights.stem + RANGES_SUFFIX)


def find_ranges(weights: Path, weights_sha256: str | None = None) -> Ranges:
    """Return the ranges of a file of weights.

    Args:
        weights: The file.
        weights_sha256: Its hash, where that is known already.

    Raises:
        ModelError: There are none beside it, or they were measured with other weights.
    """
    path = ranges_path(weights)
    cure = f"mixformer2 precision calibrate --checkpoint {weights}"
    if not path.is_file():
        raise ModelError(
            f"precision 'int8' needs ranges measured on real crops, and {str(path)!r} is not "
            f"there: make it with {cure}"
        )
    ranges = read_ranges(path)
    if ranges.weights_sha256 != (weights_sha256 or file_sha256(weights)):
        raise ModelError(
            f"ranges {str(path)!r} were measured with other weights (sha256 "
            f"{ranges.weights_sha256[:16]}...): measure them again with {cure}"
        )
    return ranges


def _rounded(value: float) -> float:
    return float(f"{value:.{_DIGITS}g}")
