# Copyright 2026 mixformer2_ros contributors
# SPDX-License-Identifier: Apache-2.0
"""How fast it is: measurements of the real parts, with the command that repeats them."""
