# Copyright 2026 mixformer2_ros contributors
# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import math

import numpy as np
import pytest

from mixformer2_ros.tracking import target as target_module
from mixformer2_ros.tracking.config import TrackerConfig
from mixformer2_ros.tracking.frame import ArrayFrame
from mixformer2_ros.tracking.target import Target
from mixformer2_ros.tracking.types import TargetState

T, U, L = TargetState.TRACKING, TargetState.UNCERTAIN, TargetState.LOST
FRAME = ArrayFrame(np.full((480, 640, 3), 90, np.uint8))
BOX = (300.0, 220.0, 40.0, 40.0)
PERIOD = 0.1


class Guide:
    """Feeds a target with boxes given in the image and keeps the time."""

    def __init__(self, small, config: TrackerConfig, frame=FRAME, box=BOX) -> None:
        self.target = Target(small, config, frame, box, 0.0)
        self.frame, self.time = frame, 0.0

    def search(self):
        return self.target.search(self.frame, self.time + PERIOD)

    def see(self, box, score: float):
        """Let the network find a box of the image and return the result."""
        search = self.search()
        self.time += PERIOD
        x, y, w, h = box
        side = search.window.side
        cx, cy = (x + w / 2 - search.cx) / side + 0.5, (y + h / 2 - search.cy) / side + 0.5
        found = (cx, cy, w / side, h / side)
        return self.target.observe(self.frame, search, found, score, self.time)

    def lose(self):
        for _ in range(8):
            result = self.see(BOX, 0.0)
        assert result.state is L
        return result


@pytest.fixture
def small():
    from mixformer2_ros.model.variants import SMALL

    return SMALL


@pytest.fixture
def guide(small) -> Guide:
    return Guide(small, TrackerConfig())


def test_box_returns_from_the_crop_to_the_image(small) -> None:
    box = (100.3, 80.7, 33.3, 21.1)
    target = Target(small, TrackerConfig.paper(search_factor=4.4), FRAME, box)
    search = target.search(FRAME)
    side = math.ceil(math.sqrt(33.3 * 21.1) * 4.4)
    assert search.window.side == side
    # The reference is the float centre of the last box, not the rounded window.
    result = target.observe(FRAME, search, (0.6, 0.45, 0.25, 0.5), 0.9)
    cx, cy = 100.3 + 33.3 / 2 + 0.1 * side, 80.7 + 21.1 / 2 - 0.05 * side
    expected = [cx - 0.125 * side, cy - 0.25 * side, 0.25 * side, 0.5 * side]
    np.testing.assert_allclose(result.box, expected)
    assert result.window == search.window


def test_paper_mode_believes_every_box(small) -> None:
    guide = Guide(small, TrackerConfig.paper())
    for step in range(1, 8):
        result = guide.see((300 - 40 * step, 220, 40 + 80 * step, 40), 0.01)
        np.testing.assert_allclose(result.box, [300 - 40 * step, 220, 40 + 80 * step, 40])
    assert result.state is L
    search = guide.search()
    assert (search.cx, search.window.side) == (320, math.ceil(math.sqrt(600 * 40) * 4.5))


def test_paper_mode_clips_with_the_margin(small) -> None:
    guide = Guide(small, TrackerConfig.paper())
    np.testing.assert_allclose(guide.see((-50, 470, 55, 60), 0.9).box, [0, 470, 10, 10])


@pytest.mark.parametrize("robust", [False, True])
@pytest.mark.parametrize(
    ("box", "score"),
    [
        ((math.nan, 0.5, 0.2, 0.2), 0.9),
        ((0.5, 0.5, math.inf, 0.2), 0.9),
        ((0.5, 0.5, 0.2, 0.2), math.nan),
        ((0.5, 0.5, 0.2, 0.2), -math.inf),
    ],
)
def test_numbers_that_are_not_finite_keep_the_box(small, robust, box, score) -> None:
    target = Target(small, TrackerConfig(robust=robust), FRAME, BOX, 0.0)
    result = target.observe(FRAME, target.search(FRAME, 0.1), box, score, 0.1)
    assert result.score == 0.0
    assert result.state is U
    np.testing.assert_array_equal(result.box, BOX)
    assert np.isfinite(result.velocity).all()
    assert target.search(FRAME, 0.2).window.side == 180


def test_box_stays_even_where_no_score_is_doubted(small) -> None:
    target = Target(small, TrackerConfig(doubt_score=0.0), FRAME, BOX, 0.0)
    result = target.observe(FRAME, target.search(FRAME, 0.1), (math.nan,) * 4, 0.9, 0.1)
    assert result.state is T
    np.testing.assert_array_equal(result.box, BOX)


