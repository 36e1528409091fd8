# Copyright 2026 mixformer2_ros contributors
# SPDX-License-Identifier: Apache-2.0
"""Which precision "auto" stands for: the fastest that was measured to keep the accuracy.

The measurement belongs to one file of weights and lies beside it; `mixformer2 precision compare
--record` makes it. Weights without one run in float32.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

from mixformer2_ros.checksums import file_sha256
from mixformer2_ros.inference import processor
from mixformer2_ros.inference.companions import read_companion
from mixformer2_ros.inference.engine import ModelError

MEASURED_FORMAT = 1
MEASURED_SUFFIX = ".precisions.json"

AUC_LOSS = 0.005
"""Most of the success AUC that a precision may lose against float32."""
AUROC_LOSS = 0.01
"""Most of the confidence's AUROC that it may lose."""

# On processors.
_FASTEST_FIRST = ("int8", "bf16")


class Accuracy(NamedTuple):
    """What a precision reached on a data set; both in [0, 1]."""

    success_auc: float
    confidence_auroc: float

    def holds(self, float32: Accuracy) -> bool:
        """Whether it loses no more than is allowed."""
        return (
            self.success_auc >= float32.success_auc - AUC_LOSS
            and self.confidence_auroc >= float32.confidence_auroc - AUROC_LOSS
        )


@dataclass(frozen=True)
class Measured:
    """What was measured with one file of weights.

    Attributes:
        weights_sha256: Hash of that file.
        data: What it was measured on.
        float32: What float32 reached there.
        accuracies: By backend, then by precision.
    """

    weights_sha256: str
    data: str
    float32: Accuracy
    accuracies: dict[str, dict[str, Accuracy]]

    def to_json(self) -> str:
        """Return everything as a JSON document."""
        content = {
            "format": MEASURED_FORMAT,
            "weights_sha256": self.weights_sha256,
            "data": self.data,
            "float32": self.float32._asdict(),
            "accuracies": {
                backend: {precision: found._asdict() for precision, found in row.items()}
                for backend, row in self.accuracies.items()
            },
        }
        return json.dumps(content, indent=1) + "\n"


def measured_path(weights: Path) -> Path:
    """Where the measurement of a file of weights lies: beside it."""
    return weights.with_name(weights.stem + MEASURED_SUFFIX)


def read_measured(path: Path) -> Measured:
    """Read a measurement.

    Raises:
        ModelError: It cannot be read, or is none.
    """
    return read_companion(
        path,
        MEASURED_FORMAT,
        _measured,
        "measured precisions",
        "delete the file, or measure again with mixformer2 precision compare --record",
    )


def _measured(content: dict[str, Any]) -> Measured:
    return Measured(
        weights_sha256=str(content["weights_sha256"]),
        data=str(content["data"]),
        float32=_accuracy(content["float32"]),
        accuracies={
            backend: {precision: _accuracy(found) for precision, found in row.items()}
            for backend, row in content["accuracies"].items()
        },
    )


def _accuracy(content: dict[str, float]) -> Accuracy:
    return Accuracy(float(content["success_auc"]), float(content["confidence_auroc"]))


def fastest_precision(weights: Path, backend: str) -> tuple[str, str]:
    """Pick the fastest precision that this processor runs well and that keeps the accuracy.

    Args:
        weights: File of the weights.
        backend: Runs them, on the processor.

    Returns:
        The precision, and why in words for a description.

    Raises:
        ModelError: The measurement beside the weights is damaged.
    """
    path = measured_path(weights)
    if not path.is_file():
        return "fp32", ""
    measured = read_measured(path)
    if measured.weights_sha256 != file_sha256(weights):
        return "fp32", f" (float32, because {path.name} was measured with other weights)"
    reasons = []
    for precision in _FASTEST_FIRST:
        found = measured.accuracies.get(backend, {}).get(precision)
        if found is None:
            continue
        words = (
            f"{100 * found.success_auc:.1f} AUC, float32 {100 * measured.float32.success_auc:.1f}"
        )
        if not found.holds(measured.float32):
            reasons.append(f"{precision} loses accuracy: {words}")
        elif not _runs_well(precision):
            reasons.append(f"{precision} is not for this processor")
        else:
            return precision, f" ({precision} keeps the accuracy: {words})"
    return "fp32", f" (float32: {'; '.join(reasons)})" if reasons else ""


def check_int8() -> None:
    """Raise ModelError unless the processor runs int8 as it should."""
    if not processor.has_int8():
        raise ModelError(
            "precision 'int8' needs a processor that sums products of 8-bit integers (AVX512_VNNI, "
            "AVX_VNNI, AMX or ARM's dot product); this one has none of them, and would be slower "
            "than in float32, or inexact: use auto or fp32"
        )


def _runs_well(precision: str) -> bool:
    return processor.has_int8() if precision == "int8" else processor.has_bfloat16()
