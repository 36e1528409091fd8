# Copyright 2026 mixformer2_ros contributors
# SPDX-License-Identifier: Apache-2.0
"""Several targets over one engine: one batched forward for all of them."""

from __future__ import annotations

import time
from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from mixformer2_ros.tracking.config import TrackerConfig
from mixformer2_ros.tracking.crops import Scratch
from mixformer2_ros.tracking.frame import Frame, as_frame
from mixformer2_ros.tracking.target import Target
from mixformer2_ros.tracking.types import TrackResult

if TYPE_CHECKING:
    from mixformer2_ros.inference.engine import Engine

Job = tuple[str, Frame, "float | None"]
"""A target's name, the frame to look for it in, and the frame's stamp in seconds."""


class MultiTracker:
    """Tracks any number of named targets. Not thread-safe.

    New online templates are not encoded in the frame that brings them but in
    `refresh_templates`, so that results can be handed on first; call it after every frame.

    Args:
        engine: The network.
        config: Settings of all targets.
    """

    def __init__(self, engine: Engine, config: TrackerConfig | None = None) -> None:
        self.inference_time = 0.0
        """Seconds the engine took in the newest `step`."""
        self._engine = engine
        self._config = config or TrackerConfig()
        self._targets: dict[str, Target] = {}
        self._scratch = Scratch()

    @property
    def ids(self) -> tuple[str, ...]:
        """Names of the targets, in the order in which they were first added."""
        return tuple(self._targets)

    def add(
        self,
        target_id: str,
        image: NDArray[np.uint8] | Frame,
        box: Sequence[float],
        stamp: float | None = None,
    ) -> None:
        """Start a target, or restart the one of that name.

        Args:
            target_id: Name of the target.
            image: (H, W, 3) uint8 RGB array or a frame.
            box: x, y, w, h in pixels.
            stamp: Stamp of the image in seconds, or None.

        Raises:
            ValueError: The image has a wrong shape or type, or the box is not finite, empty, or
                mostly outside the image.
        """
        target = Target(self._engine.variant, self._config, as_frame(image), box, stamp)
        self.add_target(target_id, target)

    def add_target(self, target_id: str, target: Target) -> None:
        """Start a target that was made elsewhere, see `add`; encodes its templates."""
        target.config = self._config
        self._encode([target])
        self._targets[target_id] = target

    def remove(self, target_id: str) -> bool:
        """Stop a target; False where there is none of that name."""
        return self._targets.pop(target_id, None) is not None

    def clear(self) -> None:
        """Stop all targets."""
        self._targets.clear()

    def configure(self, config: TrackerConfig) -> None:
        """Change the settings of all targets, from their next frame on."""
        self._config = config
        for target in self._targets.values():
            target.config = config

    def update(
        self, image: NDArray[np.uint8] | Frame, stamp: float | None = None
    ) -> dict[str, TrackResult]:
        """Find all targets in the next frame.

        Args:
            image: (H, W, 3) uint8 RGB array or a frame.
            stamp: Stamp of the image in seconds; None counts as one nominal period later.

        Returns:
            A result per target, in the order of `ids`.

        Raises:
            ValueError: The image has a wrong shape or type.
        """
        frame = as_frame(image)
        return self.step([(target_id, frame, stamp) for target_id in self._targets])

    def step(self, jobs: Sequence[Job]) -> dict[str, TrackResult]:
        """Find targets, each in a frame of its own, with one forward of the network.

        Whatever fails (a frame that cannot be read, the engine), all targets stay as they were.

        Args:
            jobs: At most one per target.

        Returns:
            A result per job, in their order; nothing is computed when there are none.
        """
        if not jobs:
            self.inference_time = 0.0
            return {}
        targets = [self._targets[target_id] for target_id, _, _ in jobs]
        searches = [
            target.search(frame, stamp)
            for target, (_, frame, stamp) in zip(targets, jobs, strict=True)
        ]
        side = self._engine.variant.search_size
        crops = self._scratch.take("crops", (len(jobs), side, side, 3))
        for target, search, (_, frame, _), out in zip(targets, searches, jobs, crops, strict=True):
            target.search_crop(frame, search, out, self._scratch)
        started = time.perf_counter()
        found = self._engine.locate([target.memory for target in targets], crops)
        self.inference_time = time.perf_counter() - started
        boxes, scores = found.boxes.tolist(), found.scores.tolist()
        return {
            target_id: target.observe(frame, search, box, score, stamp)
            for (target_id, frame, stamp), target, search, box, score in zip(
                jobs, targets, searches, boxes, scores, strict=True
            )
        }

    def refresh_templates(self) -> None:
        """Encode the online templates that changed, all in one go."""
        self._encode([target for target in self._targets.values() if target.needs_encoding])

    def _encode(self, targets: Sequence[Target]) -> None:
        if not targets:
            return
        initial, online = zip(*(target.templates for target in targets), strict=True)
        memories = self._engine.encode_templates(np.stack(initial), np.stack(online))
        for target, memory in zip(targets, memories, strict=True):
            target.set_memory(memory)
