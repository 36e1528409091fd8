# Copyright 2026 mixformer2_ros contributors
# SPDX-License-Identifier: Apache-2.0
"""The demo: publisher, DDS, tracker node and a client, each a process, recorded and judged."""
