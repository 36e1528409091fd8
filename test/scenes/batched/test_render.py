# Copyright 2026 mixformer2_ros contributors
# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

torch = pytest.importorskip("torch")

from mixformer2_ros.scenes.batched.describe import describe  # noqa: E402
from mixformer2_ros.scenes.batched.description import Description, Mixture  # noqa: E402
from mixformer2_ros.scenes.batched.render import Rendered, render  # noqa: E402
from mixformer2_ros.scenes.batched.tape import Tape  # noqa: E402

SIDE = 96
BARE = Mixture(
    tracks=0,
    absent=0,
    twins=0,
    occluded=0,
    edges=0,
    shadows=0,
    retextured=0,
    defocused=0,
    plain=1,
)


def described(atlas, mixture: Mixture, samples: int, searches: int = 2) -> Description:
    tape = Tape(0, 0, np.arange(samples))
    sizes = tape.log_uniform(10, 60, searches)
    centres = SIDE / 2 + tape.normal(searches, 2) * 20
    return describe(tape, atlas, mixture, (64, 2.0), SIDE, sizes, centres)


def mask_boxes(masks: np.ndarray) -> np.ndarray:
    """Return the tight boxes (N, 4) of masks (N, S, S); zeros for empty ones."""
    boxes = np.zeros((len(masks), 4))
    for box, mask in zip(boxes, masks, strict=True):
        rows, columns = np.nonzero(mask)
        if len(rows):
            box[:] = columns.min(), rows.min(), columns.max() + 1, rows.max() + 1
    return boxes


def test_boxes_fit_what_is_seen_to_half_a_pixel(white_on_black):
    description = described(white_on_black, BARE, 150)
    objects = description.objects
    uncoloured = np.tile(np.eye(3, 4), (len(objects.sprites), 1, 1))
    description = replace(description, objects=replace(objects, colours=uncoloured))
    for rendered in render(description, white_on_black):
        seen = mask_boxes((rendered.images[..., 0] > 127).numpy())
        assert (seen[:, 2] > 0).mean() > 0.95
        assert np.abs(seen - rendered.boxes.numpy()).max() <= 0.5


def test_boxes_fit_the_alpha_in_full_scenes(colourful):
    mixture = replace(Mixture(), tracks=0.3, edges=0.4, absent=0.2)
    for rendered in render(described(colourful, mixture, 100), colourful):
        seen = mask_boxes((rendered.alpha > 0.5).numpy())
        assert np.abs(seen - rendered.boxes.numpy()).max() <= 0.5


def test_templates_are_centred_on_the_target(white_on_black):
    templates, _ = render(described(white_on_black, BARE, 60), white_on_black)
    first = templates.boxes[::2].numpy()
    np.testing.assert_allclose((first[:, :2] + first[:, 2:]) / 2, 32, atol=2)
    np.testing.assert_allclose(np.sqrt(np.prod(first[:, 2:] - first[:, :2], axis=1)), 32, rtol=0.08)


def searches(atlas, **changes: float) -> Rendered:
    return render(described(atlas, replace(BARE, **changes), 60), atlas)[1]


def test_absent_targets_have_neither_box_nor_visibility(colourful):
    rendered = searches(colourful, absent=0.5)
    gone = rendered.visibility == 0
    assert 0.3 < gone.float().mean() < 0.7
    assert not rendered.boxes[gone].any()


def test_occluders_take_visibility_but_not_the_box(colourful):
    clear = searches(colourful)
    hidden = searches(colourful, occluded=1.0, plain=0.0)
    lost = hidden.visibility < clear.visibility - 0.1
    assert lost.float().mean() > 0.4
    torch.testing.assert_close(hidden.boxes, clear.boxes)


def test_beyond_the_edge_of_the_image_all_is_black(colourful):
    rendered = searches(colourful, edges=1.0, plain=0.0)
    dark = (rendered.images.amax(dim=(1, 3)) == 0) | (rendered.images.amax(dim=(2, 3)) == 0)
    assert dark.any(dim=1).float().mean() > 0.5
    ends = rendered.boxes[:, 2] > 0
    assert (rendered.visibility[ends] < 0.95).any()


def test_shadows_darken_and_leave_the_box(make_atlas, white_on_black):
    atlas = make_atlas([np.full((20, 30, 4), 255, np.uint8)], [np.full((32, 32, 3), 200, np.uint8)])
    lit, shaded = searches(atlas), searches(atlas, shadows=1.0)
    assert (shaded.images.float() - lit.images.float()).mean() < -1
    torch.testing.assert_close(shaded.boxes, lit.boxes)


def test_either_objects_or_what_is_behind_them_are_out_of_focus(colourful):
    def levels(defocused: float) -> tuple[float, float]:
        crops = described(colourful, replace(BARE, plain=0.0, defocused=defocused), 60).searches
        runs = crops.layers.runs
        rows = np.array([run.rows.stop - run.rows.start for run in runs])
        return crops.picture_levels.mean(), np.average([run.level for run in runs], weights=rows)

    sharp, blurred = levels(0.0), levels(1.0)
    assert blurred[0] > sharp[0] + 0.2
    assert blurred[1] > sharp[1] + 0.2


def test_marked_pictures_show_the_target_in_its_box(colourful):
    rendered = searches(colourful, tracks=1.0)
    bright = mask_boxes((rendered.images.amin(dim=-1) > 155).numpy())
    whole = (rendered.visibility > 0.98).numpy()
    assert whole.mean() > 0.5
    # The square is turned a little, and only its box was known.
    assert np.abs(bright - rendered.boxes.numpy())[whole].max() < 5


def test_identical_twins_stay_away_from_where_the_target_is_expected(colourful):
    description = described(colourful, replace(BARE, twins=1.0, absent=0.5, plain=0.0), 200)
    objects, layers = description.objects, description.searches.layers
    drawn = {
        role: {
            (int(crop), objects.sprites[number], objects.colours[number].tobytes())
            for run in layers.runs
            if run.role == role
            for crop, number in zip(layers.crops[run.rows], layers.objects[run.rows], strict=True)
        }
        for role in ("target", "distractor")
    }
    # Where such a twin is there, so is the target: it is one of the objects that look like it.
    crops_with_target = {crop for crop, *_ in drawn["target"]}
    looks = {(crop // 2, *look) for crop, *look in drawn["target"]}
    twins = {crop for crop, *look in drawn["distractor"] if (crop // 2, *look) in looks}
    assert len(twins) > 50
    assert twins <= crops_with_target
