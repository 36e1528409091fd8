# Copyright 2026 mixformer2_ros contributors
# SPDX-License-Identifier: Apache-2.0
"""The tracker as a managed ROS 2 node: images and requests in, boxes and states out."""

from __future__ import annotations

import gc
import time
import traceback
from collections.abc import Callable
from typing import Any, NamedTuple

import cv2
import numpy as np
import rclpy
from diagnostic_msgs.msg import DiagnosticArray
from rclpy.clock import Clock, ClockType
from rclpy.lifecycle import LifecycleNode, LifecycleState, TransitionCallbackReturn
from sensor_msgs.msg import CameraInfo, CompressedImage, Image

from mixformer2_ros.inference import Engine, load_engine
from mixformer2_ros.nodes.running import ros, spin
from mixformer2_ros.ros.camera import CameraInfoError, CameraModel
from mixformer2_ros.ros.debug_view import DebugView
from mixformer2_ros.ros.diagnostics import FrameTiming, Monitor
from mixformer2_ros.ros.images import ImageError, frame_from_message
from mixformer2_ros.ros.lifecycle import answer_impossible_transitions
from mixformer2_ros.ros.messages import nanoseconds_to_stamp, stamp_to_nanoseconds
from mixformer2_ros.ros.outputs import Outputs, Rays
from mixformer2_ros.ros.parameters import NodeParameters, ParameterError, ParameterServer
from mixformer2_ros.ros.qos import create_watched_subscription, result_qos
from mixformer2_ros.srv import ClearTarget, SetTarget
from mixformer2_ros.tracking.affinity import on_cores
from mixformer2_ros.tracking.commands import SetTargetCode, SetTargetCommand, SetTargetReply
from mixformer2_ros.tracking.session import FrameReport, TrackingSession

_LOG_PERIOD = 5.0
_LONGEST_ID = 128
_GIVE_WAY = 0.5e-3
"""Seconds, about what the worker needs until the network runs, which needs no interpreter."""

EngineFactory = Callable[..., Engine]


class _FrameContext(NamedTuple):
    """What has to come out again with a frame's results."""

    header: Any
    received: float


