# Copyright 2026 mixformer2_ros contributors
# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import pytest
import torch

from mixformer2_ros.model import MixFormerV2
from mixformer2_ros.model.teacher import MixViT, TeacherVariant
from mixformer2_ros.training.initialisation import initialise_teacher
from mixformer2_ros.training.passes import (
    SharedTemplates,
    edge_logits,
    normalised,
    teacher_prediction,
)
from mixformer2_ros.training.shrink import without_blocks

TEACHER = TeacherVariant(
    "teacher", search_size=96, template_size=48, search_factor=4.0, depth=2, mlp_ratio=2,
    width=64, heads=1, head_channels=16,
)  # fmt: skip
TOLERANCE = {"atol": 1e-4, "rtol": 1e-4}


def _images(*shape: int) -> torch.Tensor:
    generator = torch.Generator().manual_seed(0)
    return torch.randint(0, 256, (*shape, 3), generator=generator, dtype=torch.uint8)


TEMPLATES, SEARCHES = _images(2, 2, 48, 48), _images(2, 3, 96, 96)


@pytest.fixture
def student(tiny_network) -> MixFormerV2:
    return tiny_network(depth=4, mlp_ratio=2)


@pytest.fixture
def teacher() -> MixViT:
    torch.manual_seed(0)
    model = MixViT(TEACHER).eval()
    initialise_teacher(model, 0)
    return model


def _plainly(model: MixFormerV2 | MixViT, owners: list[int]):
    """The plain forward, with every search crop's templates repeated."""
    first, second = (normalised(TEMPLATES[owners, index]) for index in range(2))
    return model(first, second, normalised(SEARCHES.flatten(0, 1)))


@pytest.mark.parametrize("complete", [False, True])
def test_the_shared_pass_of_a_student_equals_the_plain_one(student: MixFormerV2, complete: bool):
    tokens = SharedTemplates(student, complete)(TEMPLATES, SEARCHES)
    expected = _plainly(student, [0, 0, 0, 1, 1, 1]).edge_logits
    torch.testing.assert_close(edge_logits(student, tokens), expected, **TOLERANCE)
    assert tokens.searches[-1].shape[1] == (40 if complete else 4)


def test_all_tokens_of_all_blocks_are_there_when_asked_for(student: MixFormerV2):
    tokens = SharedTemplates(student, complete=True)(TEMPLATES, SEARCHES)
    first, second = normalised(TEMPLATES[:, 0]), normalised(TEMPLATES[:, 1])
    outputs = student.backbone(first, second, normalised(SEARCHES[:, 0]))
    for index, output in enumerate(outputs):
        torch.testing.assert_close(tokens.templates[index], output[:, :18], **TOLERANCE)
        torch.testing.assert_close(tokens.searches[index][::3], output[:, 18:], **TOLERANCE)


def test_the_shared_pass_of_a_teacher_equals_the_plain_one(teacher: MixViT):
    tokens = SharedTemplates(teacher)(TEMPLATES, SEARCHES)
    found, expected = teacher_prediction(teacher, tokens), _plainly(teacher, [0, 0, 0, 1, 1, 1])
    torch.testing.assert_close(found.edges, expected.edges, **TOLERANCE)
    torch.testing.assert_close(found.score, expected.score, **TOLERANCE)


def test_search_crops_may_meet_the_templates_of_others(student: MixFormerV2, teacher: MixViT):
    owners = [1, 0, 0, 1, 0, 1]
    tokens = SharedTemplates(student)(TEMPLATES, SEARCHES, owners=torch.tensor(owners))
    expected = _plainly(student, owners).edge_logits
    torch.testing.assert_close(edge_logits(student, tokens), expected, **TOLERANCE)
    tokens = SharedTemplates(teacher)(TEMPLATES, SEARCHES, owners=torch.tensor(owners))
    score = teacher_prediction(teacher, tokens, torch.tensor(owners)).score
    torch.testing.assert_close(score, _plainly(teacher, owners).score, **TOLERANCE)


@pytest.mark.parametrize("removed", [(0,), (0, 2), (1, 3)])
def test_a_network_with_faded_blocks_is_the_shortened_one(
    student: MixFormerV2, removed: tuple[int, ...]
):
    fades = [0.0 if index in removed else 1.0 for index in range(4)]
    faded = SharedTemplates(student, complete=True)(TEMPLATES, SEARCHES, fades)
    short = without_blocks(student, removed)
    expected = SharedTemplates(short, complete=True)(TEMPLATES, SEARCHES)
    assert torch.equal(edge_logits(student, faded), edge_logits(short, expected))
    for index, kept in enumerate(index for index in range(4) if index not in removed):
        assert torch.equal(faded.templates[kept], expected.templates[index])
        assert torch.equal(faded.searches[kept], expected.searches[index])


def test_half_faded_branches_count_half(student: MixFormerV2):
    blocks = student.backbone.layers()
    half = SharedTemplates(student, complete=True)(TEMPLATES, SEARCHES, [0.5] * 4)
    with torch.no_grad():
        for block in blocks:
            for layer in (block.attn.proj, block.mlp.fc2):
                layer.weight.mul_(0.5)
                layer.bias.mul_(0.5)
    expected = SharedTemplates(student, complete=True)(TEMPLATES, SEARCHES)
    torch.testing.assert_close(half.searches[-1], expected.searches[-1], **TOLERANCE)
