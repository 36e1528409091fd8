# Copyright 2026 mixformer2_ros contributors
# SPDX-License-Identifier: Apache-2.0
"""Tracking one target through images in order."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from mixformer2_ros.tracking.config import TrackerConfig
from mixformer2_ros.tracking.frame import Frame
from mixformer2_ros.tracking.multi import MultiTracker
from mixformer2_ros.tracking.types import TrackResult

if TYPE_CHECKING:
    from mixformer2_ros.inference.engine import Engine

_ID = "target"


class Tracker:
    """Follows one target. Not thread-safe.

    Example:
        >>> tracker = Tracker(load_engine("small"))
        >>> tracker.init(first_image, (x, y, w, h))
        >>> result = tracker.update(next_image)  # result.box, result.score, result.state

    Args:
        engine: The network, from `mixformer2_ros.inference.load_engine`.
        config: Settings; the robust ones by default, `TrackerConfig.paper()` for the published
            procedure.
    """

    def __init__(self, engine: Engine, config: TrackerConfig | None = None) -> None:
        self._tracker = MultiTracker(engine, config)

    def init(
        self,
        image: NDArray[np.uint8] | Frame,
        box: Sequence[float],
        stamp: float | None = None,
    ) -> None:
        """Start on a target; what was followed before is forgotten.

        Args:
            image: (H, W, 3) uint8 RGB array or a frame.
            box: x, y, w, h in pixels.
            stamp: Stamp of the image in seconds, or None.

        Raises:
            ValueError: The image has a wrong shape or type, or the box is not finite, empty, or
                mostly outside the image.
        """
        self._tracker.add(_ID, image, box, stamp)

    def update(self, image: NDArray[np.uint8] | Frame, stamp: float | None = None) -> TrackResult:
        """Find the target in the next image.

        Args:
            image: (H, W, 3) uint8 RGB array or a frame.
            stamp: Stamp of the image in seconds; None counts as one nominal period later.

        Returns:
            Where the target is, and how sure that is.

        Raises:
            RuntimeError: `init` was not called.
            ValueError: The image has a wrong shape or type.
        """
        if not self._tracker.ids:
            raise RuntimeError("the tracker has no target yet: call init(image, box) first")
        result = self._tracker.update(image, stamp)[_ID]
        self._tracker.refresh_templates()
        return result