def test_scores_are_reported_as_probabilities(guide: Guide) -> None:
    assert guide.see(BOX, 1.0000001).score == 1.0


def test_velocity_and_last_seen(guide: Guide) -> None:
    for step in range(1, 11):
        result = guide.see((300 + 5 * step, 220 - 2 * step, 40, 40), 0.9)
    np.testing.assert_allclose(result.velocity, [50, -20, 0], atol=1e-6)
    assert result.last_seen == pytest.approx(1.0)
    result = guide.see((350, 200, 40, 40), 0.1)
    assert result.state is U
    assert result.last_seen == pytest.approx(1.0)
    np.testing.assert_allclose(result.velocity, [50, -20, 0], atol=1e-6)


def test_search_centre_is_not_predicted_while_tracking(guide: Guide) -> None:
    for step in range(1, 11):
        guide.see((300 + 8 * step, 220, 40, 40), 0.9)
    assert guide.search().cx == pytest.approx(300 + 80 + 20)


class TestSize:
    def test_changes_by_a_bounded_step(self, guide: Guide) -> None:
        result = guide.see((200, 120, 240, 240), 0.95)
        np.testing.assert_allclose(result.box, [290, 210, 60, 60])
        result = guide.see((315, 235, 10, 10), 0.95)
        np.testing.assert_allclose(result.box, [300, 220, 40, 40])

    def test_without_confidence_stays_near_the_last_confident_one(self, guide: Guide) -> None:
        sides = [guide.see((220, 140, 200, 200), 0.4).box[2] for _ in range(6)]
        assert sides == pytest.approx([60, 80, 80, 80, 80, 80])
        sides = [guide.see((318, 238, 4, 4), 0.4).box[2] for _ in range(6)]
        assert sides[-1] == pytest.approx(20)

    def test_with_confidence_follows_a_target_that_comes_close(self, guide: Guide) -> None:
        for _ in range(6):
            result = guide.see((120, 40, 400, 400), 0.9)
        np.testing.assert_allclose(result.box, [120, 40, 400, 400])

    def test_never_exceeds_the_image_or_falls_below_the_margin(self, guide: Guide) -> None:
        for _ in range(20):
            result = guide.see((-2000, -2000, 5000, 5000), 0.9)
        np.testing.assert_allclose(result.box, [0, 0, 640, 480])
        for _ in range(20):
            result = guide.see((320, 240, 1e-3, -5), 0.9)
        np.testing.assert_allclose(result.box[2:], [10, 10])

    def test_search_region_keeps_its_size_while_the_border_cuts_the_target(self, guide) -> None:
        for x in range(300, 640, 10):
            result = guide.see((x, 220, min(40, 640 - x), 40), 0.9)
        assert result.box[2] < 12
        assert guide.search().window.side == 180

    def test_target_grows_back_at_once_when_it_comes_out_of_the_border(self, guide) -> None:
        for x in range(300, 640, 10):
            guide.see((x, 220, min(40, 640 - x), 40), 0.9)
        assert guide.see((596, 220, 40, 40), 0.9).box[2] == pytest.approx(40)


class TestDoubt:
    def test_box_follows_small_steps_but_not_jumps(self, guide: Guide) -> None:
        result = guide.see((310, 220, 40, 40), 0.1)
        assert result.state is U
        np.testing.assert_allclose(result.box, [310, 220, 40, 40])
        result = guide.see((380, 220, 40, 40), 0.1)
        np.testing.assert_allclose(result.box, [310, 220, 40, 40])
        result = guide.see((310, 220, 100, 100), 0.1)
        np.testing.assert_allclose(result.box, [310, 220, 40, 40])

    def test_returns_to_the_last_believed_box_when_lost(self, guide: Guide) -> None:
        guide.see((305, 220, 40, 40), 0.9)
        for step in range(1, 5):
            result = guide.see((305 + 15 * step, 220, 40, 40), 0.1)
        assert (result.state, result.box[0]) == (U, pytest.approx(365))
        for _ in range(3):
            result = guide.see((365, 220, 40, 40), 0.1)
        assert result.state is L
        np.testing.assert_allclose(result.box, [305, 220, 40, 40])

    def test_confident_jump_needs_agreement(self, guide: Guide) -> None:
        guide.see(BOX, 0.1)
        for _ in range(2):
            result = guide.see((380, 270, 40, 40), 0.9)
            assert result.state is U
            np.testing.assert_allclose(result.box, BOX)
        result = guide.see((380, 270, 40, 40), 0.9)
        assert result.state is T
        np.testing.assert_allclose(result.box, [380, 270, 40, 40])
        np.testing.assert_array_equal(result.velocity, 0)

    def test_confident_box_in_place_ends_it_at_once(self, guide: Guide) -> None:
        guide.see(BOX, 0.1)
        assert guide.see((310, 220, 40, 40), 0.6).state is T

    def test_coasts_while_the_box_is_held(self, guide: Guide) -> None:
        for step in range(1, 11):
            guide.see((300 + 5 * step, 220, 40, 40), 0.9)
        guide.see((350, 150, 40, 40), 0.1)
        assert guide.search().cx == pytest.approx(370 + 2 * 5)
        # A target that is where the motion says continues the track.
        assert guide.see((350 + 2 * 5 + 30, 220, 40, 40), 0.6).state is T


