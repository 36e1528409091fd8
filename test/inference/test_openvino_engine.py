# Copyright 2026 mixformer2_ros contributors
# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import numpy as np
import pytest

pytest.importorskip("openvino", reason="openvino is not installed")
pytest.importorskip("onnx")

from mixformer2_ros.inference import ModelError, openvino_engine
from mixformer2_ros.inference.openvino_engine import OpenVinoEngine, check_precision, has_bfloat16


@pytest.mark.skipif(not has_bfloat16(), reason="this processor has no bfloat16 instructions")
def test_bf16_stays_near_float32_and_reads_its_heads_in_float32(rule_artefact, random_crops):
    templates, online, search = random_crops("small", 1)
    found = []
    for precision in ("fp32", "bf16"):
        engine = OpenVinoEngine(rule_artefact("small", "openvino", precision), threads=1)
        found.append(engine.locate(engine.encode_templates(templates, online), search))
    assert "bfloat16, 1 thread" in engine.description
    exact, rough = found
    assert 1e-6 < np.abs(rough.boxes - exact.boxes).max() < 0.1
    # Sums of probabilities rounded to bfloat16 are off by 1e-3.
    np.testing.assert_allclose(rough.edges.sum(axis=2), 1, atol=1e-5)


def test_bf16_without_the_instructions_names_the_cure(monkeypatch):
    monkeypatch.setattr(openvino_engine, "has_bfloat16", lambda: False)
    with pytest.raises(ModelError, match=r"AVX512_BF16, AMX.*use auto or fp32"):
        check_precision("bf16")


def test_an_unknown_precision_names_the_known_ones():
    with pytest.raises(ModelError, match="'int3' is not for OpenVINO: use auto, fp32, bf16"):
        check_precision("int3")
