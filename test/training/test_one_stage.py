# Copyright 2026 mixformer2_ros contributors
# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import pytest
import torch

from mixformer2_ros.model import MixFormerV2
from mixformer2_ros.training.config import ConfigError, TrainingConfig, trained_variant
from mixformer2_ros.training.initialisation import initialise
from mixformer2_ros.training.stages import build_stage
from mixformer2_ros.training.stages.one_stage import OneStage

SHALLOW = TrainingConfig(
    stage="one_stage", depth=2, width=64, mlp_ratio=1, search_size=96, template_size=48
)
DEEP = TrainingConfig(
    stage="one_stage", depth=3, width=64, mlp_ratio=2, search_size=96, template_size=48
)


def _trained(config: TrainingConfig) -> MixFormerV2:
    model = MixFormerV2(trained_variant(config)).eval()
    initialise(model, 5)
    return model


def test_weights_of_a_smaller_network_are_grown():
    shallow = _trained(SHALLOW)
    # Half precision, as they are written.
    start = {name: value.half().float() for name, value in shallow.state_dict().items()}
    shallow.load_state_dict(start)
    stage = build_stage(DEEP, {name: value.half() for name, value in start.items()})
    assert isinstance(stage, OneStage)
    assert len(stage.student.backbone.blocks) == 3
    images = [torch.randn(1, 3, side, side) for side in (48, 48, 96)]
    with torch.inference_mode():
        expected, found = shallow(*images), stage.student.eval()(*images)
    torch.testing.assert_close(found.edge_logits, expected.edge_logits, atol=1e-4, rtol=1e-4)


def test_weights_of_a_larger_network_are_refused():
    with pytest.raises(ConfigError, match=r"start: cannot grow .*depth 3 to depth 2: it shrinks"):
        build_stage(SHALLOW, _trained(DEEP).state_dict())


def test_what_is_written_answers_like_what_was_trained():
    stage = build_stage(SHALLOW)
    average = stage.student.eval()
    written, judged = stage.finished(average), stage.judged(average)
    assert isinstance(written, MixFormerV2)
    assert written.variant.width == 768
    images = [torch.randn(1, 3, side, side) for side in (48, 48, 96)]
    with torch.inference_mode():
        torch.testing.assert_close(
            written.eval()(*images).box, judged(*images).box, atol=1e-4, rtol=1e-4
        )
