# Copyright 2026 mixformer2_ros contributors
# SPDX-License-Identifier: Apache-2.0
"""Crops to calibrate and to compare with."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True, eq=False)
class Crops:
    """What a network was shown while it tracked.

    Attributes:
        templates: (K, T, T, 3) uint8 RGB.
        online_templates: (K, T, T, 3) uint8 RGB.
        searches: (N, S, S, 3) uint8 RGB.
        template_of: (N,) which pair of templates each search crop belongs to.
        sources: Where they come from.
    """

    templates: NDArray[np.uint8]
    online_templates: NDArray[np.uint8]
    searches: NDArray[np.uint8]
    template_of: NDArray[np.intp]
    sources: tuple[str, ...]
