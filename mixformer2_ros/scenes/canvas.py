# Copyright 2026 mixformer2_ros contributors
# SPDX-License-Identifier: Apache-2.0
"""What an object is drawn on: filled outlines in the object's own frame (about -1..1, y down)."""

from __future__ import annotations

import cv2
import numpy as np

from mixformer2_ros.scenes.colours import Colour, ink
from mixformer2_ros.scenes.outlines import FRACTION, SQUARE, Points, fixed, turned

CIRCLE: Points = np.stack(
    [np.cos(np.arange(32) * np.pi / 16), np.sin(np.arange(32) * np.pi / 16)], axis=1
)
"""The unit circle as 32 points."""


class Canvas:
    """Draws outlines, given in the object's frame, into a colour and a coverage image."""

    def __init__(self, side: int, transform: Points) -> None:
        self.side = side
        self.colours = np.zeros((side, side, 3), np.uint8)
        self.cover = np.zeros((side, side), np.uint8)
        self._transform = transform

    def fill(self, points: Points, tint: Colour, bright: float = 1.0, cut: bool = False) -> None:
        """Fill an outline; `cut` draws only on what is covered already (paint, windows)."""
        pixels = (points @ self._transform.T * 0.36 + 0.5) * self.side
        corners = [fixed(pixels)]
        cv2.fillPoly(self.colours, corners, ink(tint, bright), cv2.LINE_8, FRACTION)
        if not cut:
            cv2.fillPoly(self.cover, corners, 255, cv2.LINE_8, FRACTION)

    def box(
        self,
        x: float,
        y: float,
        w: float,
        h: float,
        tint: Colour,
        bright: float = 1.0,
        cut: bool = False,
    ) -> None:
        """A rectangle of centre x, y and half size w, h."""
        self.fill(SQUARE * np.array([w, h]) + np.array([x, y]), tint, bright, cut)

    def round(
        self,
        x: float,
        y: float,
        w: float,
        h: float,
        tint: Colour,
        bright: float = 1.0,
        cut: bool = False,
        corner: float = 1.0,
    ) -> None:
        """A superellipse of centre x, y and half size w, h; corner 1: ellipse, 0.3: rounded box."""
        shape = np.sign(CIRCLE) * np.abs(CIRCLE) ** corner
        self.fill(shape * np.array([w, h]) + np.array([x, y]), tint, bright, cut)

    def limb(
        self,
        a: tuple[float, float],
        b: tuple[float, float],
        wide: float,
        tint: Colour,
        bright: float = 1.0,
    ) -> None:
        """A bar with round ends from a to b."""
        start, end = np.array(a), np.array(b)
        along = (end - start) / max(float(np.hypot(*(end - start))), 1e-6)
        turn = np.arctan2(along[1], along[0])
        half = np.where(CIRCLE[:, :1] > 0, end, start)
        self.fill(half + turned(CIRCLE, turn) * wide, tint, bright)
