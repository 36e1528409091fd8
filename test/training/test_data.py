# Copyright 2026 mixformer2_ros contributors
# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

from dataclasses import replace

import cv2
import numpy as np
import pytest
import torch

from mixformer2_ros.model.variants import SMALL
from mixformer2_ros.training.data.batch import batches
from mixformer2_ros.training.data.compose import extent, make_cutout, paint, paint_background, place
from mixformer2_ros.training.data.config import SOURCES, DataConfig
from mixformer2_ros.training.data.corpus import Clip, Photo, load_corpus
from mixformer2_ros.training.data.dataset import TrackingDataset
from mixformer2_ros.training.data.pairs import video_sample
from mixformer2_ros.training.data.pools import Pools, is_held_out
from mixformer2_ros.training.data.samples import Jitter, Sample, Sampling

EXACT = Jitter(near_share=1.0, near_centre=0.0, near_scale=0.0)


def _ellipse(colour: tuple[int, int, int] = (250, 20, 20)) -> np.ndarray:
    rgba = np.zeros((60, 100, 4), np.uint8)
    cv2.ellipse(rgba, (50, 30), (45, 25), 0, 0, 360, (*colour, 255), -1)
    return rgba


@pytest.mark.parametrize("size", [20.0, 50.0, 120.0])
def test_painted_pixels_fill_the_computed_box(size: float):
    cutout = make_cutout(_ellipse())
    angle = 0.5
    turn = np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
    affine = place(cutout.hull, turn, size, np.array([110.3, 118.8]))
    canvas = np.zeros((224, 224, 3), np.uint8)
    paint(canvas, cutout, affine)
    rows, columns = np.nonzero(canvas[..., 0] > 125)
    painted = np.array([columns.min(), rows.min(), columns.max() + 1, rows.max() + 1])
    box = extent(cutout.hull, affine)
    assert np.sqrt(np.prod(box[2:] - box[:2])) == pytest.approx(size)
    # Half a pixel, and what the rounding of the painted mask adds.
    np.testing.assert_allclose(painted, box, atol=1.0)


def test_a_pixel_of_the_background_lands_where_the_map_says():
    image = np.zeros((100, 100, 3), np.uint8)
    image[40, 60] = 255
    affine = np.array([[2.0, 0.0, -50.0], [0.0, 2.0, -30.0]])
    crop = paint_background(image, affine, 100, mirrored=False)
    rows, columns = np.nonzero(crop[..., 0])
    weights = crop[rows, columns, 0].astype(float)
    centre = np.array(
        [np.average(columns + 0.5, weights=weights), np.average(rows + 0.5, weights=weights)]
    )
    np.testing.assert_allclose(centre, [2 * 60.5 - 50, 2 * 40.5 - 30], atol=0.05)


@pytest.fixture
def pools(yellow_video) -> Pools:
    noise, frames, boxes = yellow_video(range(80, 200, 20))
    clip = Clip("yellow", frames, np.array([boxes], np.float64))
    photo = Photo(frames[0], np.array(boxes[:1], np.float64))
    cutouts = [make_cutout(_ellipse()), make_cutout(_ellipse((20, 250, 20)))]
    return Pools(cutouts, [noise], [clip], cutouts, [photo], [clip, replace(clip, name="other")])


def test_video_crops_hold_the_target_where_the_box_says(pools: Pools):
    sample = video_sample(
        np.random.default_rng(1), pools.clips[:1], np.ones(1), Sampling(SMALL, Jitter(), 8, 0.0)
    )
    for crop, box, present in zip(sample.searches, sample.boxes, sample.present, strict=True):
        assert present
        x1, y1, x2, y2 = (box * SMALL.search_size).astype(int)
        inside = crop[y1 + 4 : y2 - 3, x1 + 4 : x2 - 3].astype(int)
        if inside.size:
            assert inside[..., 0].mean() > inside[..., 2].mean() + 40


