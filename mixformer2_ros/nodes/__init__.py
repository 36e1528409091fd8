# Copyright 2026 mixformer2_ros contributors
# SPDX-License-Identifier: Apache-2.0
"""The ROS 2 nodes: plumbing between topics and services and the layers that do the work."""
