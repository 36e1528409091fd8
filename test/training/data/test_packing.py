# Copyright 2026 mixformer2_ros contributors
# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest

from mixformer2_ros.training.data.corpus import Corpus, load_corpus
from mixformer2_ros.training.data.packing import main, pack_corpus, read_pack


@pytest.fixture
def corpus(tmp_path: Path) -> Path:
    """A photograph with a mask, one with a box, one bad file, and two videos."""
    rng = np.random.default_rng(0)
    image = cv2.resize(rng.integers(0, 255, (24, 32, 3), np.uint8), (160, 120))
    mask = np.zeros((120, 160), np.uint8)
    mask[30:80, 40:100] = 1
    root = tmp_path / "corpus"
    photos = root / "images" / "some"
    photos.mkdir(parents=True)
    for name in ("a", "b"):
        cv2.imwrite(str(photos / f"{name}.jpg"), image, [cv2.IMWRITE_JPEG_QUALITY, 97])
    cv2.imwrite(str(photos / "a.png"), mask)
    (photos / "b.txt").write_text("1,2,30,40\n")
    (photos / "c.jpg").write_bytes(b"no image")
    for name in ("v", "v-2"):
        video = root / "videos" / name
        video.mkdir(parents=True)
        for frame in range(3):
            cv2.imwrite(str(video / f"{frame:05d}.jpg"), image)
        (video / "groundtruth_rect.1.txt").write_text("1,2,30,40\n" * 3)
        (video / "groundtruth_rect.2.txt").write_text("NaN,NaN,NaN,NaN\n" * 3)
    (root / "README.md").write_text("Where it is from.\n")
    (root / "notes.tmp").write_text("Not for the pack.\n")
    return root


def _equal(one: Corpus, other: Corpus) -> bool:
    arrays = [
        [
            *(photo.image for photo in corpus.photos),
            *(photo.boxes for photo in corpus.photos),
            *(level for cutout in corpus.cutouts for level in cutout.levels),
            *(frame for clip in corpus.clips for frame in clip.frames),
            *(clip.tracks for clip in corpus.clips),
        ]
        for corpus in (one, other)
    ]
    names = [[clip.name for clip in corpus.clips] for corpus in (one, other)]
    return names[0] == names[1] and all(
        np.array_equal(a, b, equal_nan=True) for a, b in zip(*arrays, strict=True)
    )


def test_a_pack_gives_what_the_folder_gives(corpus, tmp_path):
    pack = tmp_path / "corpus.zip"
    skipped = pack_corpus(corpus, pack, 10**6)
    assert [reason for reason in skipped.reasons() if "c.jpg" in reason] == skipped.reasons()
    read, packed = load_corpus(corpus), load_corpus(pack)
    assert len(read.photos) == len(read.clips) == 2
    assert _equal(read, packed)
    assert len(read.skipped) == 1
    assert not packed.skipped
    assert _equal(
        load_corpus(corpus, lambda index: index == 1, photos=False),
        load_corpus(pack, lambda index: index == 1, photos=False),
    )


def test_a_pack_holds_the_origin_and_nothing_else(corpus, tmp_path):
    pack_corpus(corpus, tmp_path / "pack", 10**6)
    names = read_pack(tmp_path / "pack").names()
    assert "README.md" in names
    assert "notes.tmp" not in names
    assert "images/some/c.jpg" not in names


def test_packing_twice_gives_the_same_bytes(corpus, tmp_path):
    for name in ("one", "two"):
        pack_corpus(corpus, tmp_path / name, 10**6)
    pack_corpus(tmp_path / "one", tmp_path / "three", 10**6)
    assert len({(tmp_path / name).read_bytes() for name in ("one", "two", "three")}) == 1


def test_quality_falls_just_as_far_as_the_limit_asks(corpus, tmp_path):
    pack_corpus(corpus, tmp_path / "full", 10**6)
    full = (tmp_path / "full").stat().st_size
    for share in (0.8, 0.5):
        limit = round(share * full)
        pack_corpus(corpus, tmp_path / "small", limit)
        assert 0.7 * limit < (tmp_path / "small").stat().st_size <= limit
        smaller = load_corpus(tmp_path / "small")
        assert len(smaller.cutouts) == 1
        error = smaller.photos[0].image.astype(int) - load_corpus(corpus).photos[0].image
        assert np.abs(error).mean() < 8


def test_what_cannot_fit_is_refused_and_leaves_no_file(corpus, tmp_path, capsys):
    assert main([str(corpus), str(tmp_path / "pack"), "--limit", "0.001"]) == 2
    assert "at the lowest quality" in capsys.readouterr().err
    assert not list(tmp_path.glob("pack*"))


def test_the_command_says_size_and_what_was_left_out(corpus, tmp_path, capsys):
    assert main([str(corpus), str(tmp_path / "pack")]) == 0
    said = capsys.readouterr().out
    assert "MB; 1 files of the training material were skipped" in said
    assert "c.jpg: not a readable image" in said


def test_damaged_packs_are_explained(corpus, tmp_path):
    pack = tmp_path / "pack"
    pack.write_bytes(b"no archive")
    with pytest.raises(ValueError, match="no packed corpus"):
        load_corpus(pack)
    pack_corpus(corpus, pack, 10**6)
    content = bytearray(pack.read_bytes())
    place = content.index(b"images/some/b.jpg") + 2000
    content[place] ^= 0xFF
    pack.write_bytes(content)
    damaged = load_corpus(pack)
    assert len(damaged.photos) == 1
    assert "damaged in the pack" in damaged.skipped[0]
