# Copyright 2026 mixformer2_ros contributors
# SPDX-License-Identifier: Apache-2.0
"""Parameters of the tracker node: declared with description and range, changed all or nothing."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from rcl_interfaces.msg import (
    FloatingPointRange,
    IntegerRange,
    ParameterDescriptor,
    SetParametersResult,
)
from rclpy.exceptions import ParameterException
from rclpy.node import Node

from mixformer2_ros.inference import processor
from mixformer2_ros.model.variants import VARIANTS
from mixformer2_ros.tracking.affinity import parse_cores
from mixformer2_ros.tracking.config import RANGES, TrackerConfig

TRACKER_PREFIX = "tracker."


class ParameterError(ValueError):
    """A parameter has a value it cannot have; the text names it, the value and what is allowed."""


@dataclass(frozen=True)
class NodeParameters:
    """The tracker node's parameters after validation.

    Attributes:
        model: Network variant.
        checkpoint: Weights file, ``None`` for the default weights.
        backend: Inference backend.
        device: Device the network runs on.
        precision: Arithmetic of the network.
        threads: CPU threads of the network.
        cores: Cores that the network and the tracking run on; all when empty.
        deadline: Longest time of a frame in seconds, 0 for none.
        image_transport: ``raw`` or ``compressed``.
        rectified: The image is rectified: directions use P of camera_info and no distortion.
        class_id: Class name in the detections.
        max_targets: Most targets at one time.
        history_bytes: Memory bound of the frame history.
        stamp_tolerance: Seconds a requested stamp may lie off a frame's stamp.
        autostart: Configure and activate at start-up.
        diagnostics_period: Seconds between diagnostics.
        tracker: Settings of the tracker.
    """

    model: str
    checkpoint: str | None
    backend: str
    device: str
    precision: str
    threads: int
    cores: frozenset[int]
    deadline: float
    image_transport: str
    rectified: bool
    class_id: str
    max_targets: int
    history_bytes: int
    stamp_tolerance: float
    autostart: bool
    diagnostics_period: float
    tracker: TrackerConfig


@dataclass(frozen=True)
class _Parameter:
    default: bool | int | float | str
    description: str
    limits: tuple[float, float] | None = None
    choices: tuple[str, ...] | None = None
    runtime: bool = False
    read_only: bool = False

    def descriptor(self) -> ParameterDescriptor:
        """Descriptor with the range and, in words, the choices and when a change takes effect."""
        text = self.description
        if self.choices:
            text += f" One of: {', '.join(self.choices)}."
        if self.runtime:
            text += " May be changed at any time."
        elif self.read_only:
            text += " Fixed at start-up."
        else:
            text += " Can be changed only while the node is unconfigured."
        descriptor = ParameterDescriptor(description=text, read_only=self.read_only)
        if self.limits is not None:
            low, high = self.limits
            if isinstance(self.default, int):
                bounds = IntegerRange(from_value=int(low), to_value=int(high), step=1)
                descriptor.integer_range = [bounds]
            else:
                bounds = FloatingPointRange(from_value=float(low), to_value=float(high), step=0.0)
                descriptor.floating_point_range = [bounds]
        return descriptor

    def check(self, name: str, value: Any) -> None:
        """Raise ParameterError unless the value is one of the choices and inside the limits."""
        if self.choices and value not in self.choices:
            raise ParameterError(
                f"parameter {name} is {value!r}; give one of: {', '.join(self.choices)}"
            )
        if self.limits is not None:
            low, high = self.limits
            if not (math.isfinite(value) and low <= value <= high):
                raise ParameterError(
                    f"parameter {name} is {value}; give a value from {low:g} to {high:g}"
                )


_TRACKER_DESCRIPTIONS = {
    "search_factor": "Side of the search region over the side of the target; 0 takes the model's "
    "own, otherwise from 1.",
    "template_factor": "Side of the template region over the side of the target.",
    "update_interval": "Frames between changes of the online template.",
    "update_threshold": "A frame may become the online template when it scores more than this.",
    "margin": "Pixels of a box that always stay inside the image; also its least width and height.",
    "robust": "False follows the published procedure exactly: every box is believed.",
    "doubt_score": "A tracked target that scores less becomes UNCERTAIN.",
    "confirm_score": "Score that can make a target TRACKING again; at least doubt_score.",
    "lost_timeout": "Seconds after which an UNCERTAIN target is LOST.",
    "reacquire_frames": "Consecutive confident frames that must agree before a LOST target is "
    "TRACKING again.",
    "search_growth": "Growth of a LOST target's search region per second, as a factor.",
    "max_search_scale": "Bound of that growth over the normal side.",
    "coast_time": "Seconds the search region moves on with the last velocity while the box is not "
    "believed.",
    "nominal_rate": "Frames per second to assume where stamps do not advance.",
}


def _tracker_parameters() -> dict[str, _Parameter]:
    defaults = TrackerConfig()
    parameters = {}
    for name, description in _TRACKER_DESCRIPTIONS.items():
        default, limits = getattr(defaults, name), RANGES.get(name)
        if name == "search_factor":
            default, limits = 0.0, (0.0, RANGES[name][1])
        parameters[TRACKER_PREFIX + name] = _Parameter(default, description, limits, runtime=True)
    return parameters


_PARAMETERS: dict[str, _Parameter] = {
    "model": _Parameter("small", "Network variant.", choices=tuple(sorted(VARIANTS))),
    "checkpoint": _Parameter(
        "", "File with the network's weights; empty takes the weights that ship with the package."
    ),
    "backend": _Parameter("auto", "What runs the network; auto takes the best one installed."),
    "device": _Parameter("auto", "Device of the network: auto, cpu, cuda, cuda:N, tensorrt."),
    "precision": _Parameter("auto", "Arithmetic of the network: auto, fp32, fp16, bf16, int8."),
    "threads": _Parameter(
        0,
        "CPU threads of the network. 0: half of the cores, at least one; the camera, the image "
        "transport and controllers need the others.",
        (0, 256),
    ),
    "cpu_affinity": _Parameter(
        "",
        "Cores that the network and the tracking are kept on, such as 2,3 or 0-1; empty: any. With "
        "threads 0 the network gets one thread on each of them.",
    ),
    "deadline_ms": _Parameter(
        0.0,
        "Milliseconds that a frame may take from the image's arrival to the published box; frames "
        "that take longer are counted and reported on /diagnostics. 0: no limit.",
        (0.0, 60000.0),
        runtime=True,
    ),
    "image_transport": _Parameter(
        "raw",
        "raw subscribes to sensor_msgs/Image on 'image', compressed to sensor_msgs/CompressedImage "
        "on 'image/compressed'.",
        choices=("raw", "compressed"),
    ),
    "rectified": _Parameter(
        False,
        "The image is rectified: directions use the projection matrix of camera_info and no lens "
        "distortion.",
    ),
    "class_id": _Parameter("target", "Class name in the detections.", runtime=True),
    "max_targets": _Parameter(8, "Most targets held at one time.", (1, 64)),
    "history_megabytes": _Parameter(
        80,
        "Memory for past frames, out of which a target set late is caught up; 80 hold one second "
        "of 1280x720 at 30 Hz.",
        (1, 65536),
    ),
    "stamp_tolerance": _Parameter(
        0.05, "Seconds a requested stamp may lie off the stamp of a frame.", (0.0, 10.0)
    ),
    "autostart": _Parameter(
        True, "Configure and activate at start-up, without a lifecycle manager.", read_only=True
    ),
    "diagnostics_period": _Parameter(
        1.0, "Seconds between messages on /diagnostics.", (0.1, 60.0), read_only=True
    ),
    **_tracker_parameters(),
}


def build_parameters(values: Mapping[str, Any]) -> NodeParameters:
    """Validate a whole set of values.

    Args:
        values: Every parameter of the node by name.

    Returns:
        The validated parameters.

    Raises:
        ParameterError: A value is not allowed, or two do not fit together.
    """
    for name, parameter in _PARAMETERS.items():
        parameter.check(name, values[name])
    if not values["class_id"].strip():
        raise ParameterError("parameter class_id is empty; give the detections a class name")
    try:
        cores = parse_cores(values["cpu_affinity"])
    except ValueError as error:
        raise ParameterError(
            f"parameter cpu_affinity is {values['cpu_affinity']!r}: {error}"
        ) from error
    settings = {name: values[TRACKER_PREFIX + name] for name in _TRACKER_DESCRIPTIONS}
    settings["search_factor"] = settings["search_factor"] or None
    try:
        tracker = TrackerConfig(**settings)
    except ValueError as error:
        raise ParameterError(f"parameter {TRACKER_PREFIX}{error}") from error
    return NodeParameters(
        model=values["model"],
        checkpoint=values["checkpoint"] or None,
        backend=values["backend"],
        device=values["device"],
        precision=values["precision"],
        threads=values["threads"] or len(cores) or max(1, processor.cores() // 2),
        cores=cores,
        deadline=values["deadline_ms"] * 1e-3,
        image_transport=values["image_transport"],
        rectified=values["rectified"],
        class_id=values["class_id"],
        max_targets=values["max_targets"],
        history_bytes=values["history_megabytes"] << 20,
        stamp_tolerance=values["stamp_tolerance"],
        autostart=values["autostart"],
        diagnostics_period=values["diagnostics_period"],
        tracker=tracker,
    )


class ParameterServer:
    """The node's parameters: declares them, guards every change, hands over the valid whole.

    Args:
        node: The node that gets the parameters.
        is_configured: Whether the node holds what the parameters were used for; then only those
            marked as such may change.
        on_change: Called with the new whole after a change.

    Raises:
        ParameterError: A start-up value (parameter file, command line) is not allowed.
    """

    def __init__(
        self,
        node: Node,
        is_configured: Callable[[], bool],
        on_change: Callable[[NodeParameters], None],
    ) -> None:
        self._is_configured = is_configured
        self._on_change = on_change
        self._node_name = node.get_name()
        self._values: dict[str, Any] = {}
        for name, parameter in _PARAMETERS.items():
            try:
                declared = node.declare_parameter(name, parameter.default, parameter.descriptor())
            except ParameterException as error:
                kind = type(parameter.default).__name__
                hint = " (write it with a decimal point)" if kind == "float" else ""
                raise ParameterError(
                    f"parameter {name} has a bad start-up value: {error}; it is a {kind}{hint}. "
                    f"{parameter.descriptor().description}"
                ) from error
            self._values[name] = declared.value
        self._current = build_parameters(self._values)
        node.add_on_set_parameters_callback(self._on_set)

    @property
    def current(self) -> NodeParameters:
        """The parameters as they are now."""
        return self._current

    def _on_set(self, changes: list[Any]) -> SetParametersResult:
        """Validate the whole the changes lead to; apply it only if all of it is allowed.

        rclpy has checked types, ranges and read-only flags before, and the only callback after
        this one (use_sim_time) checks nothing more, so applying here is safe on every
        distribution; the later hook for it does not exist on Humble.
        """
        values = {change.name: change.value for change in changes if change.name in _PARAMETERS}
        if not values:
            return SetParametersResult(successful=True)
        for name, value in values.items():
            fixed = not _PARAMETERS[name].runtime and self._is_configured()
            if fixed and value != self._values[name]:
                return SetParametersResult(
                    successful=False,
                    reason=f"parameter {name} cannot become {value!r} while the node is "
                    "configured: deactivate and clean up first (ros2 lifecycle set "
                    f"{self._node_name} deactivate, then cleanup), set it, then configure and "
                    "activate",
                )
        merged = {**self._values, **values}
        try:
            parameters = build_parameters(merged)
        except ParameterError as error:
            return SetParametersResult(successful=False, reason=str(error))
        self._values, self._current = merged, parameters
        self._on_change(parameters)
        return SetParametersResult(successful=True)
