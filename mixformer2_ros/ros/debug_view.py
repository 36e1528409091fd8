# Copyright 2026 mixformer2_ros contributors
# SPDX-License-Identifier: Apache-2.0
"""The annotated image for people, made beside the tracking and only while it is watched."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Any, NamedTuple

import cv2
import numpy as np
from numpy.typing import NDArray
from sensor_msgs.msg import Image

from mixformer2_ros.ros.images import rgb_to_message
from mixformer2_ros.tracking.frame import Frame
from mixformer2_ros.tracking.types import TargetState, TrackResult

_COLOURS = {
    TargetState.TRACKING: (40, 220, 60),
    TargetState.UNCERTAIN: (255, 190, 0),
    TargetState.LOST: (230, 40, 40),
}


def annotate(rgb: NDArray[np.uint8], results: dict[str, TrackResult]) -> None:
    """Draw every target's box, name, state and score, and a lost one's search region.

    Args:
        rgb: uint8 (H, W, 3), changed in place.
        results: What the tracker knows, by target.
    """
    thickness = max(1, round(rgb.shape[0] / 360))
    for target_id, result in results.items():
        colour = _COLOURS.get(result.state, (200, 200, 200))
        x, y, width, height = (round(float(value)) for value in result.box)
        cv2.rectangle(rgb, (x, y), (x + width, y + height), colour, thickness)
        if result.state is not TargetState.TRACKING:
            left, top, side = result.window
            cv2.rectangle(rgb, (left, top), (left + side, top + side), colour, 1)
        text = f"{target_id} {result.state.name} {result.score:.2f}"
        place = (max(0, x), max(15 * thickness, y - 5))
        cv2.putText(rgb, text, place, cv2.FONT_HERSHEY_SIMPLEX, 0.5 * thickness, colour, thickness)


class _Picture(NamedTuple):
    header: Any
    frame: Frame
    results: dict[str, TrackResult]


class DebugView:
    """Annotates frames in a thread of its own; of several waiting frames only the newest is drawn.

    Converting, drawing and publishing a whole image takes longer than the rest of a frame's way
    through the node, so the tracking must not wait for it.

    Args:
        is_watched: Whether anybody wants the images.
        publish: Takes the annotated image.
        on_error: Takes the text of whatever went wrong; the thread goes on.
    """

    def __init__(
        self,
        is_watched: Callable[[], bool],
        publish: Callable[[Image], None],
        on_error: Callable[[str], None],
    ) -> None:
        self._is_watched = is_watched
        self._publish = publish
        self._on_error = on_error
        self._picture: _Picture | None = None
        self._stopping = False
        self._changed = threading.Condition()
        self._thread = threading.Thread(target=self._run, name="debug view", daemon=True)
        self._thread.start()

    def show(self, header: Any, frame: Frame, results: dict[str, TrackResult]) -> None:
        """Take a frame if somebody watches; never waits.

        Args:
            header: The image's header.
            frame: The image.
            results: What the tracker knows, by target.
        """
        if not self._is_watched():
            return
        with self._changed:
            self._picture = _Picture(header, frame, results)
            self._changed.notify()

    def stop(self) -> None:
        """End the thread; a waiting frame is not drawn any more."""
        with self._changed:
            self._stopping = True
            self._changed.notify()
        self._thread.join()

    def _run(self) -> None:
        while True:
            with self._changed:
                self._changed.wait_for(lambda: self._picture or self._stopping)
                picture, self._picture = self._picture, None
                if self._stopping or picture is None:
                    return
            try:
                self._publish(self._draw(picture))
            except Exception as error:
                self._on_error(f"the debug image could not be made: {error}")

    @staticmethod
    def _draw(picture: _Picture) -> Image:
        frame = picture.frame
        pixels = frame.to_rgb(frame.region(0, 0, frame.width, frame.height))
        # RGB input comes as a view of the message that others still read.
        rgb = np.array(pixels) if pixels.base is not None else pixels
        annotate(rgb, picture.results)
        return rgb_to_message(rgb, picture.header)
