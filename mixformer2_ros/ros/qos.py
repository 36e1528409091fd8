# Copyright 2026 mixformer2_ros contributors
# SPDX-License-Identifier: Apache-2.0
"""Quality of service of the node's topics (REP 2003), open to overrides from parameter files."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from rclpy.qos import (
    QoSDurabilityPolicy,
    QoSHistoryPolicy,
    QoSPolicyKind,
    QoSProfile,
    QoSReliabilityPolicy,
    qos_policy_name_from_kind,
)
from rclpy.qos_overriding_options import QoSOverridingOptions

try:
    from rclpy.event_handler import SubscriptionEventCallbacks, UnsupportedEventTypeError
except ImportError:  # before Iron
    from rclpy.qos_event import SubscriptionEventCallbacks, UnsupportedEventTypeError

_RESULT_DEPTH = 10


def sensor_qos() -> QoSProfile:
    """Subscriptions to sensors: best effort, and only the newest message waits.

    A new profile each time: rclpy writes overrides into the profile it is given.
    """
    return QoSProfile(
        history=QoSHistoryPolicy.KEEP_LAST,
        depth=1,
        reliability=QoSReliabilityPolicy.BEST_EFFORT,
        durability=QoSDurabilityPolicy.VOLATILE,
    )


def result_qos() -> QoSProfile:
    """Results: reliable, so that both kinds of subscribers match, with a short queue."""
    return QoSProfile(
        history=QoSHistoryPolicy.KEEP_LAST,
        depth=_RESULT_DEPTH,
        reliability=QoSReliabilityPolicy.RELIABLE,
        durability=QoSDurabilityPolicy.VOLATILE,
    )


def image_result_qos() -> QoSProfile:
    """Images for people to look at: reliable, and only the newest one waits."""
    profile = result_qos()
    profile.depth = 1
    return profile


def overridable() -> QoSOverridingOptions:
    """Let ``qos_overrides.<topic>.<subscription|publisher>.<policy>`` change a profile."""
    return QoSOverridingOptions(
        (
            QoSPolicyKind.HISTORY,
            QoSPolicyKind.DEPTH,
            QoSPolicyKind.RELIABILITY,
            QoSPolicyKind.DURABILITY,
        )
    )


def explain_incompatibility(topic: str, event: Any) -> str:
    """Say which side must change after a publisher offered less than a subscription asks for.

    Args:
        topic: Resolved name of the topic.
        event: The "requested incompatible QoS" event.

    Returns:
        The mismatch and its cure.
    """
    policy = qos_policy_name_from_kind(event.last_policy_kind)
    policy = policy.removesuffix("_QOS_POLICY").lower()
    return (
        f"a publisher of {topic} offers a weaker {policy} than this node asks for, so none of its "
        f"messages arrive: strengthen the publisher's {policy}, or weaken this node's with the "
        f"parameter qos_overrides.{topic}.subscription.{policy}"
    )


def create_watched_subscription(
    node: Any,
    message_type: type[Any],
    topic: str,
    callback: Callable[[Any], None],
    on_incompatible: Callable[[str], None],
) -> Any:
    """Subscribe to a sensor topic and hear of publishers whose QoS does not fit.

    Args:
        node: The subscribing node.
        message_type: Type of the messages.
        topic: Name of the topic.
        callback: Gets every message.
        on_incompatible: Gets an explanation of each mismatch.

    Returns:
        The subscription.
    """

    def report(event: Any) -> None:
        on_incompatible(explain_incompatibility(node.resolve_topic_name(topic), event))

    def create(**events: Any) -> Any:
        return node.create_subscription(
            message_type,
            topic,
            callback,
            sensor_qos(),
            qos_overriding_options=overridable(),
            **events,
        )

    try:
        return create(event_callbacks=SubscriptionEventCallbacks(incompatible_qos=report))
    except UnsupportedEventTypeError:  # some middlewares match everything
        return create()
