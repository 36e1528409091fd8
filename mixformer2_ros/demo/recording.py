# Copyright 2026 mixformer2_ros contributors
# SPDX-License-Identifier: Apache-2.0
"""What a run of the demo has shown, and the figures that follow from it."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from mixformer2_ros.evaluation.metrics import iou
from mixformer2_ros.tracking.types import TargetState

_SECOND = 1e-9


@dataclass(frozen=True)
class Observation:
    """What `~/state` said of the target for one frame.

    Attributes:
        state: how much the box can be trusted.
        score: in [0, 1].
        box: float64 (4,), x, y, w, h in pixels.
    """

    state: TargetState
    score: float
    box: NDArray[np.float64]


@dataclass(frozen=True)
class Detection:
    """What `~/detection` said for one frame.

    Attributes:
        box: float64 (4,), x, y, w, h in pixels.
        latency: seconds from the image's stamp to the arrival of the message.
    """

    box: NDArray[np.float64]
    latency: float


@dataclass
class Recording:
    """Everything by the stamp of its image, nanoseconds.

    Attributes:
        stamps: of the published frames, in order.
        truths: where the source knows it; NaNs while the target is not visible.
        processed: stamps of the frames for which the tracker reported its state.
        observations: of the target.
        detections: of the target.
        received: frames that reached the tracker.
        dropped: frames that a newer one replaced before they were processed.
        start: stamp of the frame on which the target was set.
    """

    stamps: list[int] = field(default_factory=list)
    truths: dict[int, NDArray[np.float64]] = field(default_factory=dict)
    processed: set[int] = field(default_factory=set)
    observations: dict[int, Observation] = field(default_factory=dict)
    detections: dict[int, Detection] = field(default_factory=dict)
    received: int = 0
    dropped: int = 0
    start: int = 0

    def overlap(self, stamp: int) -> float | None:
        """IoU of the detection and the truth; 0 without a detection.

        Args:
            stamp: of a processed frame.

        Returns:
            None where the truth is not known or the target is not visible.
        """
        truth = self.truths.get(stamp)
        if truth is None or not np.isfinite(truth).all():
            return None
        detection = self.detections.get(stamp)
        return 0.0 if detection is None else float(iou(detection.box, truth))

    def figures(self) -> Figures:
        """Summarise the run.

        The overlap is that of the frames for which the tracker reported the target, the given
        one left out; such a frame without a detection counts as 0.
        """
        judged = [stamp for stamp in self.observations if stamp != self.start]
        overlaps = [value for stamp in judged if (value := self.overlap(stamp)) is not None]
        latencies = [detection.latency for detection in self.detections.values()]
        times = sorted(stamp + found.latency / _SECOND for stamp, found in self.detections.items())
        span = (times[-1] - times[0]) * _SECOND if len(times) > 1 else 0.0
        tracking = [one.state is TargetState.TRACKING for one in self.observations.values()]
        return Figures(
            published=len(self.stamps),
            received=self.received,
            processed=len(self.processed),
            dropped=self.dropped,
            tracked=sum(tracking),
            judged=len(overlaps),
            overlap=float(np.mean(overlaps)) if overlaps else None,
            latency=float(np.median(latencies)) if latencies else None,
            rate=(len(times) - 1) / span if span > 0 else None,
        )


@dataclass(frozen=True)
class Figures:
    """The figures of a run.

    Attributes:
        published: frames the source gave.
        received: frames that reached the tracker.
        processed: frames the tracker looked at.
        dropped: frames replaced by a newer one.
        tracked: frames with state TRACKING.
        judged: frames that count for the overlap.
        overlap: mean IoU; None without truth.
        latency: median, seconds; None without detections.
        rate: detections a second; None with less than two.
    """

    published: int
    received: int
    processed: int
    dropped: int
    tracked: int
    judged: int
    overlap: float | None
    latency: float | None
    rate: float | None

    def line(self) -> str:
        """All of it in one line."""
        overlap = "unknown (no truth)" if self.overlap is None else f"{self.overlap:.3f}"
        latency = "none" if self.latency is None else f"{self.latency * 1e3:.1f} ms"
        rate = "none" if self.rate is None else f"{self.rate:.1f} detections/s"
        lost = self.published - self.received
        return (
            f"frames {self.published} (processed {self.processed}, replaced by newer "
            f"{self.dropped}, lost on the way {lost}), tracked {self.tracked}, mean IoU {overlap}, "
            f"median latency {latency}, rate {rate}"
        )
