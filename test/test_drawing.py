# Copyright 2026 mixformer2_ros contributors
# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import numpy as np
import pytest

from mixformer2_ros.drawing import STATE_COLOURS, TRUTH_COLOUR, Mark, annotate
from mixformer2_ros.tracking.crops import Window
from mixformer2_ros.tracking.types import TargetState, TrackResult


@pytest.fixture
def image() -> np.ndarray:
    return np.full((120, 160, 3), 90, np.uint8)


def _has(image: np.ndarray, colour: tuple[int, int, int]) -> np.ndarray:
    return np.all(image == np.array(colour, np.uint8), axis=2)


@pytest.mark.parametrize("state", list(TargetState))
def test_box_has_the_colour_of_its_state_on_its_edge(image: np.ndarray, state: TargetState) -> None:
    drawn = annotate(image, [Mark((30.2, 40.4, 50, 30), state, "")])
    edge = _has(drawn, STATE_COLOURS[state])
    rows, columns = np.nonzero(edge)
    assert (columns.min(), rows.min(), columns.max(), rows.max()) == (30, 40, 79, 69)
    assert not edge[45:65, 35:75].any()


def test_the_given_image_stays_as_it_is(image: np.ndarray) -> None:
    annotate(image, [Mark((10, 10, 20, 20), TargetState.TRACKING, "a")], caption="b")
    assert np.all(image == 90)


def test_results_are_drawn_with_their_score(image: np.ndarray) -> None:
    result = TrackResult(
        box=np.array([60.0, 60.0, 40.0, 30.0]),
        score=0.87,
        state=TargetState.UNCERTAIN,
        velocity=np.zeros(3),
        last_seen=None,
        window=Window(0, 0, 100),
    )
    assert Mark.of("dog", result).label == "dog UNCERTAIN 0.87"
    assert Mark.of("", result).label == "UNCERTAIN 0.87"
    drawn = annotate(image, {"dog": result})
    assert _has(drawn, STATE_COLOURS[TargetState.UNCERTAIN])[:58].any()  # the label is above


def test_truth_and_caption_are_drawn(image: np.ndarray) -> None:
    truth = np.array([100.0, 80.0, 20.0, 20.0])
    drawn = annotate(image, [], truth=truth, caption="frame 1")
    assert _has(drawn, TRUTH_COLOUR)[80, 100]
    assert not np.array_equal(drawn[:25, :80], image[:25, :80])
    assert np.array_equal(drawn[30:75], image[30:75])


def test_missing_and_wild_boxes_do_no_harm(image: np.ndarray) -> None:
    nothing = annotate(image, [Mark([np.nan] * 4, TargetState.LOST, "x")], np.full(4, np.nan))
    assert np.array_equal(nothing, image)
    for box in ((-500, -500, 20, 20), (1e12, 1e12, 1e12, 1e12), (150, -30, 400, 400)):
        assert annotate(image, [Mark(box, TargetState.LOST, "x")]).shape == image.shape
