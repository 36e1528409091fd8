# Copyright 2026 mixformer2_ros contributors
# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import dataclasses
import json
import math

import numpy as np
import pytest
import torch
from safetensors.torch import load_file

from mixformer2_ros.model import MixFormerV2
from mixformer2_ros.model.variants import Variant
from mixformer2_ros.training.config import OptimiserConfig, TrainingConfig
from mixformer2_ros.training.data.config import DataConfig
from mixformer2_ros.training.data.dataset import TrackingDataset
from mixformer2_ros.training.data.pools import build_pools
from mixformer2_ros.training.data.samples import Jitter
from mixformer2_ros.training.initialisation import initialise
from mixformer2_ros.training.runner import Trainer
from mixformer2_ros.training.schedule import Budget
from mixformer2_ros.training.stages.one_stage import OneStage, window_corners
from mixformer2_ros.training.validation import auroc, validate

TINY = Variant(
    "tiny", search_size=96, template_size=48, search_factor=3.0, depth=2, mlp_ratio=1,
    width=64, heads=2, bins=24,
)  # fmt: skip
CONFIG = TrainingConfig(
    groups=4,
    searches=2,
    windows=((0.0, 4), (0.5, 6)),
    optimiser=OptimiserConfig(
        kind="muon",
        muon_lr=4e-3,
        adam_lr=4e-3,
        patch_lr=0.0,
        weight_decay=0.02,
        clip=5.0,
        decay="linear",
        decay_from=0.5,
        average=0.9,
    ),
    data=DataConfig(sprites=4, backgrounds=2, scene_clips=2, jitter=Jitter(near_share=1.0)),
)


@pytest.fixture(scope="module")
def pools():
    return build_pools(CONFIG.data, None, seed=0, held_out=False)


def _trainer(pools, out, steps: int, config: TrainingConfig = CONFIG) -> Trainer:
    dataset = TrackingDataset(pools, config.data, TINY, 0, config.groups, config.searches)
    model = MixFormerV2(TINY)
    initialise(model, 0)
    return Trainer(config, OneStage(config, model, TINY), dataset, Budget(steps=steps), out)


def test_a_resumed_training_ends_like_an_uninterrupted_one(pools, tmp_path):
    whole = _trainer(pools, tmp_path / "whole", 6)
    whole.run()
    _trainer(pools, tmp_path / "parts", 6).run(stop_step=2)
    resumed = _trainer(pools, tmp_path / "parts", 6)
    assert resumed.step == 2
    resumed.run()
    for name, value in whole.stage.state_dict().items():
        assert torch.equal(value, resumed.stage.state_dict()[name]), name
    for name, value in whole.average.state_dict().items():
        assert torch.equal(value, resumed.average.state_dict()[name]), name


def test_weights_are_written_in_half_precision_under_the_published_names(pools, tmp_path):
    trainer = _trainer(pools, tmp_path, 1)
    trainer.run()
    weights = load_file(tmp_path / "weights.safetensors")
    assert set(weights) == set(MixFormerV2(TINY).state_dict())
    assert all(value.dtype == torch.float16 for value in weights.values())


def test_a_few_samples_can_be_learnt_by_heart(pools, tmp_path):
    config = dataclasses.replace(
        CONFIG, windows=((0.0, 6),), data=dataclasses.replace(CONFIG.data, absent_share=0.0)
    )
    trainer = _trainer(pools, tmp_path, 80, config)
    batch = trainer._dataset[0]
    before = validate(trainer.average, batch).iou
    while trainer.progress < 1.0:
        trainer.train_step(batch)
        trainer.step += 1
    after = validate(trainer.average, batch).iou
    assert before < 0.35
    assert after > 0.6


def test_validation_figures_are_logged(pools, tmp_path):
    trainer = _trainer(pools, tmp_path, 1)
    trainer.add_validation("same", trainer._dataset[0])
    trainer.run()
    record = json.loads((tmp_path / "log.jsonl").read_text().splitlines()[-1])
    assert record["set"] == "same"
    assert 0 <= record["iou"] <= 1


class _Clock:
    """Ten seconds pass whenever someone looks at it."""

    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        self.now += 10.0
        return self.now


def test_minutes_count_over_resumed_parts(pools, tmp_path):
    def trainer() -> Trainer:
        dataset = TrackingDataset(pools, CONFIG.data, TINY, 0, CONFIG.groups, CONFIG.searches)
        stage = OneStage(CONFIG, MixFormerV2(TINY), TINY)
        return Trainer(CONFIG, stage, dataset, Budget(minutes=3.0), tmp_path, clock=_Clock())

    first = trainer()
    first.run(stop_step=3)
    assert 0 < first.progress < 1
    second = trainer()
    assert second.elapsed == first.elapsed
    second.run()
    assert second.elapsed >= 180.0
    # The box is left after the step that fills it.
    longest_step = 30.0
    assert second.elapsed < 180.0 + longest_step
    third = trainer()
    third.run()
    assert (third.step, third.elapsed) == (second.step, second.elapsed)


def test_a_loss_that_is_not_finite_ends_the_training_and_spares_the_state(pools, tmp_path):
    trainer = _trainer(pools, tmp_path, 20)
    trainer.run(stop_step=2)
    with torch.no_grad():
        trainer.stage.student.box_head.layers[0][0].weight.fill_(float("nan"))
    with pytest.raises(FloatingPointError, match=r"not finite .* lower the learning rates"):
        trainer.run()
    assert _trainer(pools, tmp_path, 20).step == 2


def test_the_patch_embedding_stays_until_its_share_has_come(pools, tmp_path):
    tuned = dataclasses.replace(CONFIG.optimiser, patch_lr=1e-3, patch_from=0.5)
    trainer = _trainer(pools, tmp_path, 4, dataclasses.replace(CONFIG, optimiser=tuned))
    weight = trainer.stage.student.backbone.patch_embed.proj.weight
    before = weight.detach().clone()
    trainer.run(stop_step=2)
    assert torch.equal(weight, before)
    trainer.run()
    assert not torch.equal(weight, before)


def test_windows_hold_the_target_and_stay_in_the_grid():
    generator = torch.Generator().manual_seed(0)
    corner = torch.rand(500, 2, generator=generator) * 0.9
    boxes = torch.cat([corner, corner + 0.1], dim=1)
    present = torch.arange(500) % 5 > 0
    corners = window_corners(boxes, present, 5, 14, generator)
    assert corners.min() >= 0
    assert corners.max() <= 9
    token = ((boxes[:, [1, 0]] + 0.05) * 14).floor()[present]
    assert (token >= corners[present]).all()
    assert (token < corners[present] + 5).all()


def test_a_budget_is_minutes_or_steps():
    assert Budget(minutes=2).progress(5, 60.0) == 0.5
    assert Budget(steps=10).progress(5, 60.0) == 0.5
    with pytest.raises(ValueError, match="either minutes or steps"):
        Budget()
    with pytest.raises(ValueError, match="more than 0"):
        Budget(minutes=0.0)


def test_auroc_counts_ordered_pairs():
    scores = np.array([0.9, 0.4, 0.5, 0.1])
    assert auroc(scores, np.array([True, True, False, False])) == pytest.approx(0.75)
    assert math.isnan(auroc(scores, np.ones(4, bool)))
