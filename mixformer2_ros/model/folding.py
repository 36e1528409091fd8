# Copyright 2026 mixformer2_ros contributors
# SPDX-License-Identifier: Apache-2.0
"""Finds channels that a network computes several times, and computes them once.

A network that was trained narrow and then widened (`mixformer2_ros.training.widen`, Net2WiderNet,
arXiv 1511.05641) holds every channel in several copies. They all carry the same values for every
image, so one of them, read with the sum of the weights that read the copies, gives the same result
for a fraction of the work. Weights of full width stay as they are.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from mixformer2_ros.model.variants import Variant, narrowed

# Layers that write something else than channels, and layers that read something else.
_WRITES_OTHERS = (".mlp.fc1.", "box_head.layers.1.", "score_head.layers.1.")
_READS_OTHERS = (".mlp.fc2.",)


def fold(variant: Variant, state: Mapping[str, NDArray]) -> tuple[Variant, Mapping[str, NDArray]]:
    """Return the narrowest network that computes the same, exactly.

    Args:
        variant: Sizes of the network.
        state: Its weights by name (`mixformer2_ros.model.state.expected_shapes`), any floating
            dtype. Channels count as copies where their weights are equal to the last bit.

    Returns:
        Sizes and weights; `variant` and `state` themselves where no channel repeats.
    """
    head = variant.width // variant.heads
    used = _used_units(variant, state)
    hidden = max(int(units.sum()) for units in used)
    for width in range(head, variant.width, head):
        if variant.width % width == 0:
            narrow = narrowed(variant, width, max(1, -(-hidden // width)))
            folded = _folded(narrow, variant, state, used)
            if folded is not None:
                return narrow, folded
    return variant, state


def fold_to(
    narrow: Variant, variant: Variant, state: Mapping[str, NDArray]
) -> dict[str, NDArray] | None:
    """Return the weights of a narrower network that computes the same, or None.

    Args:
        narrow: Its sizes; width and hidden units are those of `variant` or less.
        variant: Sizes of the network.
        state: Its weights by name.
    """
    return _folded(narrow, variant, state, _used_units(variant, state))


def _folded(
    narrow: Variant,
    variant: Variant,
    state: Mapping[str, NDArray],
    used: Sequence[NDArray[np.bool_]],
) -> dict[str, NDArray] | None:
    copies = variant.width // narrow.width
    hidden = narrow.mlp_ratio * narrow.width
    if any(units.sum() > hidden for units in used):
        return None
    # Those in use in their order, then as many of the others as are wanted.
    units = [np.sort(np.argsort(~those, kind="stable")[:hidden]) for those in used]
    folded = {}
    for name, values in state.items():
        if ".mlp." in name:
            values = _chosen_units(name, values, units[_block_of(name)])
        once = _written_once(name, values, copies)
        if once is None:
            return None
        folded[name] = _read_once(name, once, copies)
    return folded


def _used_units(variant: Variant, state: Mapping[str, NDArray]) -> list[NDArray[np.bool_]]:
    """For each block, which hidden units of its MLP change anything: (hidden,) each."""
    used = []
    for block in range(variant.depth):
        mlp = f"backbone.blocks.{block}.mlp"
        awake = state[f"{mlp}.fc1.weight"].any(axis=1) | (state[f"{mlp}.fc1.bias"] != 0)
        used.append(awake & state[f"{mlp}.fc2.weight"].any(axis=0))
    return used


def _block_of(name: str) -> int:
    return int(name.split(".")[2])


def _chosen_units(name: str, values: NDArray, units: NDArray[np.intp]) -> NDArray:
    if ".fc1." in name:
        return values[units]
    return values[:, units] if name.endswith(".fc2.weight") else values


def _written_once(name: str, values: NDArray, copies: int) -> NDArray | None:
    """One of the copies of every channel that a parameter writes; None where they differ."""
    if any(part in name for part in _WRITES_OTHERS):
        return values
    if ".qkv." in name:
        parts = [_one_copy(part, 0, copies) for part in np.split(values, 3)]
        known = [part for part in parts if part is not None]
        return np.concatenate(known) if len(known) == len(parts) else None
    # Tokens and position embeddings are (1, tokens, channels), all else is (channels, ...).
    return _one_copy(values, 2 if values.ndim == 3 else 0, copies)


def _one_copy(values: NDArray, axis: int, copies: int) -> NDArray | None:
    first, *others = np.split(values, copies, axis)
    return first if all(np.array_equal(first, other) for other in others) else None


def _read_once(name: str, values: NDArray, copies: int) -> NDArray:
    """Weights for one copy of every channel that a layer reads: the sum of those of the copies."""
    if values.ndim != 2 or any(part in name for part in _READS_OTHERS):
        return values
    split = values.reshape(len(values), copies, -1)
    return split.sum(axis=1, dtype=np.float64)
