# Copyright 2026 mixformer2_ros contributors
# SPDX-License-Identifier: Apache-2.0
"""Networks of a training as files."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from torch import Tensor, nn

from mixformer2_ros.model import read_checkpoint
from mixformer2_ros.model.safetensors_file import parse_safetensors, write_safetensors
from mixformer2_ros.training.checkpoints import Store

WEIGHTS = "weights.safetensors"
"""What a training writes its weights to."""


def write_weights(network: nn.Module, path: Path) -> None:
    """Write weights in half precision under the network's own names."""
    weights = {
        name: value.half() if value.is_floating_point() else value
        for name, value in network.state_dict().items()
    }
    write_safetensors(weights, path)


def read_weights(path: Path) -> Mapping[str, Tensor]:
    """Read weights from a file, or from the folder of a training.

    Args:
        path: Any checkpoint, or a folder in which a training wrote, whole or in parts.

    Raises:
        CheckpointError: The file cannot be used.
        FileNotFoundError: The folder holds no weights.
        StorageError: A part of them is missing or damaged.
    """
    if path.is_dir():
        return parse_safetensors(Store(path).read(WEIGHTS))
    return read_checkpoint(path)
