# Copyright 2026 mixformer2_ros contributors
# SPDX-License-Identifier: Apache-2.0
"""The tracker: crops, box geometry, template policy, target states. No ROS, no torch."""

from mixformer2_ros.tracking.config import TrackerConfig
from mixformer2_ros.tracking.frame import ArrayFrame, Frame, as_frame
from mixformer2_ros.tracking.multi import MultiTracker
from mixformer2_ros.tracking.tracker import Tracker
from mixformer2_ros.tracking.types import TargetState, TrackResult

__all__ = [
    "ArrayFrame",
    "Frame",
    "MultiTracker",
    "TargetState",
    "TrackResult",
    "Tracker",
    "TrackerConfig",
    "as_frame",
]
