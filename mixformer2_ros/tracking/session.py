# Copyright 2026 mixformer2_ros contributors
# SPDX-License-Identifier: Apache-2.0
"""Tracking in the background: frames and commands in, reports out. The node without ROS."""

from __future__ import annotations

import threading
from collections.abc import Callable, Collection
from dataclasses import dataclass
from typing import TYPE_CHECKING

from mixformer2_ros.tracking.affinity import on_cores
from mixformer2_ros.tracking.catch_up import CatchUp
from mixformer2_ros.tracking.commands import (
    RefusedError,
    SetTargetCode,
    SetTargetCommand,
    SetTargetReply,
    seconds,
)
from mixformer2_ros.tracking.config import TrackerConfig
from mixformer2_ros.tracking.frame import Frame
from mixformer2_ros.tracking.geometry import checked_box, visible_part
from mixformer2_ros.tracking.history import FrameHistory
from mixformer2_ros.tracking.multi import Job, MultiTracker
from mixformer2_ros.tracking.target import Target
from mixformer2_ros.tracking.types import TrackResult

if TYPE_CHECKING:
    from mixformer2_ros.inference.engine import Engine


@dataclass(frozen=True)
class FrameReport:
    """What is known after one processed frame.

    Attributes:
        stamp_ns: Stamp of the frame in nanoseconds.
        context: What `submit` was given with it.
        frame: The frame.
        results: A result per target that is up to date, in the order in which they were set.
        primary: The first target set that is still held; None without any. While it catches up
            it is not among `results`.
        inference_time: Seconds that the network took; 0 without targets.
        frames_received: Frames submitted since the start.
        frames_processed: Frames reported, with this one.
        frames_dropped: Frames given up: a newer one came first, or they could not be processed.
    """

    stamp_ns: int
    context: object
    frame: Frame
    results: dict[str, TrackResult]
    primary: str | None
    inference_time: float
    frames_received: int
    frames_processed: int
    frames_dropped: int


@dataclass(frozen=True)
class _Submission:
    frame: Frame
    stamp_ns: int
    context: object


@dataclass(frozen=True)
class _Held:
    """A target that clients believe to be tracked; identity tells a restarted one."""

    target: Target
    stamp_ns: int


@dataclass(frozen=True)
class _Round:
    """What the worker does next: a consistent view of what clients asked for."""

    submission: _Submission | None
    held: dict[str, _Held]
    config: TrackerConfig
    jobs: list[Job]
    catch_up_jobs: list[Job]


