# Copyright 2026 mixformer2_ros contributors
# SPDX-License-Identifier: Apache-2.0
"""What rclpy's managed nodes lack on some distributions."""

from __future__ import annotations

from typing import Any

from rclpy.lifecycle import LifecycleNode


def answer_impossible_transitions(node: LifecycleNode) -> None:
    """Let the node refuse transitions that its state does not allow.

    Up to Jazzy, rclpy raises an exception instead, which leaves the client without an answer and
    ends the spinning.

    Args:
        node: The node, just made.
    """
    service = getattr(node, "_service_change_state", None)
    if service is None:
        return
    change_state = service.callback

    def change_state_or_refuse(request: Any, response: Any) -> Any:
        try:
            return change_state(request, response)
        except Exception as error:
            node.get_logger().error(f"impossible transition: {error}")
            response.success = False
            return response

    service.callback = change_state_or_refuse
