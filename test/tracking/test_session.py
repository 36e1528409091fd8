# Copyright 2026 mixformer2_ros contributors
# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import math
import threading

import numpy as np
import pytest

from mixformer2_ros.tracking.commands import SetTargetCode, SetTargetCommand
from mixformer2_ros.tracking.config import TrackerConfig
from mixformer2_ros.tracking.frame import ArrayFrame
from mixformer2_ros.tracking.session import TrackingSession
from mixformer2_ros.tracking.types import TargetState

SECOND = 1_000_000_000
T0 = 1_700_000_000 * SECOND
BOX = (300, 200, 40, 40)
TIMEOUT = 10.0


class Listener:
    """Collects reports and errors and lets a test wait for them."""

    def __init__(self) -> None:
        self.reports: list = []
        self.errors: list[str] = []
        self.order: list[str] = []
        self._condition = threading.Condition()

    def on_report(self, report) -> None:
        with self._condition:
            self.reports.append(report)
            self.order.append("report")
            self._condition.notify_all()

    def on_error(self, text: str) -> None:
        with self._condition:
            self.errors.append(text)
            self._condition.notify_all()

    def wait(self, condition):
        with self._condition:
            assert self._condition.wait_for(condition, TIMEOUT)

    def wait_reports(self, count: int):
        self.wait(lambda: len(self.reports) >= count)
        return self.reports[-1]