class TrackerNode(LifecycleNode):
    """Follows targets in an image stream; the interface is in docs/architecture.md.

    The executor's thread only takes messages in and answers requests; a ``TrackingSession`` does
    the work in its own thread and publishes from there.

    Args:
        engine_factory: Makes the inference engine, with ``load_engine``'s arguments.
        **options: Options of ``rclpy.node.Node`` (namespace, parameter_overrides, context ...).

    Raises:
        ParameterError: A start-up parameter has a value it cannot have.
    """

    def __init__(self, engine_factory: EngineFactory = load_engine, **options: Any) -> None:
        super().__init__("tracker", **options)
        self.monitor = Monitor()
        self._engine_factory = engine_factory
        self._engine: Engine | None = None
        self._session: TrackingSession | None = None
        self._outputs: Outputs | None = None
        self._debug_view: DebugView | None = None
        self._inputs: list[Any] = []
        self._image_topic = ""
        self._camera: CameraModel | CameraInfoError | None = None
        try:
            self._settings = ParameterServer(
                self, lambda: self._engine is not None, self._on_parameters
            )
        except ParameterError:
            self.destroy_node()
            raise
        answer_impossible_transitions(self)
        self._diagnostics = self.create_publisher(DiagnosticArray, "/diagnostics", result_qos())
        self.create_service(SetTarget, "~/set_target", self._on_set_target)
        self.create_service(ClearTarget, "~/clear_target", self._on_clear_target)
        # Steady: diagnostics must also come when simulated time stands still.
        self._steady_clock = Clock(clock_type=ClockType.STEADY_TIME)
        self.create_timer(
            self._settings.current.diagnostics_period,
            self._publish_diagnostics,
            clock=self._steady_clock,
        )
        if self._settings.current.autostart:
            self._start_timer = self.create_timer(0.0, self._autostart, clock=self._steady_clock)

    # Lifecycle

    def on_configure(self, state: LifecycleState) -> TransitionCallbackReturn:
        """Load the engine, run it once, and create the publishers."""
        parameters = self._settings.current
        # Small crops gain nothing from OpenCV's threads, and these wait for busy cores.
        cv2.setNumThreads(1)
        try:
            # The engine's threads inherit the cores of the one that makes them.
            with on_cores(parameters.cores):
                engine = self._engine_factory(
                    variant=parameters.model,
                    checkpoint=parameters.checkpoint,
                    backend=parameters.backend,
                    device=parameters.device,
                    precision=parameters.precision,
                    threads=parameters.threads,
                )
                _warm_up(engine)
            self._outputs = Outputs(self)
        except Exception as error:
            return self._refuse("configure", error)
        self._engine = engine
        self.monitor.configured(engine.description)
        self.monitor.set_deadline(parameters.deadline)
        self.get_logger().info(f"configured: {engine.description}")
        return super().on_configure(state)

    def on_activate(self, state: LifecycleState) -> TransitionCallbackReturn:
        """Subscribe to the images and start to track."""
        assert self._engine is not None
        assert self._outputs is not None
        parameters = self._settings.current
        self._camera = None
        self.monitor.activated(time.monotonic())
        debug_image = self._outputs.debug_image
        try:
            self._session = TrackingSession(
                self._engine,
                parameters.tracker,
                self._on_report,
                max_targets=parameters.max_targets,
                history_bytes=parameters.history_bytes,
                stamp_tolerance=parameters.stamp_tolerance,
                on_error=self._on_tracking_error,
                cores=parameters.cores,
            )
            self._debug_view = DebugView(
                lambda: debug_image.get_subscription_count() > 0,
                debug_image.publish,
                self._on_tracking_error,
            )
            self._session.start()
            # A collection that looks at all that is loaded takes longer than a whole frame.
            gc.collect()
            gc.freeze()
            self._subscribe(parameters)
        except Exception as error:
            self._stop_tracking()
            return self._refuse("activate", error)
        self.get_logger().info(f"active: waiting for images on {self._image_topic}")
        return super().on_activate(state)

    def on_deactivate(self, state: LifecycleState) -> TransitionCallbackReturn:
        """Stop tracking and forget the targets."""
        self._stop_tracking()
        return super().on_deactivate(state)

    def on_cleanup(self, state: LifecycleState) -> TransitionCallbackReturn:
        """Free the engine and the publishers."""
        self._release()
        return super().on_cleanup(state)

    def on_shutdown(self, state: LifecycleState) -> TransitionCallbackReturn:
        """Stop and free everything."""
        self._release()
        return super().on_shutdown(state)

    def on_error(self, state: LifecycleState) -> TransitionCallbackReturn:
        """Go back to unconfigured, from where the node can be configured again."""
        self._release()
        return super().on_error(state)

    def destroy_node(self) -> None:
        """Stop the threads before what they publish with goes away."""
        self._stop_tracking()
        super().destroy_node()

    def _autostart(self) -> None:
        self.destroy_timer(self._start_timer)
        if self._engine is not None:  # somebody was quicker
            return
        if self.trigger_configure() == TransitionCallbackReturn.SUCCESS:
            self.trigger_activate()

    def _refuse(self, transition: str, error: Exception) -> TransitionCallbackReturn:
        kind = "" if isinstance(error, RuntimeError) else f"{type(error).__name__}: "
        text = f"cannot {transition}: {kind}{error}"
        self.monitor.setup_failed(text)
        name = self.get_fully_qualified_name()
        self.get_logger().error(f"{text}. Then try again: ros2 lifecycle set {name} {transition}")
        self.get_logger().debug(traceback.format_exc())
        return TransitionCallbackReturn.FAILURE

    def _subscribe(self, parameters: NodeParameters) -> None:
        # Resolved first, so that remapping `image` moves the compressed topic too.
        topic = self.resolve_topic_name("image")
        message_type: type[Any] = Image
        if parameters.image_transport == "compressed":
            topic, message_type = f"{topic}/compressed", CompressedImage
        self._image_topic = topic
        self._inputs += [
            create_watched_subscription(
                self, message_type, topic, self._on_image, self._on_image_mismatch
            ),
            create_watched_subscription(
                self, CameraInfo, "camera_info", self._on_camera_info, self._on_camera_mismatch
            ),
        ]

    def _stop_tracking(self) -> None:
        while self._inputs:
            self.destroy_subscription(self._inputs.pop())
        session, self._session = self._session, None
        if session is not None:
            session.stop()
        view, self._debug_view = self._debug_view, None
        if view is not None:
            view.stop()
        gc.unfreeze()
        self.monitor.deactivated()

    def _release(self) -> None:
        self._stop_tracking()
        outputs, self._outputs = self._outputs, None
        if outputs is not None:
            outputs.destroy()
        self._engine = None
        self.monitor.unconfigured()

    # Inputs, in the executor's thread

    def _on_image(self, message: Image | CompressedImage) -> None:
        received = time.perf_counter()
        session = self._session
        if session is None:
            return
        try:
            frame = frame_from_message(message)
            stamp = stamp_to_nanoseconds(message.header.stamp)
            gone = session.submit(frame, stamp, _FrameContext(message.header, received))
            # Only one thread runs Python at a time, and now the worker has what is urgent to do.
            time.sleep(_GIVE_WAY)
            del gone
        except ImageError as error:
            self.monitor.image_rejected(str(error), time.monotonic())
            self.get_logger().error(f"{error}", throttle_duration_sec=_LOG_PERIOD)
        except Exception as error:  # whatever a camera sends must not stop the node
            self._on_tracking_error(f"{type(error).__name__}: {error}")
        else:
            self.monitor.image_received(time.monotonic())

    def _on_camera_info(self, message: CameraInfo) -> None:
        try:
            rectified = self._settings.current.rectified
            self._camera = CameraModel.from_message(message, rectified=rectified)
        except CameraInfoError as error:
            self._camera = error

    def _on_image_mismatch(self, text: str) -> None:
        self.monitor.qos_mismatch(text, time.monotonic())
        self.get_logger().warning(text)

    def _on_camera_mismatch(self, text: str) -> None:
        self.monitor.camera_problem(text)
        self.get_logger().warning(text)

    def _on_parameters(self, parameters: NodeParameters) -> None:
        self.monitor.set_deadline(parameters.deadline)
        session = self._session
        if session is not None:
            session.configure(parameters.tracker)

    def _on_set_target(
        self, request: SetTarget.Request, response: SetTarget.Response
    ) -> SetTarget.Response:
        try:
            reply = self._set_target(request)
        except Exception as error:  # whatever a client sends must not stop the node
            text = f"the request failed ({type(error).__name__}: {error}); check its fields"
            reply = SetTargetReply(SetTargetCode.INTERNAL_ERROR, text, request.target_id)
        response.success = reply.success
        response.code = int(reply.code)
        response.message = reply.message
        response.target_id = reply.target_id
        response.stamp = nanoseconds_to_stamp(reply.stamp_ns)
        # Two calls: a logging call may not change its severity.
        if response.success:
            self.get_logger().info(f"set_target: {reply.message}")
        else:
            self.get_logger().warning(f"set_target: {reply.message}")
        return response

    def _set_target(self, request: SetTarget.Request) -> SetTargetReply:
        session = self._session
        if session is None:
            return SetTargetReply(
                SetTargetCode.NOT_ACTIVE, self._why_not_active(), request.target_id
            )
        if len(request.target_id) > _LONGEST_ID:
            # Every message would carry it.
            text = f"target_id has {len(request.target_id)} characters; use at most {_LONGEST_ID}"
            return SetTargetReply(SetTargetCode.INTERNAL_ERROR, text, "")
        centre, box = request.bbox.center.position, request.bbox
        return session.set_target(
            SetTargetCommand(
                target_id=request.target_id,
                cx=centre.x,
                cy=centre.y,
                width=box.size_x,
                height=box.size_y,
                normalized=request.normalized,
                stamp_ns=stamp_to_nanoseconds(request.header.stamp),
            )
        )

    def _why_not_active(self) -> str:
        transitions = "configure, then activate" if self._engine is None else "activate"
        name = self.get_fully_qualified_name()
        return f"the tracker is not active: ros2 lifecycle set {name} {transitions}"

    def _on_clear_target(
        self, request: ClearTarget.Request, response: ClearTarget.Response
    ) -> ClearTarget.Response:
        session = self._session
        try:
            if session is None:
                response.success, response.message = False, self._why_not_active()
            else:
                response.success, response.message = session.clear_target(request.target_id)
        except Exception as error:
            response.success = False
            response.message = f"the request failed ({type(error).__name__}: {error})"
        self.get_logger().info(f"clear_target: {response.message}")
        return response

    def _publish_diagnostics(self) -> None:
        name = self.get_fully_qualified_name().lstrip("/")
        message = DiagnosticArray()
        message.header.stamp = self.get_clock().now().to_msg()
        topic = self._image_topic
        publishers = self.count_publishers(topic) if topic else 0
        status = self.monitor.status(f"{name}: tracking", time.monotonic(), topic, publishers)
        message.status = [status]
        self._diagnostics.publish(message)

    # Results, in the session's thread

    def _on_report(self, report: FrameReport) -> None:
        try:
            self._publish(report)
        except Exception as error:
            if self.context.ok():  # at shutdown the publishers may go first
                self._on_tracking_error(f"{type(error).__name__}: {error}")

    def _publish(self, report: FrameReport) -> None:
        outputs, view = self._outputs, self._debug_view
        assert outputs is not None
        assert isinstance(report.context, _FrameContext)
        header, received = report.context
        class_id = self._settings.current.class_id
        outputs.publish_detection(header, report, class_id)
        published = time.perf_counter()
        state = outputs.publish_rest(header, report, class_id, self._rays(report))
        if view is not None:
            view.show(header, report.frame, report.results)
        overhead = published - received - report.inference_time
        self.monitor.frame_published(
            FrameTiming(state.latency, report.inference_time, overhead),
            {target_id: result.state for target_id, result in report.results.items()},
            (report.frames_received, report.frames_dropped),
            time.monotonic(),
        )

    def _rays(self, report: FrameReport) -> Rays:
        camera = self._camera
        if camera is None:
            return {}
        if isinstance(camera, CameraModel):
            try:
                camera = camera.scaled_to(report.frame.width, report.frame.height)
            except CameraInfoError as error:
                camera = error
        if isinstance(camera, CameraInfoError):
            self.monitor.camera_problem(str(camera))
            return {}
        self.monitor.camera_problem("")
        rays = {name: camera.box_ray(result.box) for name, result in report.results.items()}
        return {name: ray for name, ray in rays.items() if ray is not None}

    def _on_tracking_error(self, text: str) -> None:
        self.monitor.tracking_error(text, time.monotonic())
        self.get_logger().error(text, throttle_duration_sec=_LOG_PERIOD)


def _warm_up(engine: Engine) -> None:
    """Run an engine once: the first inference takes longer and shows whether it works at all."""
    template, search = (
        np.zeros((1, side, side, 3), np.uint8)
        for side in (engine.variant.template_size, engine.variant.search_size)
    )
    engine.locate(engine.encode_templates(template, template), search)


def main(args: list[str] | None = None) -> int:
    """Run the tracker node until it is interrupted.

    Args:
        args: Command line; ``None`` takes the process's own.

    Returns:
        Exit code: 0, or 1 if a start-up parameter is wrong.

    Raises:
        SystemExit: An argument for ROS is wrong.
    """
    try:
        with ros("tracker_node", args):
            spin(TrackerNode())
    except ParameterError as error:
        rclpy.logging.get_logger("tracker").fatal(str(error))
        return 1
    return 0
