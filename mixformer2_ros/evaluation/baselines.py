# Copyright 2026 mixformer2_ros contributors
# SPDX-License-Identifier: Apache-2.0
"""The classical trackers of opencv-contrib, as anything with `init` and `update`."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from mixformer2_ros.tracking.types import TargetState

BASELINES = ("kcf", "csrt", "mosse")
"""Names of the baselines."""


class BaselineError(RuntimeError):
    """This OpenCV does not have the tracker; the message says what to install."""


@dataclass(frozen=True)
class BaselineResult:
    """A baseline's answer for one frame.

    Attributes:
        box: (4,) float64, x, y, w, h in pixels; the last one found while it reports a loss.
        score: 1 when the tracker says it found the target, else 0; it says no more than that.
        state: TRACKING or LOST, likewise.
    """

    box: NDArray[np.float64]
    score: float
    state: TargetState


class BaselineTracker:
    """KCF, CSRT or MOSSE of opencv-contrib with its default settings.

    The implementations in `cv2.legacy` are taken where there are any: they keep fractions of pixels
    in the box they are given, the newer ones do not.

    Args:
        name: One of `BASELINES`.

    Raises:
        BaselineError: This OpenCV was built without it.
    """

    def __init__(self, name: str) -> None:
        self._create, self._box_type = opencv_tracker(name)
        self._tracker: Any = None
        self._box = np.full(4, np.nan)

    def init(self, image: NDArray[np.uint8], box: Sequence[float]) -> None:
        """Start on a target.

        Args:
            image: (H, W, 3) uint8 RGB.
            box: x, y, w, h in pixels.
        """
        self._box = np.asarray(box, np.float64)
        self._tracker = self._create()
        self._tracker.init(_bgr(image), tuple(self._box_type(value) for value in box))

    def update(self, image: NDArray[np.uint8]) -> BaselineResult:
        """Find the target in the next image, (H, W, 3) uint8 RGB."""
        if self._tracker is None:
            raise RuntimeError("the tracker has no target yet: call init(image, box) first")
        found, box = self._tracker.update(_bgr(image))
        if found:
            self._box = np.asarray(box, np.float64)
        state = TargetState.TRACKING if found else TargetState.LOST
        return BaselineResult(self._box, float(found), state)


def opencv_tracker(name: str) -> tuple[Callable[[], Any], type]:
    """Return what makes OpenCV's tracker of a name, and the type of the numbers of its boxes.

    Raises:
        BaselineError: There is no such baseline, or this OpenCV was built without it.
    """
    if name not in BASELINES:
        raise BaselineError(f"baseline {name!r} is unknown; choose one of {', '.join(BASELINES)}")
    function = f"Tracker{name.upper()}_create"
    legacy = getattr(cv2, "legacy", None)
    if hasattr(legacy, function):
        return getattr(legacy, function), float
    if hasattr(cv2, function):
        return getattr(cv2, function), int
    raise BaselineError(
        f"OpenCV {cv2.__version__} was built without {name.upper()}: run `pip uninstall "
        "opencv-python-headless opencv-contrib-python-headless`, then `pip install "
        "'opencv-contrib-python-headless<5'` (the two cannot stand side by side)"
    )


def _bgr(image: NDArray[np.uint8]) -> NDArray[np.uint8]:
    return cv2.cvtColor(image, cv2.COLOR_RGB2BGR)
