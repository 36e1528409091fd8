# Copyright 2026 mixformer2_ros contributors
# SPDX-License-Identifier: Apache-2.0
"""The procedural world: textures, objects and scenes with exactly known truth."""
