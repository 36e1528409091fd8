# Copyright 2026 mixformer2_ros contributors
# SPDX-License-Identifier: Apache-2.0
"""Engines that run the networks, behind one small interface."""

from mixformer2_ros.inference.engine import Engine, Locations, ModelError, TemplateMemory
from mixformer2_ros.inference.loading import load_engine
from mixformer2_ros.inference.selection import BACKENDS
from mixformer2_ros.inference.weights import find_default_weights, variants_with_weights

__all__ = [
    "BACKENDS",
    "Engine",
    "Locations",
    "ModelError",
    "TemplateMemory",
    "find_default_weights",
    "load_engine",
    "variants_with_weights",
]
