# Copyright 2026 mixformer2_ros contributors
# SPDX-License-Identifier: Apache-2.0
"""The page about a run of the demo: the evaluation's own report."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from mixformer2_ros.demo.recording import Recording
from mixformer2_ros.evaluation.datasets import Sequence
from mixformer2_ros.evaluation.live import LiveRecord, Report, write_scores
from mixformer2_ros.sources import Source

_SECOND = 1e-9


def write_page(source: Source, recording: Recording, out: Path) -> str | None:
    """Write what the evaluation has to say of a run.

    Args:
        source: gives the frames that were published.
        recording: of the run.
        out: folder of the page and the results.

    Returns:
        The page; None where the truth is not known, or the extra `report` is not installed.

    Raises:
        OSError: a file cannot be written.
    """
    record = live_record(recording)
    if record.start not in record.truths:
        return None
    numbers = {str(stamp): number for number, stamp in enumerate(recording.stamps)}

    def image_of(sequence: Sequence, index: int) -> NDArray[np.uint8] | None:
        number = numbers.get(sequence.frames[index].name)
        return next((frame.image for frame in source if frame.index == number), None)

    last = write_scores(record, out, "demo", image_of).splitlines()[-1]
    return last if last.endswith(".html") else None


def live_record(recording: Recording) -> LiveRecord:
    """Return a recording as the evaluation takes it; times are those of the images' stamps."""
    delays = [found.latency for found in recording.detections.values()]
    usual = float(np.median(delays)) if delays else 0.0
    record = LiveRecord(start=recording.start)
    for stamp, box in recording.truths.items():
        record.add_truth(stamp, box, stamp * _SECOND)
    for stamp, seen in recording.observations.items():
        # A lost target has no detection; its state is published at the same point.
        found = recording.detections.get(stamp)
        delay = usual if found is None else found.latency
        arrival = stamp * _SECOND + delay
        record.reports[stamp] = Report(seen.box, seen.score, seen.state, arrival)
    return record
