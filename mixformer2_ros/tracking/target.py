# Copyright 2026 mixformer2_ros contributors
# SPDX-License-Identifier: Apache-2.0
"""One target: where to look for it, and what to believe of what the network says."""

from __future__ import annotations

import math
from collections.abc import Sequence
from functools import partial
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
from numpy.typing import NDArray

from mixformer2_ros.tracking.config import TrackerConfig
from mixformer2_ros.tracking.crops import Scratch, Window, crop, search_window
from mixformer2_ros.tracking.frame import Frame
from mixformer2_ros.tracking.geometry import Box, checked_box, clip_box
from mixformer2_ros.tracking.motion import MotionFilter, StampClock
from mixformer2_ros.tracking.state_machine import StateMachine
from mixformer2_ros.tracking.template_policy import TemplatePolicy
from mixformer2_ros.tracking.types import TargetState, TrackResult

if TYPE_CHECKING:
    from mixformer2_ros.inference.engine import TemplateMemory
    from mixformer2_ros.model.variants import Variant

STEP_SCALE = 1.5
"""Width and height change at most by this factor from one frame to the next."""

DOUBT_SCALE = 2.0
"""Without a confident score they stay within this factor of the last confident ones."""

REACQUIRE_SCALE = 3.0
"""A LOST target is taken for found only within this factor of its last confident side."""

JUMP = 1.0
"""Boxes whose centres are further apart than this many sides are not the same target."""

AGREEING_SCALE = 2.0
"""Neither are boxes whose sides differ by more than this factor."""

COAST_BOUND = 0.25
"""Longest way to coast, in sides of the normal search region: the place where the target was
last believed to be stays well inside the region, in case it has not moved."""

BORDER_SCALE = 2.0
"""A target cut by the image's border is searched for with at most this many times the side of
its visible part."""

SAME_ASPECT = 0.05
"""A new resolution whose aspect ratio differs by less than this shows the same view, resized."""


class Search(NamedTuple):
    """Where a target is looked for in one frame."""

    window: Window
    cx: float
    """Column of the image that the crop's centre stands for; the window itself is rounded."""
    cy: float
    """Row of the image, likewise."""


