# Copyright 2026 mixformer2_ros contributors
# SPDX-License-Identifier: Apache-2.0
"""What is ONNX Runtime's own; what it shares with other runtimes is in test_graph_engines.py."""

from __future__ import annotations

import pytest

pytest.importorskip("onnxruntime", reason="onnxruntime is not installed")
pytest.importorskip("onnx")

from mixformer2_ros.inference import ModelError, load_engine


def test_half_precision_is_for_gpus(rule_checkpoint):
    with pytest.raises(ModelError, match=r"'fp16' is for CUDA GPUs: on a processor use auto or"):
        load_engine("small", rule_checkpoint("small"), "onnxruntime", "cpu", "fp16")


def test_a_device_that_is_not_there_is_named_with_the_cure(rule_checkpoint):
    with pytest.raises(ModelError, match="'toaster' is unknown: use auto, cpu, cuda, cuda:N, ten"):
        load_engine("small", rule_checkpoint("small"), "onnxruntime", "toaster")
