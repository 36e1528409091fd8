# Copyright 2026 mixformer2_ros contributors
# SPDX-License-Identifier: Apache-2.0
"""MixFormerV2 single-target tracking for ROS 2."""

# The generated msg and srv modules may live in another folder of the same name (colcon overlays,
# the source tree on PYTHONPATH): joining the folders keeps both importable.
import pkgutil

__path__ = pkgutil.extend_path(__path__, __name__)
