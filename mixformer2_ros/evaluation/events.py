# Copyright 2026 mixformer2_ros contributors
# SPDX-License-Identifier: Apache-2.0
"""What happens over time: failures, losses that are declared or not, and finding back."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from mixformer2_ros.tracking.types import TargetState

FAILURE_OVERLAP = 0.1
"""Overlap at or below which a tracker is off its target (VOT2020, section 2)."""

FAILURE_FRAMES = 10
"""Frames in a row off the target that make a failure (VOT2020, section 2)."""

FOUND_OVERLAP = 0.5
"""Overlap above which a target counts as found."""

Runs = NDArray[np.intp]


def runs(mask: NDArray[np.bool_]) -> Runs:
    """Return the maximal runs of True as (K, 2) first index and index after the last."""
    edges = np.diff(np.concatenate([[False], mask, [False]]).astype(np.int8))
    return np.stack([np.flatnonzero(edges == 1), np.flatnonzero(edges == -1)], axis=1)


def failures(overlaps: NDArray[np.float64], absent: NDArray[np.bool_]) -> NDArray[np.intp]:
    """Return where a tracker fails: the first of `FAILURE_FRAMES` frames in a row off the target.

    Args:
        overlaps: (N,) overlaps.
        absent: (N,) whether the target is absent; these frames are left out before counting.

    Returns:
        (K,) indices of frames.
    """
    present = np.flatnonzero(~absent)
    off = runs(overlaps[present] <= FAILURE_OVERLAP)
    long = off[off[:, 1] - off[:, 0] >= FAILURE_FRAMES]
    return present[long[:, 0]]


def frames_to_declare_loss(
    overlaps: NDArray[np.float64], states: NDArray[np.int8]
) -> NDArray[np.float64]:
    """Return after how many frames a tracker says LOST, for each time it loses the target.

    A loss is a run of at least `FAILURE_FRAMES` frames with overlap at most `FAILURE_OVERLAP`,
    because the tracker drifted off or because the target is absent.

    Args:
        overlaps: (N,) overlaps, 0 where the target is absent.
        states: (N,) target states.

    Returns:
        (K,) frames from the start of each loss to the first LOST in it; infinite when there is
        none.
    """
    off = runs(overlaps <= FAILURE_OVERLAP)
    long = off[off[:, 1] - off[:, 0] >= FAILURE_FRAMES]
    lost = np.flatnonzero(states == TargetState.LOST)
    return _first_after(lost, long[:, 0], long[:, 1])


def frames_to_reacquire(
    overlaps: NDArray[np.float64], absent: NDArray[np.bool_], states: NDArray[np.int8]
) -> NDArray[np.float64]:
    """Return after how many frames a tracker is back on a target that comes back into view.

    Args:
        overlaps: (N,) overlaps, 0 where the target is absent.
        absent: (N,) whether the target is absent.
        states: (N,) target states; a frame in which the tracker says LOST does not count.

    Returns:
        (K,) for every absence that ends: frames from the first one with the target to the first one
        with overlap above `FOUND_OVERLAP`; infinite when there is none before the target is gone
        again.
    """
    views = runs(~absent)
    views = views[views[:, 0] > 0]
    found = np.flatnonzero((overlaps > FOUND_OVERLAP) & (states != TargetState.LOST))
    return _first_after(found, views[:, 0], views[:, 1])


def _first_after(events: Runs, begin: Runs, end: Runs) -> NDArray[np.float64]:
    """Return how long after each begin the first event comes; infinite if not before the end."""
    padded = np.append(events, np.iinfo(np.intp).max)
    first = padded[np.searchsorted(events, begin)]
    return np.where(first < end, (first - begin).astype(np.float64), np.inf)
