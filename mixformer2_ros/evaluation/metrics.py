# Copyright 2026 mixformer2_ros contributors
# SPDX-License-Identifier: Apache-2.0
"""Accuracy of boxes against ground truth, each with its convention.

Boxes are x, y, w, h in pixels, left and top edge first. A row of NaN in the ground truth says that
the target is not visible; a row of NaN in the results says that the tracker reports none.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

SUCCESS_THRESHOLDS = np.linspace(0, 1, 21)
"""Overlap thresholds 0, 0.05, ..., 1 of the success plot (OTB, LaSOT)."""


def iou(a: ArrayLike, b: ArrayLike) -> NDArray[np.float64]:
    """Return the intersection over union of boxes.

    Args:
        a: (..., 4) boxes x, y, w, h.
        b: (..., 4) boxes, broadcast against `a`.

    Returns:
        (...) float64 in [0, 1]; 0 where a box is NaN or has no area.
    """
    first, second = np.asarray(a, np.float64), np.asarray(b, np.float64)
    near = np.maximum(first[..., :2], second[..., :2])
    far = np.minimum(first[..., :2] + first[..., 2:], second[..., :2] + second[..., 2:])
    intersection = np.prod(np.clip(far - near, 0, None), axis=-1)
    union = np.prod(first[..., 2:], axis=-1) + np.prod(second[..., 2:], axis=-1) - intersection
    overlap = np.divide(intersection, union, out=np.zeros_like(union), where=union > 0)
    return np.nan_to_num(overlap, nan=0.0)


def centre_error(a: ArrayLike, b: ArrayLike) -> NDArray[np.float64]:
    """Return the distance of the boxes' centres in pixels; infinite where a box is NaN.

    Args:
        a: (..., 4) boxes x, y, w, h.
        b: (..., 4) boxes, broadcast against `a`.
    """
    first, second = np.asarray(a, np.float64), np.asarray(b, np.float64)
    offset = first[..., :2] + first[..., 2:] / 2 - second[..., :2] - second[..., 2:] / 2
    return np.nan_to_num(np.hypot(offset[..., 0], offset[..., 1]), nan=np.inf)


def success_curve(overlaps: ArrayLike) -> NDArray[np.float64]:
    """Return the share of frames whose overlap is greater than each threshold.

    Args:
        overlaps: (N,) IoU of every frame, absent ones included as 0 (they count as misses).

    Returns:
        (21,) for the thresholds 0, 0.05, ..., 1; strictly greater.
    """
    return (np.asarray(overlaps, np.float64)[:, None] > SUCCESS_THRESHOLDS).mean(axis=0)


def success_auc(overlaps: ArrayLike) -> float:
    """Return the success AUC in [0, 1]: the mean of `success_curve` (mean of 21, OTB, LaSOT)."""
    return float(success_curve(overlaps).mean())


def precision(errors: ArrayLike, threshold: float = 20.0) -> float:
    """Return the share of frames whose centre lies at most `threshold` pixels off.

    Args:
        errors: (N,) centre errors in pixels, infinite where absent.
        threshold: Pixels; published: 20.
    """
    return float((np.asarray(errors, np.float64) <= threshold).mean())


def normalised_error(boxes: ArrayLike, truth: ArrayLike) -> NDArray[np.float64]:
    """Return the distance of the centres in units of the true box's width and height (LaSOT).

    Args:
        boxes: (..., 4) boxes x, y, w, h.
        truth: (..., 4) true boxes, broadcast against `boxes`.

    Returns:
        (...) float64; infinite where a box is NaN or the true box has no area.
    """
    first, second = np.asarray(boxes, np.float64), np.asarray(truth, np.float64)
    offset = first[..., :2] + first[..., 2:] / 2 - second[..., :2] - second[..., 2:] / 2
    size = np.broadcast_to(second[..., 2:], offset.shape)
    scaled = np.divide(offset, size, out=np.full(offset.shape, np.inf), where=size > 0)
    return np.nan_to_num(np.hypot(scaled[..., 0], scaled[..., 1]), nan=np.inf, posinf=np.inf)


def precision_curve(errors: ArrayLike, thresholds: ArrayLike) -> NDArray[np.float64]:
    """Return the share of frames whose error is at most each threshold.

    Args:
        errors: (N,) errors, infinite where absent.
        thresholds: (K,) thresholds in the same unit.

    Returns:
        (K,) shares.
    """
    values = np.asarray(errors, np.float64)[:, None]
    return (values <= np.asarray(thresholds, np.float64)).mean(axis=0)


def area(curve: ArrayLike) -> float:
    """Return the mean height of an evenly sampled curve by the trapezoid rule."""
    heights = np.asarray(curve, np.float64)
    return float((heights[1:] + heights[:-1]).mean() / 2)


def trackingnet_normalised_precision(boxes: ArrayLike, truth: ArrayLike) -> float:
    """Return the normalised precision as the development kit of TrackingNet computes it.

    Boxes are rounded to integers first; the score is the area under the share of frames with
    normalised error at most 0, 0.025, ..., 0.5, by the trapezoid rule.

    Args:
        boxes: (N, 4) boxes x, y, w, h.
        truth: (N, 4) true boxes.

    Returns:
        Score in [0, 1].
    """
    errors = normalised_error(np.round(np.asarray(boxes)), np.round(np.asarray(truth)))
    return area(precision_curve(errors, np.linspace(0, 0.5, 21)))


def trackingnet_success(boxes: ArrayLike, truth: ArrayLike) -> float:
    """Return the success as the development kit of TrackingNet computes it.

    Boxes are rounded to integers first; the score is the area under the share of frames with
    overlap **at least** 0, 0.05, ..., 1, by the trapezoid rule: threshold 0 always counts.

    Args:
        boxes: (N, 4) boxes x, y, w, h.
        truth: (N, 4) true boxes.

    Returns:
        Score in [0, 1].
    """
    overlaps = iou(np.round(np.asarray(boxes)), np.round(np.asarray(truth)))
    return area((overlaps[:, None] >= SUCCESS_THRESHOLDS).mean(axis=0))


def clip_to_frame(boxes: ArrayLike, size: tuple[int, int]) -> NDArray[np.float64]:
    """Return boxes cut off at the edges of the frame, as GOT-10k does before it compares them.

    Args:
        boxes: (N, 4) boxes x, y, w, h in pixels; NaN stays NaN.
        size: Width and height of the frame in pixels.
    """
    corners = np.asarray(boxes, np.float64).copy()
    corners[:, 2:] += corners[:, :2]
    corners = np.clip(corners, 0, np.array([*size, *size], np.float64))
    corners[:, 2:] -= corners[:, :2]
    return corners
