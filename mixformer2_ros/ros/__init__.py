# Copyright 2026 mixformer2_ros contributors
# SPDX-License-Identifier: Apache-2.0
"""What the nodes need of ROS: messages, parameters, QoS, diagnostics and camera geometry."""
