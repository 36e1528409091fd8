# Copyright 2026 mixformer2_ros contributors
# SPDX-License-Identifier: Apache-2.0
"""Everything about the tracker that a user may want to change."""

from __future__ import annotations

import math
from dataclasses import dataclass


@dataclass(frozen=True)
class TrackerConfig:
    """Settings of the tracker. All may change while it runs.

    Attributes:
        search_factor: Side of the search region over the side of the target; None takes the
            model's own (4.5 small, 5.0 base). [1, 20]
        template_factor: The same for the template crops. [1, 20]
        update_interval: Frames between changes of the online template. [1, 1000000]
        update_threshold: A frame may become the online template when it scores more. [0, 1]
        margin: Pixels of a box that always stay inside the image; also its least width and
            height. [1, 1000]
        robust: False follows the published procedure exactly: every box is believed, and the
            state is only reported.
        doubt_score: A TRACKING target that scores less becomes UNCERTAIN. [0, 1]
        confirm_score: A score that can make the target TRACKING again, at least
            `doubt_score`. [0, 1]
        lost_timeout: Seconds after which an UNCERTAIN target is LOST. [0, 60]
        reacquire_frames: Consecutive confident frames that must agree on a box before a LOST
            target is TRACKING again. [1, 100]
        search_growth: While LOST, the search region's side grows by this factor every
            second. [1, 10]
        max_search_scale: Bound of that growth, over the normal side. [1, 10]
        coast_time: Seconds for which the search region moves on with the target's last velocity
            while its box is not believed. [0, 60]
        nominal_rate: Frames per second to assume where stamps are missing or do not
            advance. [0.1, 1000]

    Raises:
        ValueError: A value lies outside its range (in brackets above).
    """

    search_factor: float | None = None
    template_factor: float = 2.0
    update_interval: int = 200
    update_threshold: float = 0.5
    margin: float = 10.0
    robust: bool = True
    doubt_score: float = 0.35
    confirm_score: float = 0.55
    lost_timeout: float = 0.5
    reacquire_frames: int = 3
    search_growth: float = 1.3
    max_search_scale: float = 2.0
    coast_time: float = 1.0
    nominal_rate: float = 30.0

    def __post_init__(self) -> None:
        for name, (low, high) in RANGES.items():
            value = getattr(self, name)
            if name == "search_factor" and value is None:
                continue
            if not (math.isfinite(value) and low <= value <= high):
                raise ValueError(f"{name} is {value}; give a value from {low:g} to {high:g}")
            if isinstance(low, int) and int(value) != value:
                raise ValueError(f"{name} is {value}; give a whole number")
        if self.confirm_score < self.doubt_score:
            raise ValueError(
                f"confirm_score is {self.confirm_score}, below doubt_score {self.doubt_score}; "
                "raise confirm_score or lower doubt_score"
            )

    @classmethod
    def paper(cls, update_interval: int = 200, search_factor: float | None = None) -> TrackerConfig:
        """Return the published procedure (arXiv 2305.15896).

        Args:
            update_interval: Frames; published: LaSOT 200, TrackingNet 25, GOT-10k 10 (base) or
                15 (small), VOT 10.
            search_factor: None takes the model's own; published for small: LaSOT 4.4,
                TrackingNet and GOT-10k 4.55.

        Returns:
            The settings.
        """
        return cls(update_interval=update_interval, search_factor=search_factor, robust=False)


RANGES: dict[str, tuple[float, float]] = {
    "search_factor": (1.0, 20.0),
    "template_factor": (1.0, 20.0),
    "update_interval": (1, 1_000_000),
    "update_threshold": (0.0, 1.0),
    "margin": (1.0, 1000.0),
    "doubt_score": (0.0, 1.0),
    "confirm_score": (0.0, 1.0),
    "lost_timeout": (0.0, 60.0),
    "reacquire_frames": (1, 100),
    "search_growth": (1.0, 10.0),
    "max_search_scale": (1.0, 10.0),
    "coast_time": (0.0, 60.0),
    "nominal_rate": (0.1, 1000.0),
}
"""Least and greatest value of every numeric setting; whole-number bounds mark integers."""
