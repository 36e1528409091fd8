# Copyright 2026 mixformer2_ros contributors
# SPDX-License-Identifier: Apache-2.0
"""What a data set is made of: videos with one target and its true boxes."""

from __future__ import annotations

import warnings
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray


class DatasetError(ValueError):
    """A folder does not hold the data set it should; the message says what is missing."""


@dataclass(frozen=True, eq=False)
class Sequence:
    """One target in one video of N frames.

    Attributes:
        name: Unique in its data set, as the benchmark writes it.
        frames: The N image files in order.
        truth: (N, 4) float64, x, y, w, h in pixels; NaN where the target is absent.
        absent: (N,) bool, the target is fully hidden or out of view.
        attributes: Short names of the challenges, such as "OCC"; empty when not published.
        start: Index of the first frame with a box; trackers start there.
        fps: Frames per second of the video, or None when not known.
        frame_size: Width and height in pixels where the benchmark states it, else None.
        withheld: The benchmark keeps all boxes but the first; results go to its server.
        stamps: (N,) times of the frames in seconds, rising; None = evenly spaced by `fps`.
        labelled: (N,) bool, frames of which the truth is known, `start` among them; the others are
            not scored. None = all.
    """

    name: str
    frames: list[Path]
    truth: NDArray[np.float64]
    absent: NDArray[np.bool_]
    attributes: frozenset[str] = frozenset()
    start: int = 0
    fps: float | None = None
    frame_size: tuple[int, int] | None = None
    withheld: bool = False
    stamps: NDArray[np.float64] | None = None
    labelled: NDArray[np.bool_] | None = None

    def __len__(self) -> int:
        return len(self.frames)


def make_sequence(
    name: str,
    frames: list[Path],
    truth: NDArray[np.float64],
    *,
    hidden: NDArray[np.bool_] | None = None,
    attributes: Iterable[str] = (),
    fps: float | None = None,
    frame_size: tuple[int, int] | None = None,
) -> Sequence:
    """Put a sequence together from frames and boxes, and check that they agree.

    Args:
        name: Its name.
        frames: Image files in order.
        truth: (M, 4) boxes; not finite or without area = absent. M = 1 with more frames: the rest
            is withheld. Frames after the last box are left out, with a warning.
        hidden: (M,) frames in which the target is marked as absent.
        attributes: Names of its challenges.
        fps: Frames per second.
        frame_size: Width and height in pixels.

    Raises:
        DatasetError: More boxes than frames, or no box at all.
    """
    if len(truth) > len(frames):
        raise DatasetError(
            f"sequence {name}: {len(truth)} boxes but only {len(frames)} frames; unpack it again"
        )
    absent = _absent(name, truth, hidden)
    withheld = len(truth) == 1 < len(frames)
    if withheld:
        unknown = len(frames) - 1
        truth = np.vstack([truth, np.full((unknown, 4), np.nan)])
        absent = np.append(absent, np.zeros(unknown, bool))
    elif len(truth) < len(frames):
        warnings.warn(
            f"sequence {name}: the last {len(frames) - len(truth)} of {len(frames)} frames have no "
            "ground truth and are left out",
            stacklevel=2,
        )
    return Sequence(
        name=name,
        frames=frames[: len(truth)],
        truth=np.where(absent[:, None], np.nan, truth),
        absent=absent,
        attributes=frozenset(attributes),
        start=int(np.argmin(absent)),
        fps=fps,
        frame_size=frame_size,
        withheld=withheld,
    )


def _absent(
    name: str, truth: NDArray[np.float64], hidden: NDArray[np.bool_] | None
) -> NDArray[np.bool_]:
    """Return in which frames there is no target: it has no box, or is marked as hidden."""
    visible = (truth[:, 2:] > 0) & np.isfinite(truth[:, :2])
    absent = ~np.logical_and.reduce(visible, axis=1)
    if hidden is not None:
        if len(hidden) != len(truth):
            raise DatasetError(
                f"sequence {name}: {len(hidden)} absence labels for {len(truth)} boxes"
            )
        absent |= hidden
    if absent.all():
        raise DatasetError(f"sequence {name}: no box in its ground truth")
    return absent
