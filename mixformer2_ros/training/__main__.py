# Copyright 2026 mixformer2_ros contributors
# SPDX-License-Identifier: Apache-2.0
"""`python -m mixformer2_ros.training` is `mixformer2 train`, for `torchrun` and bare machines."""

from __future__ import annotations

import sys

from mixformer2_ros.cli import main

if __name__ == "__main__":
    sys.exit(main(["train", *sys.argv[1:]]))
