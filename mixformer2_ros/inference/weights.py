# Copyright 2026 mixformer2_ros contributors
# SPDX-License-Identifier: Apache-2.0
"""Where the default weights lie."""

from __future__ import annotations

from pathlib import Path

from mixformer2_ros.model.variants import VARIANTS

_PACKAGE = Path(__file__).resolve().parents[1]


def weights_folders() -> list[Path]:
    """Folders that may hold the default weights, in the order they are tried.

    A wheel has them inside the package, a source tree beside it, a colcon installation under
    share/mixformer2_ros.
    """
    shares = [parent / "share" / "mixformer2_ros" / "models" for parent in _PACKAGE.parents]
    return [_PACKAGE / "models", _PACKAGE.parent / "models", *shares]


def find_default_weights(variant: str) -> Path | None:
    """Return the default weights of a variant, or None when this installation has none."""
    name = f"mixformerv2_{variant}.safetensors"
    return next((path for folder in weights_folders() if (path := folder / name).is_file()), None)


def variants_with_weights() -> list[str]:
    """Names of the variants that have default weights here."""
    return [name for name in VARIANTS if find_default_weights(name) is not None]
