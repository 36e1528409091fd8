# Copyright 2026 mixformer2_ros contributors
# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import cv2
import numpy as np
import pytest

from mixformer2_ros.tracking.config import TrackerConfig
from mixformer2_ros.tracking.tracker import Tracker

TOLERANCE_PX = 0.05


def test_paper_tracker_repeats_the_published_trace(golden_dir, sequences_dir, rule_model) -> None:
    from mixformer2_ros.inference.torch_engine import TorchEngine

    trace = np.loadtxt(golden_dir / "trace_small.csv", delimiter=",")
    images = sorted((sequences_dir / "davis_dog" / "img").iterdir())[: len(trace)]
    engine = TorchEngine(rule_model("small"), device="cpu", precision="fp32")
    tracker = Tracker(engine, TrackerConfig.paper(update_interval=4, search_factor=4.4))
    for index, (path, (*box, score)) in enumerate(zip(images, trace, strict=True)):
        image = cv2.cvtColor(cv2.imread(str(path)), cv2.COLOR_BGR2RGB)
        if index == 0:
            tracker.init(image, box)
            continue
        result = tracker.update(image)
        np.testing.assert_allclose(result.box, box, atol=TOLERANCE_PX, err_msg=f"frame {index}")
        assert result.score == pytest.approx(score, abs=1e-4)
