# Copyright 2026 mixformer2_ros contributors
# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

from dataclasses import replace

import pytest
import torch
from torch import Tensor

from mixformer2_ros.model import MixFormerV2
from mixformer2_ros.model.teacher import MixViT
from mixformer2_ros.training.config import (
    ConfigError,
    CornerConfig,
    ShorteningConfig,
    TrainingConfig,
)
from mixformer2_ros.training.data.batch import Batch
from mixformer2_ros.training.distillation_losses import resampled
from mixformer2_ros.training.initialisation import initialise
from mixformer2_ros.training.losses import edge_divergence
from mixformer2_ros.training.passes import normalised
from mixformer2_ros.training.stages import Stage, build_stage
from mixformer2_ros.training.stages.networks import student_variant, teacher_variant

CONFIG = TrainingConfig(
    variant="base", depth=3, width=64, mlp_ratio=2, search_size=96, template_size=48,
    precision="fp32", corner=CornerConfig(channels=16), epochs=45,
)  # fmt: skip


def _batch() -> Batch:
    generator = torch.Generator().manual_seed(0)

    def images(*shape: int) -> Tensor:
        return torch.randint(0, 256, (*shape, 3), generator=generator, dtype=torch.uint8)

    corner = 0.5 * torch.rand(2, 2, 2, generator=generator)
    boxes = torch.cat([corner, corner + 0.3], dim=-1)
    present = torch.tensor([[True, True], [True, False]])
    return Batch(images(2, 2, 48, 48), images(2, 2, 96, 96), boxes * present[..., None], present)


def _loss(stage: Stage, progress: float = 0.0) -> tuple[Tensor, dict[str, Tensor]]:
    return stage(_batch(), progress, torch.Generator().manual_seed(0))


def _teacher() -> MixViT:
    torch.manual_seed(0)
    return MixViT(teacher_variant(CONFIG))


def _student() -> MixFormerV2:
    torch.manual_seed(1)
    model = MixFormerV2(student_variant(CONFIG))
    initialise(model, 1)
    return model


def _train_a_step(stage: Stage) -> set[str]:
    """Return the names of the student's weights that a step of training changes."""
    stage.train()
    before = {name: value.clone() for name, value in stage.student.state_dict().items()}
    trained = [value for value in stage.parameters() if value.requires_grad]
    optimiser = torch.optim.SGD(trained, lr=1.0)
    _loss(stage)[0].backward()
    assert all(value.grad is not None for value in trained)  # As several devices demand.
    optimiser.step()
    after = stage.student.state_dict()
    return {name for name, value in before.items() if not torch.equal(value, after[name])}


def test_teacher_training_weighs_l1_and_ciou():
    stage = build_stage(replace(CONFIG, stage="teacher"))
    loss, parts = _loss(stage)
    assert loss.item() == pytest.approx(5 * parts["l1"].item() + 2 * parts["ciou"].item())
    changed = _train_a_step(stage)
    assert any(name.startswith("backbone.blocks") for name in changed)
    assert any(name.startswith("box_head") for name in changed)
    assert not any(name.startswith("score_head") for name in changed)


def test_dense_to_sparse_compares_with_the_marginals_of_the_corner_maps():
    teacher = _teacher()
    stage = build_stage(replace(CONFIG, stage="dense_to_sparse"), teacher=teacher).eval()
    student = stage.student
    batch = _batch()
    first, second = (normalised(batch.templates[:, index]) for index in range(2))
    images = (first[[0, 0, 1]], second[[0, 0, 1]], normalised(batch.searches.flatten(0, 1)[:3]))
    with torch.no_grad():  # The last crop holds no target.
        corners = teacher.eval()(*images).corners
        target = torch.stack(
            [
                corners[:, 0].sum(dim=1),
                corners[:, 0].sum(dim=2),
                corners[:, 1].sum(dim=1),
                corners[:, 1].sum(dim=2),
            ],
            dim=1,
        )
        expected = edge_divergence(student(*images).edge_logits, resampled(target, 96)).mean()
    loss, parts = _loss(stage)
    assert parts["edges"].item() == pytest.approx(expected.item(), rel=1e-4)
    weighed = 5 * parts["edges"] + 5 * parts["l1"] + 2 * parts["ciou"]
    assert loss.item() == pytest.approx(weighed.item(), rel=1e-5)


def test_dense_to_sparse_changes_the_student_alone():
    teacher = _teacher()
    before = {name: value.clone() for name, value in teacher.state_dict().items()}
    stage = build_stage(replace(CONFIG, stage="dense_to_sparse"), teacher=teacher)
    own = stage.student.state_dict()
    assert torch.equal(
        own["backbone.blocks.0.attn.qkv.weight"], before["backbone.blocks.0.attn.qkv.weight"]
    )
    changed = _train_a_step(stage)
    assert "backbone.reg_tokens" in changed
    assert not any(name.startswith("score_head") for name in changed)
    for name, value in stage.teacher.state_dict().items():
        assert torch.equal(value, before[name]), name  # Batch statistics, too.


