# Copyright 2026 mixformer2_ros contributors
# SPDX-License-Identifier: Apache-2.0
"""Training of the networks; start it with ``python -m mixformer2_ros.training``."""