@pytest.mark.parametrize("source", SOURCES)
def test_samples_of_every_source_are_consistent(pools: Pools, source: str):
    only = {name: float(name == source) for name in SOURCES}
    dataset = TrackingDataset(pools, DataConfig(**only), SMALL, seed=3, groups=3, searches=4)
    batch = dataset[0]
    assert batch.templates.shape == (3, 2, 112, 112, 3)
    assert batch.searches.shape == (3, 4, 224, 224, 3)
    assert batch.searches.dtype == torch.uint8
    found = batch.boxes[batch.present]
    assert len(found)
    assert (found[:, 2:] > found[:, :2]).all()
    assert found.min() >= 0
    assert found.max() <= 1
    assert not batch.boxes[~batch.present].any()


def test_without_jitter_the_target_is_centred_at_its_nominal_size(pools: Pools):
    config = DataConfig(
        procedural=1, scenes=0, cutouts=0, videos=0, photos=0, absent_share=0, jitter=EXACT
    )
    batch = TrackingDataset(pools, config, SMALL, seed=5, groups=8, searches=2)[0]
    boxes = batch.boxes[batch.present]
    sides = boxes[:, 2:] - boxes[:, :2]
    whole = sides.prod(dim=1).sqrt() > 0.99 / SMALL.search_factor  # Not cut by an image's edge.
    assert whole.float().mean() > 0.7
    centres = (boxes[:, :2] + boxes[:, 2:])[whole] / 2
    torch.testing.assert_close(centres, torch.full_like(centres, 0.5), atol=1e-3, rtol=0)


def test_batches_depend_on_seed_and_index_alone(pools: Pools):
    dataset = TrackingDataset(pools, DataConfig(), SMALL, seed=7, groups=2, searches=2)
    in_order = list(batches(dataset, 0, 3, workers=0))
    again = next(iter(batches(dataset, 2, 3, workers=0)))
    assert torch.equal(in_order[2].searches, again.searches)
    assert not torch.equal(in_order[1].searches, again.searches)


def test_mirrored_boxes_stay_on_the_target():
    box = np.array([[0.1, 0.2, 0.4, 0.6], [0, 0, 0, 0]], np.float32)
    images = np.zeros((2, 8, 8, 3), np.uint8)
    sample = Sample(images, images, box, np.array([True, False])).mirrored()
    np.testing.assert_allclose(sample.boxes, [[0.6, 0.2, 0.9, 0.6], [0, 0, 0, 0]], atol=1e-6)


def test_no_material_is_an_error_that_says_so():
    with pytest.raises(ValueError, match="no source of samples"):
        TrackingDataset(Pools([], [], [], [], [], []), DataConfig(), SMALL, 0, 1, 1)


def test_corpus_is_read_and_bad_files_are_named(tmp_path, caplog):
    folder = tmp_path / "images" / "some"
    folder.mkdir(parents=True)
    image = np.full((60, 80, 3), 90, np.uint8)
    mask = np.zeros((60, 80), np.uint8)
    mask[10:40, 20:60] = 1
    cv2.imwrite(str(folder / "a.jpg"), image)
    cv2.imwrite(str(folder / "a.png"), mask)
    (folder / "b.jpg").write_bytes(b"no image")
    video = tmp_path / "videos" / "v"
    video.mkdir(parents=True)
    cv2.imwrite(str(video / "00000.jpg"), image)
    cv2.imwrite(str(video / "00001.jpg"), image)
    (video / "groundtruth_rect.txt").write_text("1,2,30,40\nNaN,NaN,NaN,NaN\n")
    corpus = load_corpus(tmp_path)
    np.testing.assert_array_equal(corpus.photos[0].boxes, [[20, 10, 40, 30]])
    assert len(corpus.cutouts) == 1
    assert np.isnan(corpus.clips[0].tracks[0, 1]).all()
    (reason,) = corpus.skipped
    assert "b.jpg: not a readable image" in reason
    assert "b.jpg" in caplog.text


def test_a_folder_that_is_no_corpus_is_refused(tmp_path):
    with pytest.raises(FileNotFoundError, match="neither a folder images nor videos"):
        load_corpus(tmp_path)


def test_every_tenth_video_is_held_out():
    assert [index for index in range(25) if is_held_out(index)] == [0, 10, 20]
