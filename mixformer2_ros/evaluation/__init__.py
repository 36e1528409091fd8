# Copyright 2026 mixformer2_ros contributors
# SPDX-License-Identifier: Apache-2.0
"""Numbers one can defend: metrics with named conventions. No ROS."""