class TrackingSession:
    """Tracks in a worker thread, always on the newest frame. Thread-safe.

    Clients never wait for the network: `submit` and the commands only leave word for the worker,
    which alone uses the engine. In one round it makes one batched forward, for the live targets
    on the newest frame and for those still catching up on theirs.

    Args:
        engine: The network.
        config: Settings of all targets.
        on_report: Called by the worker after every processed frame, also without targets.
        max_targets: Most targets held at a time.
        history_bytes: Most bytes of frames kept for targets set on a past frame.
        stamp_tolerance: Seconds by which a target's stamp may differ from its frame's.
        on_error: Called by the worker with a text when a frame or a target fails; it goes on.
        cores: Cores that the worker is kept on; any when empty.
    """

    def __init__(
        self,
        engine: Engine,
        config: TrackerConfig,
        on_report: Callable[[FrameReport], None],
        *,
        max_targets: int = 8,
        history_bytes: int = 256 << 20,
        stamp_tolerance: float = 0.05,
        on_error: Callable[[str], None],
        cores: Collection[int] = (),
    ) -> None:
        self._engine = engine
        self._on_report = on_report
        self._on_error = on_error
        self._max_targets = max_targets
        self._cores = cores
        self._tolerance_ns = round(stamp_tolerance * 1e9)
        # Shared between clients and worker, guarded by the condition.
        self._condition = threading.Condition()
        self._worker: threading.Thread | None = None
        self._config = config
        self._changed = False
        self._submission: _Submission | None = None
        self._history = FrameHistory(history_bytes)
        self._held: dict[str, _Held] = {}
        self._names_given = 0
        self._received = self._processed = self._dropped = 0
        # The worker's own; the lock lets a worker that was just stopped finish first.
        self._engine_lock = threading.Lock()
        self._tracker = MultiTracker(engine, config)
        self._tracked: dict[str, _Held] = {}
        self._catching_up: dict[str, CatchUp] = {}

    # --- for clients, from any thread -------------------------------------------------------

    def start(self) -> None:
        """Start the worker, with no frames and no targets; does nothing while it runs."""
        with self._condition:
            if self._worker is not None:
                return
            self._received = self._processed = self._dropped = 0
            self._worker = threading.Thread(target=self._run, name="tracking", daemon=True)
            self._worker.start()

    def stop(self) -> None:
        """Stop the worker and wait for it; frames and targets are forgotten. Can be repeated."""
        with self._condition:
            worker, self._worker = self._worker, None
            self._submission = None
            self._history.clear()
            self._held.clear()
            self._condition.notify_all()
        if worker is not None and worker is not threading.current_thread():
            worker.join()

    def submit(self, frame: Frame, stamp_ns: int, context: object = None) -> list[Frame]:
        """Hand in the newest frame; one that waits unprocessed is given up. Never blocks.

        Args:
            frame: The frame; it is not touched here.
            stamp_ns: Its stamp in nanoseconds.
            context: Anything; comes back in the frame's report.

        Returns:
            Old frames that are kept no longer, see `FrameHistory.add`.
        """
        with self._condition:
            if self._worker is None:
                return []
            self._received += 1
            self._dropped += self._submission is not None
            self._submission = _Submission(frame, stamp_ns, context)
            gone = self._history.add(stamp_ns, frame)
            self._condition.notify_all()
        return gone

    def set_target(self, command: SetTargetCommand) -> SetTargetReply:
        """Start a target, or restart one, on a frame of the recent past.

        The templates are cut here, in the caller's thread; the worker encodes them and brings the
        target up to the newest frame. A box that reaches out of the image is cut at its border.

        Args:
            command: Box, stamp and name.

        Returns:
            OK with the name and the stamp of the frame used, or why not and what to do.
        """
        try:
            target_id, stamp_ns = self._accept(command)
        except RefusedError as refusal:
            return SetTargetReply(refusal.code, str(refusal), command.target_id)
        except Exception as error:
            text = f"the target could not be set: {_describe(error)}; try again on a newer image"
            return SetTargetReply(SetTargetCode.INTERNAL_ERROR, text, command.target_id)
        text = f"tracking {target_id!r} from the image of {seconds(stamp_ns)}"
        return SetTargetReply(SetTargetCode.OK, text, target_id, stamp_ns)

    def clear_target(self, target_id: str = "") -> tuple[bool, str]:
        """Stop one target, or all.

        Args:
            target_id: Name of the target; empty for all.

        Returns:
            Whether it was done, and a message for the client.
        """
        with self._condition:
            if self._worker is None:
                return False, "the tracker is not active; activate it first"
            names = [target_id] if target_id else list(self._held)
            if target_id and target_id not in self._held:
                return False, f"there is no target {target_id!r}; {self._held_names()}"
            for name in names:
                del self._held[name]
            self._wake()
        return True, f"cleared {', '.join(map(repr, names))}" if names else "no target was held"

    def configure(self, config: TrackerConfig) -> None:
        """Change the settings of all targets, from the next frame on."""
        with self._condition:
            self._config = config
            self._wake()

    # --- setting a target, in the client's thread -------------------------------------------

    def _accept(self, command: SetTargetCommand) -> tuple[str, int]:
        with self._condition:
            self._require_active()
            stamp_ns, frame = self._frame_of(command.stamp_ns)
            config = self._config
        width, height = frame.width, frame.height
        try:
            box = checked_box(command.box_in(width, height), width, height)
        except ValueError as error:
            raise RefusedError(SetTargetCode.INVALID_BOX, str(error)) from error
        box = visible_part(box, width, height)
        target = Target(self._engine.variant, config, frame, box, stamp_ns * 1e-9)
        with self._condition:
            self._require_active()
            target_id = self._name_for(command.target_id)
            self._held[target_id] = _Held(target, stamp_ns)
            self._wake()
        return target_id, stamp_ns

    def _require_active(self) -> None:
        if self._worker is None:
            raise RefusedError(
                SetTargetCode.NOT_ACTIVE, "the tracker is not active; activate it first"
            )
        if not self._worker.is_alive():
            raise RefusedError(
                SetTargetCode.INTERNAL_ERROR, "the tracker's worker has died; restart the tracker"
            )

    def _frame_of(self, stamp_ns: int) -> tuple[int, Frame]:
        oldest, newest = self._history.oldest, self._history.newest
        nearest = self._history.nearest(stamp_ns or newest or 0)
        if oldest is None or newest is None or nearest is None:
            raise RefusedError(
                SetTargetCode.NO_IMAGE,
                "no image has been received yet; check that the image topic is the right one, "
                "that it is published and that its QoS fits",
            )
        if not stamp_ns or abs(nearest[0] - stamp_ns) <= self._tolerance_ns:
            return nearest
        asked = f"the stamp {seconds(stamp_ns)}"
        if stamp_ns < oldest:
            raise RefusedError(
                SetTargetCode.STAMP_TOO_OLD,
                f"{asked} is older than the oldest image kept, {seconds(oldest)}; set the target "
                f"within {(newest - oldest) * 1e-9:.2f} s or raise history_megabytes",
            )
        if stamp_ns > newest:
            raise RefusedError(
                SetTargetCode.STAMP_IN_FUTURE,
                f"{asked} is newer than the newest image, {seconds(newest)}; send the stamp of "
                "the image the box was drawn on, or zero for the newest one",
            )
        raise RefusedError(
            SetTargetCode.NO_IMAGE,
            f"no image was received within {self._tolerance_ns * 1e-9:g} s of {asked}, the "
            f"nearest is of {seconds(nearest[0])}; send the stamp of a received image or raise "
            "stamp_tolerance",
        )

    def _name_for(self, target_id: str) -> str:
        if target_id in self._held:
            return target_id
        if len(self._held) >= self._max_targets:
            raise RefusedError(
                SetTargetCode.TOO_MANY_TARGETS,
                f"{self._held_names()}, and max_targets is {self._max_targets}; clear one, "
                "restart one by its name, or raise max_targets",
            )
        while not target_id or target_id in self._held:
            self._names_given += 1
            target_id = f"target_{self._names_given}"
        return target_id

    def _held_names(self) -> str:
        return f"held: {', '.join(map(repr, self._held))}" if self._held else "none is held"

    def _wake(self) -> None:
        self._changed = True
        self._condition.notify_all()

    # --- the worker -------------------------------------------------------------------------

    def _run(self) -> None:
        with self._engine_lock, on_cores(self._cores):
            self._tracker = MultiTracker(self._engine, self._config)
            self._tracked, self._catching_up = {}, {}
            while (work := self._next_round()) is not None:
                if work.submission is None:
                    self._guard("catching up", self._track, work)
                else:
                    what = f"image of {seconds(work.submission.stamp_ns)}"
                    self._guard(what, self._process, work, work.submission)
                self._guard("templates", self._tracker.refresh_templates)
                self._start_targets(work)

    def _next_round(self) -> _Round | None:
        """Wait for something to do and return it; None when it is time to end."""
        with self._condition:
            self._condition.wait_for(self._has_work)
            if self._is_stopped():
                return None
            submission, self._submission, self._changed = self._submission, None, False
            held = dict(self._held)
            for target_id in [name for name in self._tracked if self._is_stale(name, held)]:
                self._forget(target_id)
            jobs, catch_up_jobs = self._jobs(submission)
            return _Round(submission, held, self._config, jobs, catch_up_jobs)

    def _is_stopped(self) -> bool:
        return self._worker is not threading.current_thread()

    def _has_work(self) -> bool:
        waiting = self._submission is not None or bool(self._catching_up)
        return self._changed or waiting or self._is_stopped()

    def _jobs(self, submission: _Submission | None) -> tuple[list[Job], list[Job]]:
        jobs: list[Job] = []
        catch_up_jobs: list[Job] = []
        for target_id in self._tracked:
            catch_up = self._catching_up.get(target_id)
            behind = catch_up.next_frame(self._history) if catch_up else None
            if catch_up and catch_up.done:
                del self._catching_up[target_id]
            if behind is not None:
                catch_up_jobs.append((target_id, behind[1], behind[0] * 1e-9))
            elif submission is not None:
                jobs.append((target_id, submission.frame, submission.stamp_ns * 1e-9))
        return jobs, catch_up_jobs

    def _process(self, work: _Round, submission: _Submission) -> None:
        try:
            results = self._track(work)
        except Exception:
            with self._condition:
                self._dropped += 1
            raise
        caught_up = {name for name, frame, _ in work.catch_up_jobs if frame is submission.frame}
        live = {name for name, _, _ in work.jobs} | caught_up
        with self._condition:
            if self._is_stopped():
                return
            self._processed += 1
            report = FrameReport(
                stamp_ns=submission.stamp_ns,
                context=submission.context,
                frame=submission.frame,
                results={
                    name: results[name]
                    for name, held in self._held.items()
                    if name in live and name in results and held is work.held.get(name)
                },
                primary=next(iter(self._held), None),
                inference_time=self._tracker.inference_time,
                frames_received=self._received,
                frames_processed=self._processed,
                frames_dropped=self._dropped,
            )
        self._on_report(report)

    def _track(self, work: _Round) -> dict[str, TrackResult]:
        self._tracker.configure(work.config)
        try:
            return self._tracker.step([*work.jobs, *work.catch_up_jobs])
        except Exception as error:
            if not work.catch_up_jobs:
                raise
            # A past frame that cannot be read must not cost the live targets theirs.
            self._report_error("catching up", error)
            return self._tracker.step(work.jobs)

    def _start_targets(self, work: _Round) -> None:
        """Encode the templates of new targets: after the report, so that no box waits for it."""
        for target_id, held in work.held.items():
            if target_id in self._tracked:
                continue
            try:
                self._tracker.add_target(target_id, held.target)
            except Exception as error:
                self._report_error(f"target {target_id!r} could not be started", error)
                with self._condition:
                    if self._held.get(target_id) is held:
                        del self._held[target_id]
                continue
            self._tracked[target_id] = held
            self._catching_up[target_id] = CatchUp(held.stamp_ns)

    def _is_stale(self, target_id: str, held: dict[str, _Held]) -> bool:
        return held.get(target_id) is not self._tracked[target_id]

    def _forget(self, target_id: str) -> None:
        del self._tracked[target_id]
        self._catching_up.pop(target_id, None)
        self._tracker.remove(target_id)

    def _guard(self, what: str, action: Callable[..., object], *arguments: object) -> None:
        try:
            action(*arguments)
        except Exception as error:
            self._report_error(what, error)

    def _report_error(self, what: str, error: Exception) -> None:
        try:
            self._on_error(f"{what}: {_describe(error)}")
        except Exception:
            # Nobody is left to tell; the worker must outlive its listeners.
            return


def _describe(error: Exception) -> str:
    return f"{error} ({type(error).__name__})"
