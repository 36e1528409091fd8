# Copyright 2026 mixformer2_ros contributors
# SPDX-License-Identifier: Apache-2.0
"""What each number of an evaluation means: the convention that stands beside it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

_PER_SEQUENCE = "mean over sequences"
_POOLED = "over all frames of all sequences"


@dataclass(frozen=True)
class Metric:
    """A number and how it is computed.

    Attributes:
        name: Key in the output.
        convention: The definition, in full.
        unit: "share" is in [0, 1] and shown as percent; "count", "s", "Hz".
        better: Which way is better.
    """

    name: str
    convention: str
    unit: Literal["share", "count", "s", "Hz"] = "share"
    better: Literal["higher", "lower"] = "higher"


METRICS = (
    Metric(
        "success_auc",
        "success AUC, mean of 21: mean over the overlap thresholds 0, 0.05, ..., 1 of the share of "
        "frames with overlap > threshold; the first frame counts as given, frames without the "
        f"target are misses; {_PER_SEQUENCE} (OTB, UAV123)",
    ),
    Metric(
        "success_auc_present",
        f"the same, frames without the target left out; {_PER_SEQUENCE} (LaSOT toolkit)",
    ),
    Metric(
        "success_auc_trapezoid",
        "area under the curve of success_auc by the trapezoid rule; the first frame counts as "
        f"given, frames without the target are misses; {_PER_SEQUENCE}",
    ),
    Metric(
        "success_trackingnet",
        "area by the trapezoid rule, overlap >= threshold, boxes rounded to integers; the first "
        f"frame counts as given; {_PER_SEQUENCE} (TrackingNet development kit)",
    ),
    Metric(
        "precision_20",
        "share of frames with a centre error <= 20 pixels; the first frame counts as given, frames "
        f"without the target are misses; {_PER_SEQUENCE} (OTB)",
    ),
    Metric(
        "precision_20_present",
        f"the same, frames without the target left out; {_PER_SEQUENCE} (LaSOT toolkit)",
    ),
    Metric(
        "normalised_precision_0.2",
        "share of frames with a centre error <= 0.2 of the true width and height; the first frame "
        f"counts as given, frames without the target are misses; {_PER_SEQUENCE}",
    ),
    Metric(
        "normalised_precision_0.2_present",
        f"the same, frames without the target left out; {_PER_SEQUENCE} (LaSOT toolkit)",
    ),
    Metric(
        "normalised_precision_area",
        "area under the share of frames with normalised centre error <= 0, 0.025, ..., 0.5, "
        "trapezoid rule, boxes rounded to integers; the first frame counts as given, frames "
        f"without the target are misses; {_PER_SEQUENCE} (TrackingNet development kit)",
    ),
    Metric(
        "average_overlap",
        "AO: mean overlap of all frames but the first, boxes clipped to the image where its size "
        f"is known, frames without the target left out; {_POOLED} (GOT-10k)",
    ),
    Metric(
        "success_rate_0.5", f"SR: share of these frames with overlap > 0.5; {_POOLED} (GOT-10k)"
    ),
    Metric(
        "success_rate_0.75", f"SR: share of these frames with overlap > 0.75; {_POOLED} (GOT-10k)"
    ),
    Metric(
        "robustness",
        "share of the frames with the target that come before the first failure; a failure is "
        f"overlap <= 0.1 in 10 such frames in a row; one run from the first frame; {_PER_SEQUENCE} "
        "(VOT2020 without its further anchors)",
    ),
    Metric(
        "failures",
        "number of times the overlap stays <= 0.1 for 10 frames with the target; not restarted; "
        "sum over sequences",
        "count",
        "lower",
    ),
    Metric(
        "restarts",
        "supervised runs only: number of failures (overlap 0), after each of which the tracker is "
        "started again 5 frames later; sum over sequences (VOT short-term, up to 2019)",
        "count",
        "lower",
    ),
    Metric(
        "f_score",
        "highest F of tracking precision and recall over all thresholds of the confidence; "
        "precision and recall are means over sequences; first frame left out (VOT long-term)",
    ),
    Metric(
        "max_gm",
        "maximum geometric mean of the share of frames with the target that have overlap >= 0.5 "
        "(and are not called LOST) and the share of frames without it that are called LOST or have "
        f"no box; first frame left out; {_POOLED} (OxUvA)",
    ),
    Metric(
        "confidence_auroc",
        "chance that a frame with overlap > 0.5 has a higher confidence than one without (frames "
        f"without the target are among these); first frame left out; {_POOLED}",
    ),
    Metric(
        "presence_auroc",
        "chance that a frame with the target has a higher confidence than one without; first frame "
        f"left out; {_POOLED}",
    ),
    Metric(
        "calibration_error",
        "mean distance of the confidence from the share of frames with overlap > 0.5, in 10 equal "
        f"bins; first frame left out; {_POOLED}",
        "share",
        "lower",
    ),
    Metric(
        "time_to_declare_loss",
        "median seconds from the start of a loss (overlap <= 0.1, or no target, for 10 frames or "
        "longer) to the first LOST in it; losses that are never declared are counted in "
        "undeclared_losses",
        "s",
        "lower",
    ),
    Metric(
        "undeclared_losses",
        "share of those losses in which LOST is never declared",
        "share",
        "lower",
    ),
    Metric(
        "false_loss_rate",
        f"share of the frames with the target in which the tracker says LOST; {_POOLED}",
        "share",
        "lower",
    ),
    Metric(
        "missed_loss_rate",
        f"share of the frames without the target in which it does not say LOST; {_POOLED}",
        "share",
        "lower",
    ),
    Metric(
        "time_to_reacquire",
        "median seconds from the return of an absent target to the first frame with overlap > 0.5 "
        "that is not called LOST; returns never noticed before the target is gone again are "
        "counted in never_reacquired",
        "s",
        "lower",
    ),
    Metric("never_reacquired", "share of those returns", "share", "lower"),
    Metric(
        "frames_per_second",
        f"1 / median of the seconds per frame in the tracker, image reading left out; {_POOLED}",
        "Hz",
    ),
    Metric(
        "effective_frame_rate",
        f"streaming only: frames processed per second of video; {_PER_SEQUENCE}",
        "Hz",
    ),
)
"""Every number of the output; `None` there means that it does not apply."""

METRIC = {metric.name: metric for metric in METRICS}
"""The metrics by name."""