class TestLost:
    def test_box_stays_and_says_when_it_was_seen(self, guide: Guide) -> None:
        guide.see((305, 225, 40, 40), 0.9)
        guide.lose()
        for step in range(10):
            result = guide.see((100 + 50 * step, 100, 40, 40), 0.9 if step % 2 else 0.3)
            assert result.state is L
            np.testing.assert_allclose(result.box, [305, 225, 40, 40])
            assert result.last_seen == pytest.approx(0.1)

    def test_search_region_grows_to_its_bound(self, guide: Guide) -> None:
        guide.lose()
        sides = []
        for _ in range(60):
            guide.see(BOX, 0.0)
            sides.append(guide.search().window.side)
        assert sides[0] < 1.2 * 180
        assert sides == sorted(sides)
        assert sides[-1] == 360

    def test_growth_rate_is_per_second(self, guide: Guide) -> None:
        guide.lose()
        first = guide.search().window.side
        for _ in range(10):
            guide.see(BOX, 0.0)
        assert guide.search().window.side == pytest.approx(1.3 * first, abs=2)

    def test_search_region_is_never_larger_than_useful(self, small) -> None:
        guide = Guide(small, TrackerConfig(), box=(20, 20, 600, 440))
        normal = guide.search().window.side
        for _ in range(60):
            guide.see((20, 20, 600, 440), 0.0)
        assert normal > 2 * 640
        assert guide.search().window.side == normal

    def test_coasting_is_bounded_in_time_and_way(self, small) -> None:
        guide = Guide(small, TrackerConfig(coast_time=0.6))
        for step in range(1, 11):
            guide.see((300 + 2 * step, 220, 40, 40), 0.9)
        guide.lose()
        assert guide.search().cx == pytest.approx(340 + 20 * 0.6)
        guide = Guide(small, TrackerConfig())
        for step in range(1, 6):
            guide.see((300 + 30 * step, 220, 40, 40), 0.9)
        guide.lose()
        assert guide.search().cx == pytest.approx(470 + target_module.COAST_BOUND * 180)
        for _ in range(30):
            guide.see(BOX, 0.0)
        assert guide.search().cx == pytest.approx(470 + target_module.COAST_BOUND * 180)

    def test_coasting_stays_over_the_image(self, guide: Guide) -> None:
        for step in range(1, 16):
            guide.see((300 + 20 * step, 220, 40, 40), 0.9)
        guide.lose()
        assert guide.search().cx <= 640

    def test_candidate_gets_a_second_look(self, guide: Guide) -> None:
        guide.lose()
        guide.see((350, 250, 40, 40), 0.9)
        search = guide.search()
        assert (search.cx, search.cy, search.window.side) == (370, 270, 180)
        guide.see((350, 250, 40, 40), 0.1)
        assert guide.search().cx == 320

    def test_found_only_when_frames_agree(self, guide: Guide) -> None:
        guide.lose()
        for x in (350, 430, 350, 430):
            assert guide.see((x, 250, 40, 40), 0.9).state is L
        assert guide.see((435, 250, 40, 40), 0.9).state is L
        result = guide.see((440, 250, 40, 40), 0.9)
        assert result.state is T
        np.testing.assert_allclose(result.box, [440, 250, 40, 40])
        assert result.last_seen == pytest.approx(guide.time)
        assert guide.search().window.side == 180

    def test_boxes_of_an_absurd_size_are_not_candidates(self, guide: Guide) -> None:
        guide.lose()
        for _ in range(5):
            assert guide.see((200, 100, 200, 200), 0.95).state is L
            assert guide.see((320, 240, 10, 10), 0.95).state is L

    def test_numbers_that_are_not_finite_are_not_candidates(self, guide: Guide) -> None:
        guide.lose()
        for _ in range(5):
            result = guide.see((math.nan, 240, 40, 40), 0.95)
            assert (result.state, result.score) == (L, 0.0)


