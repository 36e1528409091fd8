# Copyright 2026 mixformer2_ros contributors
# SPDX-License-Identifier: Apache-2.0
"""The annotated image for people, made beside the tracking and only while it is watched."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Any, NamedTuple

import cv2
from sensor_msgs.msg import Image

from mixformer2_ros.drawing import STATE_COLOURS, annotate
from mixformer2_ros.ros.images import rgb_to_message
from mixformer2_ros.tracking.frame import Frame
from mixformer2_ros.tracking.types import TargetState, TrackResult


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
        rgb = annotate(pixels, picture.results)
        for result in picture.results.values():
            if result.state is not TargetState.TRACKING:
                left, top, side = result.window
                corners = (left, top), (left + side, top + side)
                cv2.rectangle(rgb, *corners, STATE_COLOURS[result.state], 1)
        return rgb_to_message(rgb, picture.header)
