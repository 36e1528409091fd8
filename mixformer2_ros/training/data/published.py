# Copyright 2026 mixformer2_ros contributors
# SPDX-License-Identifier: Apache-2.0
"""Samples of the published training sets, drawn as the published recipe draws them.

The recipe (github.com/MCG-NJU/MixFormerV2, arXiv 2305.15896): a set by its weight, a target of it,
a frame, a template before and search frames after it at most 200 frames away; crops off centre and
off scale; 5 % grey, 20 % brightness, mirrored crops.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from mixformer2_ros.annotations import AnnotationError
from mixformer2_ros.training.data.pairs import cut_out
from mixformer2_ros.training.data.readers import Reader, Track
from mixformer2_ros.training.data.samples import (
    MIN_VISIBLE,
    Sample,
    Sampling,
    fraction_box,
    place_target,
)
from mixformer2_ros.training.data.skipped import SkippedFiles

Image = NDArray[np.uint8]

_MAX_GAP = 200
_GREY_SHARE = 0.05
_BRIGHTNESS = 0.2
# So many bad targets in a row are no accident.
_ATTEMPTS = 50


class NoUsableTargetError(RuntimeError):
    """Many targets in a row cannot be used; the message names the sets and shows why."""


@dataclass(frozen=True)
class _View:
    """A frame and the place in it that a crop is cut around."""

    image: Image
    box: NDArray[np.float64]
    present: bool = True


class PublishedSets:
    """Draws samples from several training sets.

    Args:
        readers: The sets by name.
        weights: Share of each, not necessarily of sum 1.
        skipped: Takes the bad files.
    """

    def __init__(
        self, readers: Mapping[str, Reader], weights: Mapping[str, float], skipped: SkippedFiles
    ) -> None:
        self._readers = list(readers.values())
        shares = np.array([weights[name] for name in readers], np.float64)
        self._shares = shares / shares.sum()
        self._skipped = skipped

    def sample(self, rng: np.random.Generator, sampling: Sampling) -> Sample:
        """Draw a sample.

        Args:
            rng: Source of randomness.
            sampling: Number, size and placing of the crops; those without the target are of frames
                in which it is hidden or out of view, or of another target's video.

        Raises:
            NoUsableTargetError: Many targets in a row cannot be read.
        """
        for _ in range(_ATTEMPTS):
            track = self._track(rng)
            templates, found = draw_frames(rng, track.visible, sampling.searches)
            absent = rng.random(sampling.searches) < sampling.absent_share
            try:
                views = _Frames(track)
                chosen = [views.at(frame) for frame in templates]
                chosen += [
                    self._decoy(rng, track) if without else views.at(frame)
                    for frame, without in zip(found, absent, strict=True)
                ]
            except AnnotationError as error:
                self._skipped.add(error)
                continue
            return _cut(rng, chosen, sampling)
        raise self._hopeless()

    def _track(self, rng: np.random.Generator) -> Track:
        """Draw a target that is visible at least once."""
        for _ in range(_ATTEMPTS):
            reader = self._readers[rng.choice(len(self._readers), p=self._shares)]
            try:
                track = reader[int(rng.integers(len(reader)))]
            except AnnotationError as error:
                self._skipped.add(error)
                continue
            if track.visible.any():
                return track
        raise self._hopeless()

    def _hopeless(self) -> NoUsableTargetError:
        folders = ", ".join(str(reader.root) for reader in self._readers)
        return NoUsableTargetError(
            f"{_ATTEMPTS} targets in a row cannot be used; check the training sets in {folders}: "
            + self._skipped.report()
        )

    def _decoy(self, rng: np.random.Generator, track: Track) -> _View:
        """Return a view without the target: itself hidden, or another video."""
        hidden = np.flatnonzero(~track.visible)
        hidden = hidden[hidden > np.argmax(track.visible)]
        if len(hidden) and rng.random() < 0.5:
            frame = int(rng.choice(hidden))
            before = np.flatnonzero(track.visible[:frame])[-1]  # where a tracker still looks
            return _View(track.read(frame), track.boxes[before], present=False)
        other = self._track(rng)
        if other.name == track.name:
            other = self._track(rng)
        frame = int(rng.choice(np.flatnonzero(other.visible)))
        return _View(other.read(frame), other.boxes[frame], other.name == track.name)


class _Frames:
    """Views of one target; a frame that is asked for twice is read once."""

    def __init__(self, track: Track) -> None:
        self._track = track
        self._images: dict[int, Image] = {}

    def at(self, frame: int) -> _View:
        if frame not in self._images:
            self._images[frame] = self._track.read(frame)
        return _View(self._images[frame], self._track.boxes[frame])


def draw_frames(
    rng: np.random.Generator, visible: NDArray[np.bool_], searches: int
) -> tuple[list[int], list[int]]:
    """Draw frames of a video in the order in which a tracker meets them.

    Args:
        rng: Source of randomness.
        visible: (N,) bool, true at least once.
        searches: Number of search frames K.

    Returns:
        Two template frames, the earlier one first, and K search frames. The earlier template and
        all search frames are at most 200 frames from the later template, or the next there are.
    """
    frames = np.flatnonzero(visible)
    position = int(rng.integers(max(1, len(frames) - 1)))  # one comes after it, if there are two
    middle = int(frames[position])
    before, after = frames[:position], frames[position + 1 :]
    before = before[before >= middle - _MAX_GAP]
    near = after[after <= middle + _MAX_GAP]
    if not len(near):
        near = after[:1] if len(after) else frames[:1]
    earlier = int(rng.choice(before)) if len(before) else middle
    return [earlier, middle], [int(rng.choice(near)) for _ in range(searches)]


def _cut(rng: np.random.Generator, views: list[_View], sampling: Sampling) -> Sample:
    """Cut two templates and the search crops out of views, in this order."""
    grey = rng.random() < _GREY_SHARE
    variant = sampling.variant
    side = variant.template_size
    size, middle = side / variant.template_factor, np.full(2, side / 2)
    templates = [
        _look(rng, *cut_out(view.image, view.box, side, size, middle), grey)[0]
        for view in views[:2]
    ]
    side = variant.search_size
    crops, boxes, present = [], [], []
    for view in views[2:]:
        size, centre = place_target(rng, sampling.jitter, variant)
        crop, box = _look(rng, *cut_out(view.image, view.box, side, size, centre), grey)
        fractions, share = fraction_box(box, side)
        seen = view.present and share > MIN_VISIBLE
        crops.append(crop)
        boxes.append(fractions if seen else np.zeros(4, np.float32))
        present.append(seen)
    return Sample(np.stack(templates), np.stack(crops), np.stack(boxes), np.array(present))


def _look(
    rng: np.random.Generator, crop: Image, box: NDArray[np.float64], grey: bool
) -> tuple[Image, NDArray[np.float64]]:
    """Apply the published changes of appearance to a crop and its box x1, y1, x2, y2."""
    if grey:
        crop = np.asarray(cv2.cvtColor(cv2.cvtColor(crop, cv2.COLOR_RGB2GRAY), cv2.COLOR_GRAY2RGB))
    crop = np.asarray(
        cv2.convertScaleAbs(crop, alpha=rng.uniform(1 - _BRIGHTNESS, 1 + _BRIGHTNESS))
    )
    if rng.random() < 0.5:
        crop = np.ascontiguousarray(crop[:, ::-1])
        box = np.array([crop.shape[1] - box[2], box[1], crop.shape[1] - box[0], box[3]])
    return crop, box
