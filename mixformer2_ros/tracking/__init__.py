# Copyright 2026 mixformer2_ros contributors
# SPDX-License-Identifier: Apache-2.0
"""The tracker: crops, box geometry, template policy, target states. No ROS, no torch."""
