# Copyright 2026 mixformer2_ros contributors
# SPDX-License-Identifier: Apache-2.0
"""What the training samples are made of."""

from __future__ import annotations

from dataclasses import dataclass, field

from mixformer2_ros.training.data.samples import Jitter

SOURCES = ("procedural", "scenes", "cutouts", "videos", "photos")
"""The sources of samples that are not published training sets."""


@dataclass(frozen=True)
class DataConfig:
    """What the training samples are made of.

    Attributes:
        sprites: Procedural objects made at the start.
        backgrounds: Procedural backgrounds made at the start.
        scene_clips: Procedural scenes rendered at the start, a few frames of each.
        procedural: Weight of procedural objects, on procedural backgrounds or photographs.
        scenes: Weight of pairs of frames of rendered scenes.
        cutouts: Weight of objects cut out of photographs, on either background.
        videos: Weight of pairs of video frames.
        photos: Weight of photographs seen twice.
        sources: Weights of the published training sets, by kind (see data.readers.KINDS), such as
            got10k: 1; on the same scale as the weights above.
        folders: Their folders, by kind, as far as they are not named on the command line.
        video_weights: Weight of a video by the beginning of its name; 1 where none fits.
        absent_share: Share of search crops without the target.
        plain_share: Share of the painted samples that are easy: one object on a background, seen
            by a perfect camera.
        generated: Render the samples on the device, in batches (see scenes.batched), instead of on
            the host. Published training sets are read on the host all the same, for the samples of
            each batch that are theirs by weight.
        jitter: Placing of the search crops.
    """

    sprites: int = 3000
    backgrounds: int = 500
    scene_clips: int = 200
    procedural: float = 0.3
    scenes: float = 0.25
    cutouts: float = 0.25
    videos: float = 0.12
    photos: float = 0.08
    sources: dict[str, float] = field(default_factory=dict)
    folders: dict[str, str] = field(default_factory=dict)
    video_weights: dict[str, float] = field(default_factory=lambda: {"fly_": 0.1})
    absent_share: float = 0.15
    plain_share: float = 0.0
    generated: bool = False
    jitter: Jitter = field(default_factory=Jitter)
