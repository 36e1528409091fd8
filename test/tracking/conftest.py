# Copyright 2026 mixformer2_ros contributors
# SPDX-License-Identifier: Apache-2.0
"""Engine doubles and a small painted world."""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from types import SimpleNamespace

import cv2
import numpy as np
import pytest

from mixformer2_ros.inference.engine import Locations
from mixformer2_ros.model.variants import SMALL

RED = (220, 40, 30)
GREY = (110, 110, 110)


def locations(boxes: Sequence[Sequence[float]], scores: Sequence[float]) -> Locations:
    count = len(scores)
    return Locations(
        boxes=np.array(boxes, np.float64).reshape(count, 4),
        scores=np.array(scores, np.float64),
        edges=np.full((count, 4, SMALL.bins), 1 / SMALL.bins, np.float32),
    )


class ColourEngine:
    """Finds the largest blob of the colour in the middle of the initial template.

    Counts its calls, so that batching can be seen.
    """

    variant = SMALL
    description = "colour blobs"

    def __init__(self) -> None:
        self.encoded: list[int] = []
        self.located: list[int] = []

    def encode_templates(self, templates, online_templates):
        assert templates.shape == online_templates.shape == (len(templates), 112, 112, 3)
        assert templates.dtype == online_templates.dtype == np.uint8
        self.encoded.append(len(templates))
        return [template[50:62, 50:62].mean(axis=(0, 1)) for template in templates]

    def locate(self, memories, crops):
        assert crops.shape == (len(memories), 224, 224, 3)
        assert crops.dtype == np.uint8
        self.located.append(len(memories))
        found = [self._find(*pair) for pair in zip(memories, crops, strict=True)]
        return locations([box for box, _ in found], [score for _, score in found])

    @staticmethod
    def _find(colour, image):
        mask = (np.abs(image.astype(float) - colour).max(axis=2) < 60).astype(np.uint8)
        _, _, stats, _ = cv2.connectedComponentsWithStats(mask)
        if len(stats) < 2 or stats[1:, 4].max() < 100:
            return (0.5, 0.5, 0.2, 0.2), 0.05
        x, y, w, h, _ = stats[1 + stats[1:, 4].argmax()] / 224
        return (x + w / 2, y + h / 2, w, h), 0.9


class ScriptedEngine:
    """Answers with what a function of the call's number says: cx, cy, w, h and score."""

    variant = SMALL
    description = "script"

    def __init__(self, script: Callable[[int], tuple[Sequence[float], float]]) -> None:
        self.script = script
        self.calls = 0
        self.templates: list[tuple[np.ndarray, np.ndarray]] = []

    def encode_templates(self, templates, online_templates):
        self.templates += list(zip(templates, online_templates, strict=True))
        return [object() for _ in templates]

    def locate(self, memories, crops):
        box, score = self.script(self.calls)
        self.calls += 1
        return locations([box] * len(memories), [score] * len(memories))


class GatedEngine(ColourEngine):
    """Waits inside `locate` while the test keeps its gate closed."""

    def __init__(self) -> None:
        super().__init__()
        self._gate = threading.Event()
        self._gate.set()
        self._entered = threading.Event()

    def close(self) -> None:
        self._entered.clear()
        self._gate.clear()

    def open(self) -> None:
        self._gate.set()

    def wait_until_entered(self) -> None:
        assert self._entered.wait(10)

    def locate(self, memories, crops):
        self._entered.set()
        assert self._gate.wait(10)
        return super().locate(memories, crops)


def paint(*boxes, size=(640, 480), colour=RED):
    """Return a (H, W, 3) RGB image with filled x, y, w, h boxes on grey."""
    image = np.full((size[1], size[0], 3), GREY, np.uint8)
    for x, y, w, h in boxes:
        cv2.rectangle(image, (int(x), int(y)), (int(x + w) - 1, int(y + h) - 1), colour, -1)
    return image


@pytest.fixture
def doubles() -> SimpleNamespace:
    """Engine doubles by name."""
    return SimpleNamespace(
        Colour=ColourEngine, Scripted=ScriptedEngine, Gated=GatedEngine, locations=locations
    )


@pytest.fixture
def world() -> SimpleNamespace:
    """A painter of images and its colours."""
    return SimpleNamespace(paint=paint, RED=RED, GREY=GREY)
