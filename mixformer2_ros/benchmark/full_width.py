# Copyright 2026 mixformer2_ros contributors
# SPDX-License-Identifier: Apache-2.0
"""Random weights without repeated channels: what a network costs that cannot be folded."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from mixformer2_ros.benchmark.subjects import random_crops
from mixformer2_ros.checksums import file_sha256
from mixformer2_ros.inference.calibration import calibrate
from mixformer2_ros.inference.crops import Crops
from mixformer2_ros.inference.ranges import ranges_path
from mixformer2_ros.inference.weights import weights_name
from mixformer2_ros.model.state import expected_shapes
from mixformer2_ros.model.variants import get_variant

_CROPS = 4


@contextmanager
def random_weights(model: str) -> Iterator[Path]:
    """A file of weights for a while, with the ranges for int8 beside it.

    Args:
        model: Name of the network's variant.

    Raises:
        ModelError: No runtime is installed to measure the ranges with.
    """
    from safetensors.numpy import save_file

    variant = get_variant(model)
    rng = np.random.default_rng(0)
    state = {name: _drawn(rng, shape) for name, shape in expected_shapes(variant).items()}
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / weights_name(model)
        save_file(state, path)
        templates, online, searches = random_crops(variant, _CROPS)
        crops = Crops(templates, online, searches, np.arange(_CROPS), ("noise",))
        ranges = calibrate(variant, state, file_sha256(path), crops)
        ranges_path(path).write_text(ranges.to_json())
        yield path


def _drawn(rng: np.random.Generator, shape: tuple[int, ...]) -> NDArray[np.float16]:
    values = rng.normal(0, shape[-1] ** -0.5, shape)
    # Vectors are biases and the scales of normalisations: neither must vanish.
    return (values + (len(shape) == 1)).astype(np.float16)