class Target:
    """State of one target between frames. Knows no engine; not thread-safe.

    For every frame `search` gives the region to look in, and `observe` takes what the network
    found there. In between nothing changes, so a frame that fails leaves the target as it was.

    Args:
        variant: The network's sizes.
        config: Settings.
        frame: Frame on which the target is given.
        box: x, y, w, h in pixels of it.
        stamp: Its stamp in seconds, or None.

    Raises:
        ValueError: The box is not finite, empty, or mostly outside the image.
    """

    def __init__(
        self,
        variant: Variant,
        config: TrackerConfig,
        frame: Frame,
        box: Sequence[float],
        stamp: float | None = None,
    ) -> None:
        self.config = config
        self.memory: TemplateMemory | None = None
        """What the engine keeps of the templates; None until they are encoded."""
        self._variant = variant
        self._width, self._height = frame.width, frame.height
        self._box = checked_box(box, frame.width, frame.height)
        self._believed = self._box
        self._confident = self._box
        self._candidate: Box | None = None
        self._unbelieved_time = 0.0
        self._held_time = 0.0
        self._clock = StampClock(stamp)
        self._last_seen = self._clock.now
        self._machine = StateMachine()
        self._motion = MotionFilter(self._box)
        self._templates = TemplatePolicy(self._cut_template(frame))
        self._encoded: NDArray[np.uint8] | None = None

    @property
    def templates(self) -> tuple[NDArray[np.uint8], NDArray[np.uint8]]:
        """Initial and online template, (T, T, 3) uint8 RGB each."""
        return self._templates.initial, self._templates.online

    @property
    def needs_encoding(self) -> bool:
        """Whether `memory` is not (any more) that of `templates`."""
        return self._encoded is not self._templates.online

    def set_memory(self, memory: TemplateMemory) -> None:
        """Keep what the engine made of `templates`."""
        self.memory = memory
        self._encoded = self._templates.online

    def search(self, frame: Frame, stamp: float | None = None) -> Search:
        """Return the region of a frame to look in.

        Args:
            frame: The next frame. Where its resolution differs from the last one's, the target
                moves along in proportion; where its aspect ratio does too, the views have nothing
                known in common and the target is LOST (it may be found again).
            stamp: Its stamp in seconds, or None.
        """
        self._follow_resolution(frame.width, frame.height)
        box, scale = self._box, 1.0
        if self.config.robust:
            box, scale = self._likely_place(self._clock.step(stamp, self._period))
        return Search(search_window(box, self._factor * scale), box.cx, box.cy)

    def search_crop(
        self,
        frame: Frame,
        search: Search,
        out: NDArray[np.uint8] | None = None,
        scratch: Scratch | None = None,
    ) -> NDArray[np.uint8]:
        """Return the network's (S, S, 3) uint8 RGB view of a search region; see `crop`."""
        return crop(frame, search.window, self._variant.search_size, out, scratch)

    def observe(
        self,
        frame: Frame,
        search: Search,
        box: Sequence[float],
        score: float,
        stamp: float | None = None,
    ) -> TrackResult:
        """Take in what the network found in a frame.

        Args:
            frame: The frame.
            search: The region that `search` gave for it.
            box: cx, cy, w, h as fractions of the search crop.
            score: Probability that the target is in the crop. Where it or the box is not finite,
                the score counts as zero and the box stays.
            stamp: The frame's stamp in seconds, or None.
        """
        step = self._clock.advance(stamp, self._period)
        measured = _box_in_image(search, box) if math.isfinite(score) else None
        score = 0.0 if measured is None else min(max(float(score), 0.0), 1.0)
        if self.config.robust:
            self._follow_robustly(measured, score, step)
        else:
            self._follow_as_published(measured, score, step)
        if self._machine.state is TargetState.TRACKING:
            self._last_seen = self._clock.now
        if self._machine.state is TargetState.TRACKING or not self.config.robust:
            self._templates.update(
                score,
                partial(self._cut_template, frame),
                threshold=self.config.update_threshold,
                interval=self.config.update_interval,
            )
        return self._result(score, search.window)

    @property
    def _period(self) -> float:
        return 1.0 / self.config.nominal_rate

    @property
    def _factor(self) -> float:
        return self.config.search_factor or self._variant.search_factor

    def _cut_template(self, frame: Frame) -> NDArray[np.uint8]:
        window = search_window(self._box, self.config.template_factor)
        return crop(frame, window, self._variant.template_size)

    def _result(self, score: float, window: Window) -> TrackResult:
        return TrackResult(
            box=np.array(self._box),
            score=score,
            state=self._machine.state,
            velocity=np.array(self._motion.velocity),
            last_seen=self._last_seen,
            window=window,
        )

    def _clip(self, box: Box) -> Box:
        return clip_box(box, self._width, self._height, self.config.margin)

    # --- where to look ---------------------------------------------------------------------

    def _likely_place(self, step: float) -> tuple[Box, float]:
        """Return the box to look around and the scale of the search region."""
        if self._candidate is not None:
            # A second look, centred on the candidate: a mistake of the network seldom survives it.
            return self._candidate, 1.0
        box = self._whole_size(self._box)
        if self._machine.state is TargetState.LOST:
            box = Box.around(self._box.cx, self._box.cy, self._confident.w, self._confident.h)
            return self._coasted(box, self._held_time + step), self._lost_scale(box, step)
        if self._held_time > 0:
            return self._coasted(box, self._held_time + step), 1.0
        return box, 1.0

    def _whole_size(self, box: Box) -> Box:
        """Return the box with the size of the whole target where the image's border cuts it."""
        if not box.touches_border(self._width, self._height):
            return box
        scale = min(max(self._confident.side / box.side, 1.0), BORDER_SCALE)
        return Box.around(box.cx, box.cy, box.w * scale, box.h * scale)

    def _coasted(self, box: Box, seconds: float) -> Box:
        bound = COAST_BOUND * self._factor * box.side
        dx, dy = self._motion.shift(min(seconds, self.config.coast_time), bound)
        cx = min(max(box.cx + dx, 0.0), float(self._width))
        cy = min(max(box.cy + dy, 0.0), float(self._height))
        return Box.around(cx, cy, box.w, box.h)

    def _lost_scale(self, box: Box, step: float) -> float:
        # Twice the image's longer side sees all of the image from anywhere in it.
        useful = 2.0 * max(self._width, self._height) / (self._factor * box.side)
        grown = self.config.search_growth ** min(self._machine.seconds + step, 60.0)
        return min(grown, self.config.max_search_scale, max(useful, 1.0))

    # --- what to believe -------------------------------------------------------------------

    def _follow_as_published(self, measured: Box | None, score: float, step: float) -> None:
        if measured is not None:
            self._box = self._believed = self._confident = self._clip(measured)
            self._motion.measure(self._box, step)
        self._machine.update(self.config, score, step, continues=True, agrees=True)

    def _follow_robustly(self, measured: Box | None, score: float, step: float) -> None:
        before = self._machine.state
        seen = None if measured is None else self._clip(measured)
        if before is TargetState.LOST and not self._has_plausible_size(seen):
            seen, score = None, 0.0
        continues = seen is not None and self._continues(seen, step)
        agrees = seen is not None and self._candidate is not None and _agree(seen, self._candidate)
        state = self._machine.update(self.config, score, step, continues=continues, agrees=agrees)
        self._candidate = None
        tracks = state is TargetState.TRACKING
        if seen is None or state is TargetState.LOST:
            self._hold(seen, score, step)
        elif (before is not TargetState.LOST and continues) or (
            before is TargetState.TRACKING and tracks
        ):
            self._follow(self._bounded(seen, score), score, step)
        elif tracks:
            self._find(seen)
        else:
            self._hold(seen, score, step)

    def _follow(self, box: Box, score: float, step: float) -> None:
        self._box, self._held_time = box, 0.0
        self._unbelieved_time += step
        if score < self.config.doubt_score:
            return
        self._motion.measure(box, self._unbelieved_time)
        self._believed, self._unbelieved_time = box, 0.0
        if score >= self.config.confirm_score:
            self._confident = self._uncut(box)

    def _find(self, box: Box) -> None:
        self._box = self._believed = self._confident = box
        self._unbelieved_time = self._held_time = 0.0
        self._motion.restart(box)

    def _hold(self, seen: Box | None, score: float, step: float) -> None:
        self._unbelieved_time += step
        self._held_time += step
        if score >= self.config.confirm_score:
            self._candidate = seen
        if self._machine.state is TargetState.LOST:
            self._box, self._held_time = self._believed, self._unbelieved_time

    def _uncut(self, box: Box) -> Box:
        """Return the box, with the size known before where the image's border cuts it."""
        if not box.touches_border(self._width, self._height):
            return box
        w, h = max(box.w, self._confident.w), max(box.h, self._confident.h)
        return Box.around(box.cx, box.cy, w, h)

    def _bounded(self, box: Box, score: float) -> Box:
        """Return the box at a size bounded by the last ones, against running away or collapse."""
        largest = self._uncut(self._box)
        w = min(max(box.w, self._box.w / STEP_SCALE), largest.w * STEP_SCALE)
        h = min(max(box.h, self._box.h / STEP_SCALE), largest.h * STEP_SCALE)
        if score < self.config.confirm_score:
            w = min(max(w, self._confident.w / DOUBT_SCALE), self._confident.w * DOUBT_SCALE)
            h = min(max(h, self._confident.h / DOUBT_SCALE), self._confident.h * DOUBT_SCALE)
        return self._clip(Box.around(box.cx, box.cy, w, h))

    def _continues(self, box: Box, step: float) -> bool:
        if _agree(box, self._box):
            return True
        return _agree(box, self._coasted(self._box, self._unbelieved_time + step))

    def _has_plausible_size(self, box: Box | None) -> bool:
        if box is None:
            return False
        return 1.0 / REACQUIRE_SCALE <= box.side / self._confident.side <= REACQUIRE_SCALE

    def _follow_resolution(self, width: int, height: int) -> None:
        if (width, height) == (self._width, self._height):
            return
        sx, sy = width / self._width, height / self._height
        self._width, self._height = width, height
        self._box = self._box.scaled(sx, sy)
        self._believed = self._believed.scaled(sx, sy)
        self._confident = self._confident.scaled(sx, sy)
        self._candidate = None
        self._motion.rescale(sx, sy)
        if self.config.robust and abs(math.log(sx / sy)) > SAME_ASPECT:
            self._machine.lose()
            self._box = self._believed
            self._motion.restart(self._box)


def _agree(a: Box, b: Box) -> bool:
    """Tell whether two boxes can be the same target in consecutive frames."""
    side = math.sqrt(a.side * b.side)
    near = math.hypot(a.cx - b.cx, a.cy - b.cy) <= JUMP * side
    return near and 1.0 / AGREEING_SCALE <= a.side / b.side <= AGREEING_SCALE


def _box_in_image(search: Search, box: Sequence[float]) -> Box | None:
    """Return a box of the search crop in pixels of the image; None where it is not finite."""
    cx, cy, w, h = (float(value) * search.window.side for value in box)
    if not math.isfinite(cx + cy + w + h):
        return None
    half = 0.5 * search.window.side
    return Box.around(search.cx + (cx - half), search.cy + (cy - half), w, h)
