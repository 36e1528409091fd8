# Copyright 2026 mixformer2_ros contributors
# SPDX-License-Identifier: Apache-2.0
"""How a node's process begins and ends."""

from __future__ import annotations

import signal
import sys
from collections.abc import Iterator
from contextlib import contextmanager

import rclpy
from rclpy.executors import ExternalShutdownException, SingleThreadedExecutor
from rclpy.node import Node
from rclpy.task import Future

_SWITCH_INTERVAL = 1e-4
"""Seconds after which a thread lets another one run Python, if one waits."""


@contextmanager
def ros(name: str, args: list[str] | None) -> Iterator[None]:
    """ROS for the time of a `with`; an interrupt ends it in order.

    Args:
        name: Of the executable, for messages.
        args: Command line with ROS arguments; None takes the process's own.

    Raises:
        SystemExit: ROS cannot read the arguments; with the reason.
    """
    # By default a thread may keep the others from Python for 5 ms, longer than a whole frame takes.
    sys.setswitchinterval(_SWITCH_INTERVAL)
    before = signal.getsignal(signal.SIGINT)
    try:
        rclpy.init(args=args)
    except RuntimeError as error:  # there is no logger yet
        sys.exit(f"{name}: {error}; correct the arguments after --ros-args")
    try:
        yield
    except (KeyboardInterrupt, ExternalShutdownException):
        pass
    finally:
        rclpy.try_shutdown()
        signal.signal(signal.SIGINT, before)


def spin(node: Node, until: Future | None = None) -> None:
    """Let a node work, then destroy it.

    Args:
        node: The node.
        until: Ends it when it is done; an exception it holds, or one of a callback, is raised.
            None: only an interrupt or a shutdown ends it, and a callback that fails is reported.
    """
    executor = SingleThreadedExecutor()
    executor.add_node(node)
    try:
        if until is None:
            while rclpy.ok():
                _outlive_failures(executor, node)
        else:
            executor.spin_until_future_complete(until)
            if until.done():
                until.result()
    finally:
        # ros2 launch and the terminal both send an interrupt: the second must not stop the tidying.
        signal.signal(signal.SIGINT, signal.SIG_IGN)
        executor.remove_node(node)
        node.destroy_node()


def _outlive_failures(executor: SingleThreadedExecutor, node: Node) -> None:
    try:
        executor.spin()
    except (KeyboardInterrupt, ExternalShutdownException):
        raise
    except Exception as error:
        # Whatever it was, a robot is better off with a node that goes on.
        if rclpy.ok():
            node.get_logger().error(f"a callback failed: {type(error).__name__}: {error}")
