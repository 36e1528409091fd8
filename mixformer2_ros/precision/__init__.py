# Copyright 2026 mixformer2_ros contributors
# SPDX-License-Identifier: Apache-2.0
"""What low precision costs: real crops to calibrate on, and comparisons with float32."""
