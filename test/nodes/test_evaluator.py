# Copyright 2026 mixformer2_ros contributors
# SPDX-License-Identifier: Apache-2.0
"""The evaluator beside a real tracker node, over real middleware."""

from __future__ import annotations

import threading

import numpy as np
import pytest

rclpy = pytest.importorskip("rclpy", reason="ROS 2 is not here")
pytest.importorskip("mixformer2_ros.srv", reason="the interfaces are not built")

from rclpy.executors import SingleThreadedExecutor  # noqa: E402
from rclpy.parameter import Parameter  # noqa: E402
from vision_msgs.msg import Detection2D  # noqa: E402

from mixformer2_ros.evaluation.live import write_scores  # noqa: E402
from mixformer2_ros.nodes.evaluator import READY, Evaluator  # noqa: E402
from mixformer2_ros.ros.messages import box_to_message, stamp_to_nanoseconds  # noqa: E402
from mixformer2_ros.tracking.config import TrackerConfig  # noqa: E402
from mixformer2_ros.tracking.tracker import Tracker  # noqa: E402

COUNT = 12
HIDDEN = 6


def box_at(i):
    return (30 + 3 * i, 40 + i, 24, 18)


@pytest.fixture
def evaluator(bench, tmp_path):
    values = {"quiet_time": 0.3, "out": str(tmp_path / "out"), "name": "run"}
    node = Evaluator(
        context=bench.context,
        parameter_overrides=[Parameter(name, value=value) for name, value in values.items()],
    )
    executor = SingleThreadedExecutor(context=bench.context)
    executor.add_node(node)
    over = threading.Event()
    node.finished.add_done_callback(lambda _: over.set())
    thread = threading.Thread(target=executor.spin, daemon=True)
    thread.start()
    yield node, over
    executor.shutdown()
    thread.join(20)
    node.destroy_node()


def play(bench, node, draw):
    """Send frames with their truth, each after the answer to the one before."""
    truth = bench.client.create_publisher(Detection2D, "truth", 10)
    bench.wait(lambda: truth.get_subscription_count(), "the evaluator's subscription")
    played = []
    for i in range(COUNT):
        image = draw() if i == HIDDEN else draw(box_at(i))
        message = bench.message(image)
        known = Detection2D(header=message.header)
        if i != HIDDEN:
            known.bbox = box_to_message(np.array(box_at(i), np.float64))
        truth.publish(known)
        stamp = stamp_to_nanoseconds(message.header.stamp)
        bench.wait(lambda stamp=stamp: stamp in node.record.truths, "the truth to arrive")
        bench.send(message)
        bench.wait(lambda: node.record.start is not None, "the target to be set")
        if i > 0:
            bench.wait(lambda stamp=stamp: stamp in node.record.reports, "the report to arrive")
        played.append((stamp, image))
    return played


def test_live_boxes_are_the_offline_ones(bench, evaluator, draw, tmp_path, capsys):
    node, over = evaluator
    bench.wait(lambda: READY in capsys.readouterr().out, "the evaluator to be ready")

    played = play(bench, node, draw)

    assert over.wait(20), "the evaluator noticed no end"
    first = played[0][0]
    assert node.record.start == first
    live = node.record.frames()
    offline = Tracker(bench.engine, TrackerConfig())
    offline.init(played[0][1], box_at(0), first * 1e-9)
    for row, (stamp, image) in enumerate(played[1:], start=1):
        expected = offline.update(image, stamp * 1e-9)
        np.testing.assert_allclose(live.boxes[row], expected.box, atol=0.5)
        assert live.states[row] == expected.state
        assert live.scores[row] == pytest.approx(expected.score)
    assert live.meta == {"frames_left_out": 0}
    text = write_scores(node.record, tmp_path / "out", "run")
    assert "success_auc" in text
    assert (tmp_path / "out" / "results" / "published" / "run.txt").is_file()
