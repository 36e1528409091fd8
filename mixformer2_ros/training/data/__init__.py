# Copyright 2026 mixformer2_ros contributors
# SPDX-License-Identifier: Apache-2.0
"""Training samples: painted scenes, video pairs and photographs, cropped as a tracker would."""