def _removing() -> TrainingConfig:
    shortening = ShorteningConfig(fading=(0,), fade_epochs=40, mimic=((1, 1), (2, 2)))
    return replace(CONFIG, stage="deep_to_shallow", shortening=shortening)


def test_a_copy_of_the_teacher_has_nothing_to_learn_from_it():
    config = replace(_removing(), shortening=ShorteningConfig(mimic=((1, 1), (2, 2))))
    _, parts = _loss(build_stage(config, teacher=_student()))
    assert parts["edges"].item() == pytest.approx(0.0, abs=1e-6)
    assert parts["features"].item() == 0.0


def test_features_are_compared_over_all_tokens():
    start = {name: value.clone() for name, value in _student().state_dict().items()}
    start["backbone.blocks.2.mlp.fc2.bias"] += 0.5  # Shifts every token after the last block.
    shortening = ShorteningConfig(mimic=((1, 1), (2, 2)))
    stage = build_stage(replace(_removing(), shortening=shortening), start, _student())
    loss, parts = _loss(stage)
    assert parts["features"].item() == pytest.approx(0.5**2 / 2, rel=1e-4)
    boxes = 5 * parts["edges"] + 5 * parts["l1"] + 2 * parts["ciou"]
    assert loss.item() == pytest.approx((boxes + 0.2 * parts["features"]).item(), rel=1e-5)


def test_blocks_fade_by_epochs_and_are_left_out_in_the_end():
    stage = build_stage(_removing(), teacher=_student())
    assert stage.fades(0.0) == [pytest.approx(0.99846, abs=1e-5), 1.0, 1.0]
    assert stage.fades(0.5 / 45) == stage.fades(0.0)
    assert stage.fades(19.5 / 45)[0] == pytest.approx(0.5)
    assert stage.fades(39.5 / 45) == [0.0, 1.0, 1.0]
    stage.eval()
    finished = stage.finished(stage.student)
    assert finished.variant.depth == 2
    start = finished.state_dict()
    tuning = replace(_removing(), depth=2, shortening=ShorteningConfig(mimic=((0, 1), (1, 2))))
    _, faded = _loss(stage, progress=0.95)
    _, shortened = _loss(build_stage(tuning, start, _student()).eval())
    for name in ("edges", "l1", "ciou", "features"):
        assert faded[name].item() == shortened[name].item()


def test_a_lower_mlp_ratio_keeps_the_depth():
    config = replace(CONFIG, stage="deep_to_shallow", mlp_ratio=1)
    stage = build_stage(config, teacher=_student())
    assert stage.student.backbone.layers()[0].mlp.fc1.out_features == 64
    assert _train_a_step(stage)


@pytest.mark.parametrize("kind", ["student", "teacher"])
def test_score_training_changes_the_score_alone(kind: str):
    network = _student() if kind == "student" else _teacher()
    stage = build_stage(replace(CONFIG, stage="score_head"), network.state_dict())
    assert stage.trains_score == (kind == "student")
    changed = _train_a_step(stage)
    assert changed
    assert all(name.startswith("score_head.") for name in changed)


def test_a_crop_with_another_samples_templates_is_a_negative():
    network = _student().eval()
    config = replace(CONFIG, stage="score_head", exchanged=1.0)
    loss, _ = _loss(build_stage(config, network.state_dict()))
    batch = _batch()
    first, second = (normalised(batch.templates[[1, 1, 0, 0], index]) for index in range(2))
    with torch.no_grad():
        score = network(first, second, normalised(batch.searches.flatten(0, 1))).score
    expected = torch.nn.functional.softplus(score).mean()
    assert loss.item() == pytest.approx(expected.item(), rel=1e-4)


@pytest.mark.parametrize(
    ("config", "start", "teacher", "message"),
    [
        ({"stage": "dense_to_sparse"}, None, None, "learns from a MixViT, but none is given"),
        ({"stage": "dense_to_sparse"}, None, _student, "learns from a MixViT, but a MixFormerV2"),
        ({"stage": "deep_to_shallow"}, None, _teacher, "learns from a MixFormerV2, but a MixViT"),
        ({"stage": "deep_to_shallow"}, _teacher, _student, "starts from a MixFormerV2"),
        ({"stage": "score_head"}, None, None, "name its weights in the field start"),
        (
            {"stage": "score_head", "search_size": 128},
            _student,
            None,
            r"crops of \(128, 48\) pixels, .* the weights are for \(96, 48\)",
        ),
        (
            {"stage": "deep_to_shallow", "shortening": ShorteningConfig(fading=(3,))},
            None,
            _student,
            r"names blocks \[3\] of the student, which has blocks 0 to 2",
        ),
    ],
)
def test_what_a_stage_lacks_is_said(config, start, teacher, message: str):
    weights = None if start is None else start().state_dict()
    with pytest.raises(ConfigError, match=message):
        build_stage(replace(CONFIG, **config), weights, None if teacher is None else teacher())