class TestStamps:
    def test_standing_stamps_still_time_out(self, small) -> None:
        target = Target(small, TrackerConfig(nominal_rate=32.0), FRAME, BOX, 5.0)
        states = []
        for _ in range(20):
            search = target.search(FRAME, 5.0)
            states.append(target.observe(FRAME, search, (0.5, 0.5, 0.2, 0.2), 0.0, 5.0).state)
        assert states.count(U) == 16  # 0.5 s at the nominal rate
        assert states[-1] is L

    def test_time_jumping_back_or_ahead_keeps_the_target(self, small) -> None:
        target = Target(small, TrackerConfig(), FRAME, BOX, 1e9)
        for stamp in (1e9 + 0.1, 3.0, 3.1, 1e12, math.nan, -7.0, None, 0.0):
            search = target.search(FRAME, stamp)
            result = target.observe(FRAME, search, (0.5, 0.5, 0.22, 0.22), 0.9, stamp)
            assert result.state is T
            assert np.isfinite(result.velocity).all()
            assert np.abs(result.velocity).max() < 50
        assert result.last_seen == 0.0


class TestResolution:
    def test_boxes_scale_with_the_image(self, guide: Guide) -> None:
        guide.see((305, 220, 40, 40), 0.9)
        guide.frame = ArrayFrame(np.zeros((960, 1280, 3), np.uint8))
        search = guide.search()
        assert (search.cx, search.cy, search.window.side) == (650, 480, 360)
        result = guide.see((620, 440, 80, 80), 0.9)
        assert result.state is T
        np.testing.assert_allclose(result.box, [620, 440, 80, 80])
        np.testing.assert_allclose(result.velocity, [100, 0, 0], atol=1e-9)

    def test_another_aspect_ratio_means_lost(self, guide: Guide) -> None:
        guide.see(BOX, 0.9)
        guide.frame = ArrayFrame(np.zeros((640, 480, 3), np.uint8))
        result = guide.see((225, 293, 30, 53), 0.9)
        assert result.state is L
        np.testing.assert_allclose(result.box, [225, 293.333, 30, 53.333], atol=1e-3)
        for _ in range(2):
            result = guide.see((225, 293, 30, 53), 0.9)
        assert result.state is T

    def test_paper_mode_only_scales(self, small) -> None:
        guide = Guide(small, TrackerConfig.paper())
        guide.frame = ArrayFrame(np.zeros((640, 480, 3), np.uint8))
        assert guide.see((225, 293, 30, 53), 0.9).state is T


class TestTemplates:
    def painted(self, level: int) -> ArrayFrame:
        return ArrayFrame(np.full((480, 640, 3), level, np.uint8))

    def online(self, guide: Guide) -> int:
        return int(guide.target.templates[1][50, 50, 0])

    def test_online_template_is_cut_around_the_new_box(self, small) -> None:
        guide = Guide(small, TrackerConfig(update_interval=1))
        image = np.zeros((480, 640, 3), np.uint8)
        image[220:260, 320:360] = 200
        guide.frame = ArrayFrame(image)
        guide.see((320, 220, 40, 40), 0.9)
        online = guide.target.templates[1]
        assert online.shape == (112, 112, 3)
        assert (online[30:82, 30:82] == 200).all()
        assert not online[:24].any()
        assert guide.target.needs_encoding

    def test_memory_is_needed_again_only_when_the_template_changes(self, small) -> None:
        guide = Guide(small, TrackerConfig(update_interval=2))
        assert guide.target.needs_encoding
        guide.target.set_memory("first")
        for score in (0.45, 0.45):
            guide.see(BOX, score)
            assert not guide.target.needs_encoding
        guide.see(BOX, 0.8)
        assert not guide.target.needs_encoding
        guide.see(BOX, 0.7)
        assert guide.target.needs_encoding
        guide.target.set_memory("second")
        assert (guide.target.memory, guide.target.needs_encoding) == ("second", False)

    @pytest.mark.parametrize(("robust", "expected"), [(True, 90), (False, 30)])
    def test_none_is_taken_in_doubt(self, small, robust: bool, expected: int) -> None:
        config = TrackerConfig(
            robust=robust, update_interval=4, confirm_score=0.95, reacquire_frames=50
        )
        guide = Guide(small, config)
        guide.see(BOX, 0.1)
        guide.frame = self.painted(30)
        for _ in range(30):
            assert guide.see(BOX, 0.9).state is not T
        assert self.online(guide) == expected
