# Copyright 2026 mixformer2_ros contributors
# SPDX-License-Identifier: Apache-2.0
"""What the engines that run the ONNX graphs have in common."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from mixformer2_ros.inference.engine import Locations, check_crops, check_memories
from mixformer2_ros.model.variants import Variant


@dataclass(frozen=True, eq=False)
class GraphMemory:
    """One target's encoded templates: arrays of batch 1 in the order of `graph.memory_names`."""

    arrays: tuple[NDArray[np.float32], ...]


class GraphEngine(ABC):
    """Checks, batches and remembers; a subclass runs the two graphs. See `Engine`.

    Args:
        variant: Sizes of the network.
        description: Network, runtime, device, precision and threads in words.
    """

    def __init__(self, variant: Variant, description: str) -> None:
        self.variant = variant
        self.description = description
        self._bound: tuple[GraphMemory, ...] = ()
        self._bound_arrays: list[NDArray[np.float32]] = []

    @abstractmethod
    def _run_template(
        self, templates: NDArray[np.uint8], online_templates: NDArray[np.uint8]
    ) -> Sequence[NDArray[np.float32]]:
        """Run the template graph; the result may be overwritten by the next run."""

    @abstractmethod
    def _bind(self, arrays: Sequence[NDArray[np.float32]]) -> None:
        """Use these memories in the next runs; they stay alive and unchanged until the next."""

    @abstractmethod
    def _run_locate(self, crops: NDArray[np.uint8]) -> Sequence[NDArray[np.float32]]:
        """Run the locating graph; the result may be overwritten by the next run."""

    def encode_templates(
        self, templates: NDArray[np.uint8], online_templates: NDArray[np.uint8]
    ) -> list[GraphMemory]:
        """Encode two templates a target; see `Engine.encode_templates`."""
        check_crops(templates, self.variant.template_size, "templates")
        check_crops(online_templates, self.variant.template_size, "online_templates")
        if len(templates) != len(online_templates):
            raise ValueError(f"{len(templates)} templates, {len(online_templates)} online ones")
        layers = self._run_template(templates, online_templates)
        return [
            GraphMemory(tuple(layer[i : i + 1].copy() for layer in layers))
            for i in range(len(templates))
        ]

    def locate(self, memories: Sequence[GraphMemory], crops: NDArray[np.uint8]) -> Locations:
        """Find the targets; see `Engine.locate`."""
        check_crops(crops, self.variant.search_size, "crops")
        check_memories(memories, crops)
        self._use(tuple(memories))
        boxes, scores, edges = self._run_locate(crops)
        return Locations(boxes.astype(np.float64), scores.astype(np.float64), edges.copy())

    def _use(self, memories: tuple[GraphMemory, ...]) -> None:
        """Hand the memories to the runtime, unless they are those of the last call."""
        if len(memories) == len(self._bound) and all(
            new is old for new, old in zip(memories, self._bound, strict=True)
        ):
            return
        layers = zip(*(memory.arrays for memory in memories), strict=True)
        arrays = [layer[0] if len(layer) == 1 else np.concatenate(layer) for layer in layers]
        self._bind(arrays)
        self._bound, self._bound_arrays = memories, arrays

    def _warm_up(self) -> None:
        """Run both graphs once, so that the first frame pays for no preparation."""
        size, search = self.variant.template_size, self.variant.search_size
        template = np.zeros((1, size, size, 3), np.uint8)
        memories = self.encode_templates(template, template)
        self.locate(memories, np.zeros((1, search, search, 3), np.uint8))
