# Copyright 2026 mixformer2_ros contributors
# SPDX-License-Identifier: Apache-2.0
"""What stops the demo."""

from __future__ import annotations


class DemoError(RuntimeError):
    """The demo cannot go on; the message says why."""
