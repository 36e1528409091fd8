# Copyright 2026 mixformer2_ros contributors
# SPDX-License-Identifier: Apache-2.0
"""The default weights in int8, through the engines."""

from __future__ import annotations

import numpy as np
import pytest

pytest.importorskip("onnx")

from mixformer2_ros.inference import find_default_weights, load_engine
from mixformer2_ros.inference import processor as this_processor
from mixformer2_ros.scenes.scene import Scene
from mixformer2_ros.tracking.crops import crop, search_window
from mixformer2_ros.tracking.frame import as_frame


@pytest.mark.parametrize("backend", ["openvino", "onnxruntime"])
def test_int8_sees_the_target_where_float32_does(backend, tmp_path, monkeypatch):
    pytest.importorskip(backend, reason=f"{backend} is not installed")
    if find_default_weights("small") is None or not this_processor.has_int8():
        pytest.skip("needs the default weights and a processor for int8")
    monkeypatch.setenv("MIXFORMER2_CACHE", str(tmp_path))
    scene = Scene.demo(3)
    frames = [scene.frame(index) for index in (0, 4)]
    box = frames[0].box
    templates = crop(as_frame(frames[0].image), search_window(box, 2.0), 112)[None]
    search = crop(as_frame(frames[1].image), search_window(box, 4.5), 224)[None]
    found = {}
    for precision in ("fp32", "int8"):
        engine = load_engine("small", backend=backend, device="cpu", precision=precision, threads=1)
        assert ("int8" in engine.description) == (precision == "int8")
        found[precision] = engine.locate(engine.encode_templates(templates, templates), search)
    assert np.abs(found["int8"].boxes - found["fp32"].boxes).max() < 0.02
    assert np.abs(found["int8"].scores - found["fp32"].scores).max() < 0.05
