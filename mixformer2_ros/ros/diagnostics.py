# Copyright 2026 mixformer2_ros contributors
# SPDX-License-Identifier: Apache-2.0
"""What goes well and what does not, as diagnostic_msgs, every problem with its cure.

diagnostic_updater has no Python package everywhere, and one status is all there is to publish.
"""

from __future__ import annotations

import statistics
import threading
from collections import deque
from collections.abc import Iterable
from dataclasses import dataclass, field

from diagnostic_msgs.msg import DiagnosticStatus, KeyValue

from mixformer2_ros.ros.deadline import Deadline
from mixformer2_ros.tracking.types import TargetState

RATE_WINDOW = 5.0
"""Seconds over which rates are counted and problems are remembered."""
SILENCE = 2.0
"""Seconds without an image after which something is wrong."""
DROP_LIMIT = 0.5
"""Share of dropped frames above which something is wrong."""
_SAMPLES = 512


@dataclass(frozen=True)
class Problem:
    """Something that is not as it should be: ERROR if it stops the tracking, else WARN."""

    is_error: bool
    text: str


@dataclass
class _Note:
    """The newest message of one kind and when it came."""

    text: str = ""
    time: float = float("-inf")

    def set(self, text: str, time: float) -> None:
        self.text, self.time = text, time


@dataclass(frozen=True)
class FrameTiming:
    """How long one frame took, in seconds.

    Attributes:
        latency: From the image's stamp to the publication, by the node's clock.
        inference: Inside the engine.
        overhead: From the image callback to the published detection, less ``inference``; a wait
            for the frame before it is part of it.
    """

    latency: float
    inference: float
    overhead: float

    @property
    def frame(self) -> float:
        """From the image callback to the published detection."""
        return self.inference + self.overhead