class Rig:
    """A session with its listener, and a camera that paints frames."""

    def __init__(self, engine, world, **options) -> None:
        self.engine, self.world, self.listener = engine, world, Listener()
        config = options.pop("config", TrackerConfig())
        self.session = TrackingSession(
            engine, config, self.listener.on_report, on_error=self.listener.on_error, **options
        )

    def frame(self, *boxes) -> ArrayFrame:
        return ArrayFrame(self.world.paint(*boxes))

    def submit(self, stamp_ns: int, *boxes, context=None) -> None:
        self.session.submit(self.frame(*boxes), stamp_ns, context)

    def process(self, stamp_ns: int, *boxes):
        """Submit a frame and return its report."""
        reports = self.listener.reports
        count = len(reports)
        self.submit(stamp_ns, *boxes)
        self.listener.wait(lambda: len(reports) > count and reports[-1].stamp_ns == stamp_ns)
        return reports[-1]

    def set(self, box=BOX, target_id="", stamp_ns=0, normalized=False):
        x, y, w, h = box
        return self.session.set_target(
            SetTargetCommand(target_id, x + w / 2, y + h / 2, w, h, normalized, stamp_ns)
        )

    def live(self, stamp_ns: int, *boxes, names):
        """Process frames, 10 ms apart, until exactly these targets are reported."""
        for index in range(20):
            report = self.process(stamp_ns + index * SECOND // 100, *boxes)
            if list(report.results) == names:
                return report
        raise AssertionError(f"{names} did not become live: {self.listener.errors}")


@pytest.fixture
def make(world, request):
    """Return a function that makes a started rig and stops it after the test."""

    def make_rig(engine, **options) -> Rig:
        rig = Rig(engine, world, **options)
        request.addfinalizer(rig.session.stop)
        rig.session.start()
        return rig

    return make_rig


@pytest.fixture
def rig(make, doubles) -> Rig:
    return make(doubles.Colour())


def test_idle_frames_are_reported_without_inference(rig: Rig) -> None:
    frame = rig.frame()
    rig.session.submit(frame, T0, "header")
    report = rig.listener.wait_reports(1)
    assert (report.stamp_ns, report.context, report.frame) == (T0, "header", frame)
    assert (report.results, report.primary, report.inference_time) == ({}, None, 0.0)
    assert (report.frames_received, report.frames_processed, report.frames_dropped) == (1, 1, 0)
    assert rig.engine.located == []


def test_submit_leaves_it_to_the_caller_when_old_frames_are_freed(make, doubles) -> None:
    first = ArrayFrame(np.zeros((10, 10, 3), np.uint8))
    session = make(doubles.Colour(), history_bytes=first.nbytes).session
    assert session.submit(first, SECOND) == []
    assert session.submit(ArrayFrame(np.zeros((10, 10, 3), np.uint8)), 2 * SECOND) == [first]


def test_target_is_tracked_from_the_next_frame(rig: Rig) -> None:
    rig.process(T0, BOX)
    reply = rig.set()
    assert reply.success
    assert (reply.target_id, reply.stamp_ns) == ("target_1", T0)
    report = rig.live(T0 + SECOND // 100, (305, 202, 40, 40), names=["target_1"])
    result = report.results["target_1"]
    assert (report.primary, result.state) == ("target_1", TargetState.TRACKING)
    np.testing.assert_allclose(result.box, (305, 202, 40, 40), atol=2)
    assert report.inference_time > 0
    assert result.last_seen == pytest.approx(report.stamp_ns / SECOND)


@pytest.fixture
def busy(make, doubles) -> Rig:
    """A rig with the live target `a` whose worker stands inside the engine with one frame."""
    rig = make(doubles.Gated())
    rig.process(T0, BOX)
    rig.set(target_id="a")
    rig.live(T0 + 1, BOX, names=["a"])
    rig.engine.close()
    rig.submit(T0 + SECOND, BOX)
    rig.engine.wait_until_entered()
    return rig


def test_newest_frame_wins(busy: Rig) -> None:
    reports = busy.listener.reports
    before = len(reports)
    for index in range(2, 7):
        busy.submit(T0 + index * SECOND, BOX, context=index)
    busy.engine.open()
    report = busy.listener.wait_reports(before + 2)
    assert [report.stamp_ns - T0 for report in reports[before:]] == [SECOND, 6 * SECOND]
    assert report.context == 6
    assert (report.frames_received, report.frames_dropped) == (before + 6, 4)
    assert report.frames_processed == before + 2


def test_commands_do_not_wait_for_inference(busy: Rig) -> None:
    assert busy.set(target_id="b").success
    assert busy.set(target_id="a").success
    busy.session.configure(TrackerConfig(search_factor=3.0))
    busy.submit(T0 + 2 * SECOND, BOX)
    assert busy.session.clear_target("b") == (True, "cleared 'b'")
    busy.engine.open()
    report = busy.live(T0 + 3 * SECOND, BOX, names=["a"])
    assert report.results["a"].window.side == pytest.approx(120, abs=2)


@pytest.mark.parametrize("restart", [False, True])
def test_results_of_a_target_changed_during_inference_are_withheld(busy: Rig, restart) -> None:
    before = len(busy.listener.reports)
    if restart:
        busy.set(target_id="a")
    else:
        busy.session.clear_target("a")
    busy.engine.open()
    report = busy.listener.wait_reports(before + 1)
    assert report.stamp_ns == T0 + SECOND
    assert (report.results, report.primary) == ({}, "a" if restart else None)


class TestCatchUp:
    def drive(self, rig: Rig, frames: int) -> None:
        for index in range(frames):
            rig.process(T0 + index * SECOND // 30, (100 + 4 * index, 200, 40, 40))

    def test_target_set_on_a_frame_of_one_second_ago(self, rig: Rig) -> None:
        self.drive(rig, 31)
        reply = rig.set((100, 200, 40, 40), stamp_ns=T0 + SECOND // 100)
        assert reply.stamp_ns == T0
        # The target has left the region in which the newest frame alone would be searched.
        rig.live(T0 + SECOND + SECOND // 30, (224, 200, 40, 40), names=["target_1"])
        report = rig.process(T0 + 2 * SECOND, (226, 200, 40, 40))
        assert report.results["target_1"].state is TargetState.TRACKING
        np.testing.assert_allclose(report.results["target_1"].box, (226, 200, 40, 40), atol=2)

    def test_rounds_are_bounded_and_shared_with_live_targets(self, make, doubles) -> None:
        class Camera(doubles.Colour):
            """Brings a new frame during every forward, until the late target is live."""

            rig: Rig
            frames = 0

            def locate(self, memories, crops):
                if self.frames and "late" not in self.rig.listener.reports[-1].results:
                    self.rig.submit(T0 + self.frames * SECOND // 30, BOX)
                    self.frames += 1
                return super().locate(memories, crops)

        rig = make(Camera())
        rig.engine.rig = rig
        rig.process(T0, BOX)
        rig.set(target_id="live")
        rig.live(T0 + 1, BOX, names=["live"])
        for index in range(10, 41):
            rig.process(T0 + index * SECOND // 30, BOX)
        rig.engine.located.clear()
        rig.engine.frames = 41
        first = len(rig.listener.reports)
        assert rig.set(target_id="late", stamp_ns=T0 + 10 * SECOND // 30).success
        reports = rig.listener.reports
        rig.listener.wait(lambda: "late" in reports[-1].results)
        rig.session.stop()
        # The first forward finds no new frame, the others are shared with the live target.
        assert rig.engine.located[:10] == [1] + 9 * [2]
        assert all("live" in report.results for report in reports[first:])

    def test_works_without_new_frames(self, rig: Rig) -> None:
        self.drive(rig, 20)
        rig.set((100, 200, 40, 40), stamp_ns=T0)
        report = rig.live(T0 + SECOND, (180, 200, 40, 40), names=["target_1"])
        np.testing.assert_allclose(report.results["target_1"].box, (180, 200, 40, 40), atol=2)

    def test_past_frame_that_cannot_be_read_does_not_cost_live_targets(self, make, doubles):
        rig = make(doubles.Colour())
        rig.process(T0, BOX)
        rig.set(target_id="live")
        rig.live(T0 + 1, BOX, names=["live"])
        rig.session.submit(Unreadable(rig.world.paint(BOX)), T0 + SECOND)
        rig.listener.wait(lambda: rig.listener.errors)
        rig.process(T0 + 2 * SECOND, BOX)
        rig.set(target_id="late", stamp_ns=T0)
        report = rig.live(T0 + 3 * SECOND, BOX, names=["live", "late"])
        assert report.results["late"].state is TargetState.TRACKING
        assert any(text.startswith("catching up: damaged") for text in rig.listener.errors)


class Unreadable(ArrayFrame):
    def region(self, x1: int, y1: int, x2: int, y2: int):
        raise ValueError("damaged image")


class TestErrors:
    def test_frame_that_cannot_be_read_costs_only_itself(self, rig: Rig) -> None:
        rig.process(T0, BOX)
        rig.set()
        before = rig.live(T0 + 1, BOX, names=["target_1"])
        rig.session.submit(Unreadable(rig.world.paint(BOX)), T0 + SECOND)
        rig.listener.wait(lambda: rig.listener.errors)
        assert rig.listener.errors == [
            f"image of {T0 // SECOND + 1}.000000000 s: damaged image (ValueError)"
        ]
        report = rig.process(T0 + SECOND + SECOND // 30, BOX)
        assert report.results["target_1"].state is TargetState.TRACKING
        assert report.frames_received == before.frames_received + 2
        assert report.frames_dropped == before.frames_dropped + 1

    def test_engine_that_fails_once(self, make, doubles) -> None:
        class Moody(doubles.Colour):
            fail = False

            def locate(self, memories, crops):
                if self.fail:
                    self.fail = False
                    raise RuntimeError("device lost")
                return super().locate(memories, crops)

        rig = make(Moody())
        rig.process(T0, BOX)
        rig.set()
        rig.live(T0 + 1, BOX, names=["target_1"])
        rig.engine.fail = True
        rig.submit(T0 + SECOND, BOX)
        rig.listener.wait(lambda: rig.listener.errors)
        assert "device lost (RuntimeError)" in rig.listener.errors[0]
        assert list(rig.process(T0 + 2 * SECOND, BOX).results) == ["target_1"]

    def test_target_that_cannot_be_encoded_is_given_up(self, make, doubles) -> None:
        class Failing(doubles.Colour):
            def encode_templates(self, templates, online_templates):
                raise RuntimeError("out of memory")

        rig = make(Failing())
        rig.process(T0, BOX)
        assert rig.set().success
        rig.listener.wait(lambda: rig.listener.errors)
        assert "'target_1' could not be started: out of memory" in rig.listener.errors[0]
        assert rig.process(T0 + SECOND, BOX).primary is None

    def test_listeners_that_fail_do_not_end_the_worker(self, doubles, world) -> None:
        called = threading.Semaphore(0)

        def fail(_: object) -> None:
            called.release()
            raise RuntimeError("no one listens")

        session = TrackingSession(doubles.Colour(), TrackerConfig(), fail, on_error=fail)
        session.start()
        for index in range(2):
            session.submit(ArrayFrame(world.paint()), T0 + index)
            assert called.acquire(timeout=TIMEOUT)
            assert called.acquire(timeout=TIMEOUT)
        session.stop()


class TestCodes:
    def check(self, reply, code: SetTargetCode, message: str) -> None:
        assert (reply.code, reply.success) == (code, False)
        assert message in reply.message

    @pytest.mark.parametrize(
        ("box", "message"),
        [
            ((math.nan, 1, 10, 10), "not finite"),
            ((1, 1, math.inf, 10), "not finite"),
            ((10, 10, 0, 10), "empty"),
            ((10, 10, 10, -3), "empty"),
            ((-500, 10, 10, 10), "lies inside the 640x480 image"),
            ((1e300, 1e300, 1e300, 1e300), "lies inside"),
        ],
    )
    def test_invalid_box(self, rig: Rig, box, message: str) -> None:
        rig.process(T0, BOX)
        self.check(rig.set(box), SetTargetCode.INVALID_BOX, message)
        self.check(rig.set(box, normalized=True), SetTargetCode.INVALID_BOX, "the box")
        assert rig.session.clear_target() == (True, "no target was held")

    def test_no_image_yet(self, rig: Rig) -> None:
        for stamp_ns in (0, T0):
            self.check(rig.set(stamp_ns=stamp_ns), SetTargetCode.NO_IMAGE, "check that the image")

    def test_no_image_near_the_stamp(self, rig: Rig) -> None:
        rig.process(T0, BOX)
        rig.process(T0 + SECOND, BOX)
        reply = rig.set(stamp_ns=T0 + SECOND * 4 // 10)
        self.check(reply, SetTargetCode.NO_IMAGE, "no image was received within 0.05 s of")
        assert f"the nearest is of {T0 // SECOND}.0" in reply.message
        assert rig.set(stamp_ns=T0 + SECOND * 4 // 100).stamp_ns == T0

    def test_stamp_too_old(self, make, doubles) -> None:
        rig = make(doubles.Colour(), history_bytes=3 * 640 * 480 * 3)
        for index in range(6):
            rig.process(T0 + index * SECOND, BOX)
        reply = rig.set(stamp_ns=T0 + 2 * SECOND)
        self.check(reply, SetTargetCode.STAMP_TOO_OLD, "within 2.00 s or raise history_megabytes")
        assert rig.set(stamp_ns=T0 + 3 * SECOND).success

    def test_stamp_in_future(self, rig: Rig) -> None:
        rig.process(T0, BOX)
        reply = rig.set(stamp_ns=T0 + SECOND)
        self.check(reply, SetTargetCode.STAMP_IN_FUTURE, "send the stamp of the image")
        assert rig.set(stamp_ns=T0 + SECOND * 4 // 100).success

    def test_too_many_targets(self, make, doubles) -> None:
        rig = make(doubles.Colour(), max_targets=2)
        rig.process(T0, BOX)
        assert rig.set().success
        assert rig.set(target_id="b").success
        reply = rig.set(target_id="c")
        self.check(reply, SetTargetCode.TOO_MANY_TARGETS, "held: 'target_1', 'b', and max_targets")
        assert rig.set(target_id="b").success, "a restart needs no place"
        rig.session.clear_target("b")
        assert rig.set(target_id="c").success

    def test_not_active(self, doubles, world) -> None:
        rig = Rig(doubles.Colour(), world)
        self.check(rig.set(), SetTargetCode.NOT_ACTIVE, "activate it first")
        assert not rig.session.clear_target()[0]
        rig.submit(T0, BOX)
        rig.session.start()
        self.check(rig.set(), SetTargetCode.NO_IMAGE, "no image")
        rig.session.stop()
        self.check(rig.set(), SetTargetCode.NOT_ACTIVE, "activate it first")

    def test_frame_that_cannot_be_read(self, rig: Rig) -> None:
        rig.session.submit(Unreadable(rig.world.paint(BOX)), T0)
        rig.listener.wait_reports(1)
        self.check(rig.set(), SetTargetCode.INTERNAL_ERROR, "damaged image (ValueError); try")

    @pytest.mark.filterwarnings("ignore::pytest.PytestUnhandledThreadExceptionWarning")
    def test_dead_worker(self, doubles, world) -> None:
        ended = threading.Event()

        def end(_: object) -> None:
            ended.set()
            raise SystemExit

        session = TrackingSession(doubles.Colour(), TrackerConfig(), end, on_error=print)
        session.start()
        worker = next(thread for thread in threading.enumerate() if thread.name == "tracking")
        session.submit(ArrayFrame(world.paint(BOX)), T0)
        assert ended.wait(TIMEOUT)
        worker.join(TIMEOUT)
        reply = session.set_target(SetTargetCommand("", 320, 220, 40, 40))
        self.check(reply, SetTargetCode.INTERNAL_ERROR, "restart the tracker")
        session.stop()


def test_normalized_box(rig: Rig) -> None:
    rig.process(T0, BOX)
    x, y, w, h = BOX
    assert rig.set((x / 640, y / 480, w / 640, h / 480), normalized=True).success
    report = rig.live(T0 + 1, BOX, names=["target_1"])
    np.testing.assert_allclose(report.results["target_1"].box, BOX, atol=1.5)


def test_box_is_cut_at_the_border(make, doubles) -> None:
    engine = doubles.Scripted(lambda _: ((math.nan,) * 4, 0.0))
    rig = make(engine)
    rig.process(T0, BOX)
    assert rig.set((-20, 100, 60, 50)).success
    report = rig.live(T0 + 1, BOX, names=["target_1"])
    np.testing.assert_array_equal(report.results["target_1"].box, (0, 100, 40, 50))


def test_names_are_never_used_twice(rig: Rig) -> None:
    rig.process(T0, BOX)
    assert rig.set(target_id="target_2").success
    assert [rig.set().target_id for _ in range(2)] == ["target_1", "target_3"]
    rig.session.clear_target("target_3")
    assert rig.set().target_id == "target_4"


def test_primary_is_the_first_one_still_held(rig: Rig) -> None:
    rig.process(T0, BOX)
    for name in "abc":
        rig.set(target_id=name)
    assert rig.live(T0 + 1, BOX, names=["a", "b", "c"]).primary == "a"
    rig.set(target_id="a")
    report = rig.live(T0 + SECOND, BOX, names=["a", "b", "c"])
    assert report.primary == "a", "a restart keeps its place"
    assert rig.session.clear_target("a") == (True, "cleared 'a'")
    assert rig.process(T0 + 2 * SECOND, BOX).primary == "b"
    assert rig.session.clear_target() == (True, "cleared 'b', 'c'")
    assert rig.process(T0 + 3 * SECOND, BOX).primary is None


def test_clearing_an_unknown_target_names_those_held(rig: Rig) -> None:
    assert rig.session.clear_target("x") == (False, "there is no target 'x'; none is held")
    rig.process(T0, BOX)
    rig.set(target_id="a")
    assert rig.session.clear_target("x") == (False, "there is no target 'x'; held: 'a'")


def test_restart_moves_the_target(rig: Rig) -> None:
    other = (100, 300, 40, 40)
    rig.process(T0, BOX, other)
    rig.set(target_id="a")
    rig.live(T0 + 1, BOX, other, names=["a"])
    assert rig.set(other, target_id="a").success
    report = rig.process(T0 + SECOND, BOX, other)
    report = rig.live(T0 + 2 * SECOND, BOX, other, names=["a"])
    np.testing.assert_allclose(report.results["a"].box, other, atol=1.5)


def test_time_jumping_back_keeps_targets_and_resets_the_history(rig: Rig) -> None:
    rig.process(T0, BOX)
    rig.set()
    rig.live(T0 + 1, BOX, names=["target_1"])
    report = rig.process(5 * SECOND, BOX)
    assert report.results["target_1"].state is TargetState.TRACKING
    assert rig.set(stamp_ns=T0).code is SetTargetCode.STAMP_IN_FUTURE
    assert rig.set(stamp_ns=5 * SECOND, target_id="b").success
    rig.live(6 * SECOND, BOX, names=["target_1", "b"])


def test_resolution_change_keeps_targets(rig: Rig) -> None:
    rig.process(T0, BOX)
    rig.set()
    rig.live(T0 + 1, BOX, names=["target_1"])
    large = rig.world.paint((605, 402, 80, 80), size=(1280, 960))
    rig.session.submit(ArrayFrame(large), T0 + SECOND)
    rig.listener.wait(lambda: rig.listener.reports[-1].stamp_ns == T0 + SECOND)
    result = rig.listener.reports[-1].results["target_1"]
    assert result.state is TargetState.TRACKING
    np.testing.assert_allclose(result.box, (605, 402, 80, 80), atol=3)


def test_templates_are_encoded_after_the_report(make, doubles) -> None:
    class Ordered(doubles.Colour):
        rig: Rig
        started = threading.Event()

        def encode_templates(self, templates, online_templates):
            self.rig.listener.order.append("encode")
            self.started.set()
            return super().encode_templates(templates, online_templates)

        def locate(self, memories, crops):
            self.rig.listener.order.append("locate")
            return super().locate(memories, crops)

    rig = make(Ordered(), config=TrackerConfig(update_interval=1))
    rig.engine.rig = rig
    rig.process(T0, BOX)
    rig.set()
    assert rig.engine.started.wait(TIMEOUT)
    rig.process(T0 + SECOND, BOX)
    rig.process(T0 + 2 * SECOND, BOX)
    rig.session.stop()
    round_ = ["locate", "report", "encode"]
    assert rig.listener.order == ["report", "encode", *round_, *round_]


def test_stop_during_inference_joins_and_forgets(busy: Rig) -> None:
    stopper = threading.Thread(target=busy.session.stop)
    stopper.start()
    assert stopper.is_alive()
    busy.engine.open()
    stopper.join(TIMEOUT)
    assert not stopper.is_alive()
    assert not any(thread.name == "tracking" for thread in threading.enumerate())
    busy.session.stop()
    busy.session.start()
    busy.session.start()
    report = busy.process(T0, BOX)
    assert (report.results, report.primary, report.frames_processed) == ({}, None, 1)


def test_stop_from_a_report_and_start_again(doubles, world) -> None:
    stopped, again = threading.Event(), threading.Event()

    def on_report(report) -> None:
        if report.context == "again":
            again.set()
            return
        session.stop()
        stopped.set()

    session = TrackingSession(doubles.Colour(), TrackerConfig(), on_report, on_error=print)
    session.start()
    session.submit(ArrayFrame(world.paint()), T0)
    assert stopped.wait(TIMEOUT)
    session.start()
    session.submit(ArrayFrame(world.paint()), T0, "again")
    assert again.wait(TIMEOUT)
    session.stop()


def test_many_clients_at_once(rig: Rig) -> None:
    rig.process(T0, BOX)

    def work(number: int) -> None:
        for index in range(20):
            rig.set(target_id=f"t{(number + index) % 5}")
            rig.submit(T0 + index * SECOND // 30, BOX)
            if index % 7 == 6:
                rig.session.clear_target(f"t{number}")
            rig.session.configure(TrackerConfig(update_interval=1 + index))

    clients = [threading.Thread(target=work, args=(number,)) for number in range(5)]
    for client in clients:
        client.start()
    for client in clients:
        client.join(TIMEOUT)
    rig.session.clear_target()
    rig.set(target_id="last")
    report = rig.live(T0 + 60 * SECOND, BOX, names=["last"])
    assert report.frames_received >= report.frames_processed + report.frames_dropped
    assert rig.listener.errors == []
