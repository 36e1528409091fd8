# Copyright 2026 mixformer2_ros contributors
# SPDX-License-Identifier: Apache-2.0
"""The one interface between trackers and whatever runs the network."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Protocol, TypeAlias

import numpy as np
from numpy.typing import NDArray

from mixformer2_ros.model.variants import Variant, get_variant

# What an engine keeps of one target's two encoded templates: immutable, of the engine's own type.
TemplateMemory: TypeAlias = Any


class ModelError(RuntimeError):
    """A network cannot be loaded or run as asked; the message says what to do."""


@dataclass(frozen=True)
class Locations:
    """Where the network sees N targets, each in its own search crop.

    Attributes:
        boxes: (N, 4) float64 cx, cy, w, h as fractions of the search crop. They may leave [0, 1],
            and w and h may be negative where the network contradicts itself.
        scores: (N,) float64 probability in [0, 1] that the target is in the crop.
        edges: (N, 4, bins) float32 probabilities of the left, top, right and bottom edge.
    """

    boxes: NDArray[np.float64]
    scores: NDArray[np.float64]
    edges: NDArray[np.float32]


class Engine(Protocol):
    """Runs one network. Not thread-safe: one thread at a time.

    Attributes:
        variant: Sizes of the network and its crops.
        description: Network, backend, device, precision and threads in words.
    """

    variant: Variant
    description: str

    def encode_templates(
        self, templates: NDArray[np.uint8], online_templates: NDArray[np.uint8]
    ) -> list[TemplateMemory]:
        """Encode the initial and the online template of N targets jointly.

        Args:
            templates: (N, T, T, 3) RGB, T = `variant.template_size`.
            online_templates: (N, T, T, 3) RGB.

        Returns:
            One memory per target.

        Raises:
            ValueError: A shape or dtype is wrong.
        """
        ...

    def locate(self, memories: Sequence[TemplateMemory], crops: NDArray[np.uint8]) -> Locations:
        """Find N targets, each in its own crop, in one forward.

        Args:
            memories: N memories of this engine.
            crops: (N, S, S, 3) RGB search crops, S = `variant.search_size`. The caller writes the
                next ones into the same memory.

        Raises:
            ValueError: A shape or dtype is wrong.
        """
        ...


def check_crops(crops: NDArray[np.uint8], side: int, name: str) -> None:
    """Raise ValueError unless `crops` is (N, side, side, 3) uint8 with N >= 1."""
    if crops.dtype != np.uint8 or crops.ndim != 4 or not len(crops):
        raise ValueError(
            f"{name} must be uint8 (N, {side}, {side}, 3), got {crops.dtype} {crops.shape}"
        )
    if crops.shape[1:] != (side, side, 3):
        raise ValueError(f"{name} must be (N, {side}, {side}, 3), got {crops.shape}")


def check_templates(
    templates: NDArray[np.uint8], online_templates: NDArray[np.uint8], side: int
) -> None:
    """Raise ValueError unless both are (N, side, side, 3) uint8 with the same N >= 1."""
    check_crops(templates, side, "templates")
    check_crops(online_templates, side, "online_templates")
    if len(templates) != len(online_templates):
        raise ValueError(f"{len(templates)} templates, {len(online_templates)} online ones")


def check_memories(memories: Sequence[TemplateMemory], crops: NDArray[np.uint8]) -> None:
    """Raise ValueError unless there are as many memories as crops."""
    if len(memories) != len(crops):
        raise ValueError(f"{len(memories)} template memories for {len(crops)} search crops")


def describe(
    variant: Variant, runtime: str, device: str, precision: str, threads: int | None
) -> str:
    """Return an engine's description; `threads` None stands for the runtime's own choice."""
    network = f"MixFormerV2-{variant.name[0].upper()}"
    if variant.width < get_variant(variant.name).width:
        network += f" folded to {variant.width} channels"
    words = [network, f"{runtime} on {device}", precision]
    if device == "cpu" and threads is not None:
        words.append(f"{threads} thread{'s' if threads != 1 else ''}")
    return ", ".join(words)