@dataclass
class Monitor:
    """Counts what happens in the node and turns it into a status. Safe between threads.

    All times are seconds of one monotonic clock, given by the caller.

    Attributes:
        timings: The newest frames' timings.
    """

    timings: deque[FrameTiming] = field(default_factory=lambda: deque(maxlen=_SAMPLES))
    _lock: threading.Lock = field(default_factory=threading.Lock)
    _deadline: Deadline = field(default_factory=lambda: Deadline(RATE_WINDOW))
    _images: deque[float] = field(default_factory=deque)
    _results: deque[float] = field(default_factory=deque)
    _drops: deque[tuple[float, int, int]] = field(default_factory=deque)
    _active_since: float | None = None
    _last_image: float = float("-inf")
    _rejected: int = 0
    _rejection: _Note = field(default_factory=_Note)
    _error: _Note = field(default_factory=_Note)
    _mismatch: _Note = field(default_factory=_Note)
    _setup_error: str = ""
    _camera_problem: str = ""
    _engine: str = ""
    _states: dict[str, TargetState] = field(default_factory=dict)
    _received: int = 0
    _dropped: int = 0

    def configured(self, engine: str) -> None:
        """The engine is loaded; ``engine`` describes it."""
        with self._lock:
            self._engine, self._setup_error = engine, ""

    def setup_failed(self, text: str) -> None:
        """Configuring or activating failed; ``text`` says why and what to do."""
        with self._lock:
            self._setup_error = text

    def unconfigured(self) -> None:
        """The engine is gone."""
        with self._lock:
            self._engine = ""

    def activated(self, now: float) -> None:
        """Images are expected from now on; everything counted before is forgotten."""
        with self._lock:
            for values in (self._images, self._results, self._drops, self.timings):
                values.clear()
            self._active_since, self._last_image, self._setup_error = now, float("-inf"), ""
            self._received = self._dropped = self._rejected = 0
            self._rejection, self._error, self._mismatch = _Note(), _Note(), _Note()
            self._states, self._camera_problem = {}, ""
            self._deadline.restart()

    def set_deadline(self, seconds: float) -> None:
        """A frame may take so long from now on; 0: as long as it likes."""
        with self._lock:
            self._deadline.budget = seconds

    def deactivated(self) -> None:
        """No images are expected any more."""
        with self._lock:
            self._active_since, self._states = None, {}

    def image_received(self, now: float) -> None:
        """A usable image has come."""
        with self._lock:
            self._images.append(now)
            self._last_image = now

    def image_rejected(self, text: str, now: float) -> None:
        """An image that cannot be used has come; ``text`` says why."""
        with self._lock:
            self._rejected += 1
            self._rejection.set(text, now)

    def qos_mismatch(self, text: str, now: float) -> None:
        """A publisher cannot be heard; ``text`` says which side must change."""
        with self._lock:
            self._mismatch.set(text, now)

    def tracking_error(self, text: str, now: float) -> None:
        """A frame could not be processed."""
        with self._lock:
            self._error.set(text, now)

    def camera_problem(self, text: str) -> None:
        """Directions cannot be given because of ``text``; empty when they can."""
        with self._lock:
            self._camera_problem = text

    def frame_published(
        self,
        timing: FrameTiming,
        states: dict[str, TargetState],
        counts: tuple[int, int],
        now: float,
    ) -> None:
        """A frame's results are out.

        Args:
            timing: How long it took.
            states: State of every target.
            counts: Frames received and frames dropped since activation.
            now: The time.
        """
        with self._lock:
            self.timings.append(timing)
            self._deadline.frame(timing.frame, now)
            self._results.append(now)
            self._received, self._dropped = counts
            self._drops.append((now, *counts))
            self._states = states

    def status(self, name: str, now: float, topic: str, publishers: int) -> DiagnosticStatus:
        """Summarise everything as one diagnostic status.

        Args:
            name: Name of the status.
            now: The time.
            topic: Resolved name of the image topic.
            publishers: How many publishers that topic has.

        Returns:
            Level, the problems with their cures in words, and the figures.
        """
        with self._lock:
            problems = self._problems(now, topic, publishers)
            status = DiagnosticStatus(name=name, hardware_id="")
            status.level = DiagnosticStatus.OK
            if problems:
                errors = any(problem.is_error for problem in problems)
                status.level = DiagnosticStatus.ERROR if errors else DiagnosticStatus.WARN
                problems.sort(key=lambda problem: not problem.is_error)
                status.message = "; ".join(problem.text for problem in problems)
            elif self._active_since is None:
                status.message = "not active: configure and activate the node"
            else:
                status.message = "tracking" if self._states else "no target: call ~/set_target"
            status.values = [
                KeyValue(key=key, value=str(value)) for key, value in self._figures(now)
            ]
        return status

    def _problems(self, now: float, topic: str, publishers: int) -> list[Problem]:
        if self._setup_error:
            return [Problem(True, self._setup_error)]
        if self._active_since is None:
            return []
        problems = []
        if now - self._rejection.time < RATE_WINDOW:
            alone = self._rejection.time > self._last_image
            problems.append(Problem(alone, f"an image was refused: {self._rejection.text}"))
        elif now - max(self._last_image, self._active_since) > SILENCE:
            problems.append(Problem(False, self._silence(topic, publishers)))
        if now - self._error.time < RATE_WINDOW:
            problems.append(Problem(True, f"a frame could not be processed: {self._error.text}"))
        share = self._dropped_share(now)
        if share > DROP_LIMIT:
            problems.append(
                Problem(
                    False,
                    f"{share:.0%} of the frames are dropped because the network is slower than the "
                    "camera: use a smaller model, a faster device or fewer targets, or lower the "
                    "camera's rate",
                )
            )
        late = self._deadline.problem(now)
        if late:
            problems.append(Problem(False, late))
        lost = [name for name, state in self._states.items() if state is TargetState.LOST]
        if lost:
            problems.append(
                Problem(
                    False,
                    f"target lost: {', '.join(lost)}; it is searched for, set it again with "
                    "~/set_target if it is elsewhere",
                )
            )
        if self._camera_problem:
            problems.append(Problem(False, f"no directions: {self._camera_problem}"))
        return problems

    def _silence(self, topic: str, publishers: int) -> str:
        if self._mismatch.time > self._last_image:
            return self._mismatch.text
        silence = f"no image on {topic} for {SILENCE:g} s"
        if not publishers:
            return (
                f"{silence} and nobody publishes there: start the camera, remap 'image' to its "
                "topic, or change the parameter image_transport"
            )
        return (
            f"{silence} although it has {publishers} publisher(s): the camera stands still, or its "
            "images get lost because they are larger than the middleware's buffers; enlarge these "
            "(Fast DDS: config/fastdds.xml of this package), "
            f"or set the parameter qos_overrides.{topic}.subscription.reliability to reliable"
        )

    def _dropped_share(self, now: float) -> float:
        while self._drops and self._drops[0][0] < now - RATE_WINDOW:
            self._drops.popleft()
        if len(self._drops) < 2:
            return 0.0
        (_, received_0, dropped_0), (_, received_1, dropped_1) = self._drops[0], self._drops[-1]
        return (dropped_1 - dropped_0) / max(1, received_1 - received_0)

    def _figures(self, now: float) -> Iterable[tuple[str, object]]:
        yield "model", self._engine or "none"
        yield "targets", ", ".join(f"{k}: {v.name}" for k, v in self._states.items()) or "none"
        yield "image rate (Hz)", f"{self._rate(self._images, now):.1f}"
        yield "result rate (Hz)", f"{self._rate(self._results, now):.1f}"
        for name in ("latency", "inference", "overhead"):
            values = [getattr(timing, name) for timing in self.timings]
            median = f"{statistics.median(values) * 1e3:.2f}" if values else "unknown"
            yield f"{name}, median (ms)", median
        yield "frames received", self._received
        yield "frames dropped", self._dropped
        yield "deadline misses", self._deadline.misses if self._deadline.budget else "no deadline"
        yield "images refused", self._rejected
        yield "last error", self._error.text or self._rejection.text or self._setup_error or "none"

    def _rate(self, times: deque[float], now: float) -> float:
        while times and times[0] < now - RATE_WINDOW:
            times.popleft()
        if self._active_since is None:
            return 0.0
        return len(times) / max(1e-9, min(RATE_WINDOW, now - self._active_since))
