# Copyright 2026 mixformer2_ros contributors
# SPDX-License-Identifier: Apache-2.0
"""The newest frames, so that a target can be set on the frame its operator saw."""

from __future__ import annotations

from bisect import bisect_left, bisect_right

from mixformer2_ros.tracking.frame import Frame


class FrameHistory:
    """Frames by stamp, bounded in bytes. Not thread-safe.

    The newest frame is always kept, the oldest ones go first.

    Args:
        max_bytes: Most bytes that the frames may hold together (`Frame.nbytes`).
    """

    def __init__(self, max_bytes: int) -> None:
        self._max_bytes = max_bytes
        self._bytes = 0
        self._stamps: list[int] = []
        self._frames: list[Frame] = []

    def __len__(self) -> int:
        """Return the number of frames."""
        return len(self._stamps)

    @property
    def nbytes(self) -> int:
        """Bytes that the frames hold."""
        return self._bytes

    @property
    def oldest(self) -> int | None:
        """Stamp of the oldest frame in nanoseconds; None while empty."""
        return self._stamps[0] if self._stamps else None

    @property
    def newest(self) -> int | None:
        """Stamp of the newest frame in nanoseconds; None while empty."""
        return self._stamps[-1] if self._stamps else None

    def add(self, stamp_ns: int, frame: Frame) -> list[Frame]:
        """Add the newest frame.

        A stamp before the newest one means that time jumped back (a bag that starts over): what
        was kept belongs to another time and goes. The same stamp again replaces its frame.

        Args:
            stamp_ns: Stamp in nanoseconds.
            frame: The frame.

        Returns:
            The frames that went. To free megabytes takes time: let go of them when there is some.
        """
        gone = []
        if self._stamps and stamp_ns < self._stamps[-1]:
            gone += self._frames
            self.clear()
        if self._stamps and stamp_ns == self._stamps[-1]:
            gone.append(self._drop(-1))
        self._stamps.append(stamp_ns)
        self._frames.append(frame)
        self._bytes += frame.nbytes
        while self._bytes > self._max_bytes and len(self._stamps) > 1:
            gone.append(self._drop(0))
        return gone

    def nearest(self, stamp_ns: int) -> tuple[int, Frame] | None:
        """Return stamp and frame nearest to a stamp in nanoseconds; None while empty."""
        if not self._stamps:
            return None
        after = bisect_left(self._stamps, stamp_ns)
        choices = range(max(after - 1, 0), min(after + 1, len(self._stamps)))
        index = min(choices, key=lambda i: abs(self._stamps[i] - stamp_ns))
        return self._stamps[index], self._frames[index]

    def after(self, stamp_ns: int) -> list[tuple[int, Frame]]:
        """Return stamps and frames newer than a stamp in nanoseconds, oldest first."""
        first = bisect_right(self._stamps, stamp_ns)
        return list(zip(self._stamps[first:], self._frames[first:], strict=True))

    def clear(self) -> None:
        """Forget all frames."""
        self._stamps.clear()
        self._frames.clear()
        self._bytes = 0

    def _drop(self, index: int) -> Frame:
        del self._stamps[index]
        frame = self._frames.pop(index)
        self._bytes -= frame.nbytes
        return frame
