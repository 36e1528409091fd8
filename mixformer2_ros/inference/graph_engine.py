# Copyright 2026 mixformer2_ros contributors
# SPDX-License-Identifier: Apache-2.0
"""What the engines that run an artefact's graphs have in common."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from mixformer2_ros.inference.engine import Locations, check_crops, check_memories, check_templates
from mixformer2_ros.model.variants import Variant


@dataclass(frozen=True, eq=False)
class GraphMemory:
    """One target's encoded templates: arrays of batch 1 in the order of `memory_names`."""

    arrays: tuple[NDArray[np.float32], ...]


class GraphEngine(ABC):
    """Checks, batches and remembers; a subclass runs the two graphs. See `Engine`.

    Args:
        variant: Sizes of the network.
        description: Network, runtime, device, precision and threads in words.
        batch: Targets that the graphs take in one run; 0 for any number.
    """

    def __init__(self, variant: Variant, description: str, batch: int = 0) -> None:
        self.variant = variant
        self.description = description
        self._batch = batch
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
        check_templates(templates, online_templates, self.variant.template_size)
        memories = []
        for part in self._groups(len(templates)):
            layers = self._run_template(
                self._full(templates[part]), self._full(online_templates[part])
            )
            memories += [
                GraphMemory(tuple(layer[i : i + 1].copy() for layer in layers))
                for i in range(len(templates[part]))
            ]
        return memories

    def locate(self, memories: Sequence[GraphMemory], crops: NDArray[np.uint8]) -> Locations:
        """Find the targets; see `Engine.locate`."""
        check_crops(crops, self.variant.search_size, "crops")
        check_memories(memories, crops)
        parts = [
            self._locate(tuple(memories[part]), crops[part]) for part in self._groups(len(crops))
        ]
        if len(parts) == 1:
            return parts[0]
        names = ("boxes", "scores", "edges")
        return Locations(*(np.concatenate([getattr(p, name) for p in parts]) for name in names))

    def _locate(self, memories: tuple[GraphMemory, ...], crops: NDArray[np.uint8]) -> Locations:
        """One run of the locating graph, for as many targets as it takes or fewer."""
        count = len(crops)
        self._use(memories + memories[-1:] * (self._batch - count))
        boxes, scores, edges = (out[:count] for out in self._run_locate(self._full(crops)))
        return Locations(boxes.astype(np.float64), scores.astype(np.float64), edges.copy())

    def _groups(self, count: int) -> list[slice]:
        """Which targets go into which run."""
        size = self._batch or count
        return [slice(start, start + size) for start in range(0, count, size)]

    def _full(self, crops: NDArray[np.uint8]) -> NDArray[np.uint8]:
        """Repeat the last crop until there are as many as the graph takes."""
        missing = self._batch - len(crops)
        return crops if missing <= 0 else np.concatenate([crops, *[crops[-1:]] * missing])

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
