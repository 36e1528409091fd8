# Copyright 2026 mixformer2_ros contributors
# SPDX-License-Identifier: Apache-2.0
"""Where the default weights lie, and how weights are read without PyTorch."""

from __future__ import annotations

import os
from collections.abc import Mapping
from importlib.util import find_spec
from pathlib import Path

from numpy.typing import NDArray

from mixformer2_ros.inference.engine import ModelError
from mixformer2_ros.model.folding import fold
from mixformer2_ros.model.state import CheckpointError, check_shapes, read_safetensors
from mixformer2_ros.model.variants import VARIANTS, Variant

_PACKAGE = Path(__file__).resolve().parents[1]


def user_folder() -> Path:
    """Folder of the weights that the user imported: $XDG_DATA_HOME/mixformer2_ros/models."""
    data = os.environ.get("XDG_DATA_HOME") or os.path.expanduser("~/.local/share")
    return Path(data) / "mixformer2_ros" / "models"


def weights_folders() -> list[Path]:
    """Folders that may hold the default weights, in the order they are tried.

    What the user imported comes first. A wheel has weights inside the package, a source tree beside
    it, a colcon installation under share/mixformer2_ros.
    """
    shares = [parent / "share" / "mixformer2_ros" / "models" for parent in _PACKAGE.parents]
    return [user_folder(), _PACKAGE / "models", _PACKAGE.parent / "models", *shares]


def weights_name(variant: str) -> str:
    """Return the name of the file of a variant's default weights."""
    return f"mixformerv2_{variant}.safetensors"


def find_all_weights(variant: str) -> list[Path]:
    """Return the weights of a variant that are here; the first of them are the default."""
    paths = (folder / weights_name(variant) for folder in weights_folders())
    return [path for path in paths if path.is_file()]


def find_default_weights(variant: str) -> Path | None:
    """Return the default weights of a variant, or None when this installation has none."""
    return next(iter(find_all_weights(variant)), None)


def variants_with_weights() -> list[str]:
    """Names of the variants that have default weights here."""
    return [name for name in VARIANTS if find_default_weights(name) is not None]


def require_file(path: Path) -> None:
    """Raise CheckpointError unless there is such a file."""
    if not path.is_file():
        raise CheckpointError(f"{describe_weights(path)} is not a file: check the path")


def describe_weights(path: Path) -> str:
    """What to call weights in a message."""
    return f"checkpoint {str(path)!r}"


def read_network(path: Path, variant: Variant) -> tuple[Variant, Mapping[str, NDArray]]:
    """Read and check weights, without torch where the format allows it, and fold them.

    Args:
        path: The file.
        variant: The network that they are for.

    Returns:
        Sizes and weights of the narrowest network that computes the same
        (`mixformer2_ros.model.folding.fold`).

    Raises:
        ModelError: Only PyTorch reads this format, and it is not installed.
        CheckpointError: The file cannot be read or does not fit the variant.
    """
    state = read_arrays(path)
    shapes = {name: array.shape for name, array in state.items()}
    check_shapes(shapes, variant, describe_weights(path))
    return fold(variant, state)


def read_arrays(path: Path) -> dict[str, NDArray]:
    """Read weights of any network.

    Returns:
        Parameter name to array, floating dtype as stored (float32 where torch reads them).

    Raises:
        ModelError: Only PyTorch reads this format, and it is not installed.
        CheckpointError: The file cannot be read.
    """
    if path.suffix == ".safetensors":
        return read_safetensors(path)
    if not find_spec("torch"):
        raise ModelError(
            f"{describe_weights(path)} can only be read with PyTorch: give a .safetensors file, or "
            "install PyTorch (pip install 'mixformer2_ros[torch]'), at least once to convert it"
        )
    from mixformer2_ros.model import read_checkpoint

    return {name: tensor.float().numpy() for name, tensor in read_checkpoint(path).items()}
