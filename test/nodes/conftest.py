# Copyright 2026 mixformer2_ros contributors
# SPDX-License-Identifier: Apache-2.0
"""A tracker node and a client that talk over real middleware, each spun by its own thread."""

from __future__ import annotations

import os
import socket
import threading
import time
from dataclasses import replace

import numpy as np
import pytest

os.environ["ROS_AUTOMATIC_DISCOVERY_RANGE"] = "LOCALHOST"

SIZE = (120, 160)
BACKGROUND = 40
TIMEOUT = 20.0


@pytest.fixture(scope="session")
def domain_id():
    """A ROS domain that no other test process on this machine uses."""
    for domain in range(1, 100):
        guard = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        try:
            guard.bind(f"\0mixformer2_ros test domain {domain}")
        except OSError:
            guard.close()
            continue
        yield domain
        guard.close()
        return
    pytest.fail("no free ROS domain")


class BlobEngine:
    """Finds the colour of the template's centre: a deterministic network in a millisecond.

    ``gate`` blocks the forward while it is cleared; ``failure`` makes it raise.
    """

    description = "colour blobs on numpy"

    def __init__(self):
        from mixformer2_ros.model.variants import SMALL

        self.variant = replace(SMALL, search_size=128, template_size=64)
        self.gate = threading.Event()
        self.gate.set()
        self.entered = threading.Event()
        self.failure = None
        self.batches = []

    def encode_templates(self, templates, online_templates):
        centre = slice(28, 36)
        return [template[centre, centre].mean(axis=(0, 1)) for template in templates]

    def locate(self, memories, crops):
        from mixformer2_ros.inference import Locations

        self.entered.set()
        if not self.gate.wait(TIMEOUT):
            raise RuntimeError("the test left the engine blocked")
        if self.failure is not None:
            raise self.failure
        self.batches.append(len(crops))
        boxes, scores = zip(*map(self._find, memories, crops), strict=True)
        edges = np.zeros((len(crops), 4, 96), np.float32)
        return Locations(np.array(boxes), np.array(scores), edges)

    @staticmethod
    def _find(colour, crop):
        like = np.abs(crop.astype(float) - colour).max(axis=2) < 60
        if like.sum() < 12:
            return (0.5, 0.5, 0.2, 0.2), 0.05
        rows, columns = np.flatnonzero(like.any(axis=1)), np.flatnonzero(like.any(axis=0))
        side = len(crop)
        x1, x2, y1, y2 = columns[0], columns[-1] + 1, rows[0], rows[-1] + 1
        box = (x1 + x2) / 2 / side, (y1 + y2) / 2 / side, (x2 - x1) / side, (y2 - y1) / side
        return box, 0.95


def picture(*boxes, size=SIZE, colours=((220, 40, 30), (30, 60, 220), (40, 210, 60))):
    """RGB image of dark background with one coloured rectangle (x, y, w, h) per box."""
    image = np.full((*size, 3), BACKGROUND, np.uint8)
    for (x, y, width, height), colour in zip(boxes, colours, strict=False):
        image[y : y + height, x : x + width] = colour
    return image


class Bench:
    """A tracker node, a client, and what the client has heard.

    The image subscription is reliable here, so that every frame a test sends arrives.
    """

    def __init__(self, domain, engine, parameters, namespace, cli_args, factory, reliable):
        import rclpy
        from diagnostic_msgs.msg import DiagnosticArray
        from geometry_msgs.msg import Vector3Stamped
        from lifecycle_msgs.srv import ChangeState, GetState
        from rcl_interfaces.srv import DescribeParameters, SetParametersAtomically
        from rclpy.executors import SingleThreadedExecutor
        from rclpy.parameter import Parameter
        from sensor_msgs.msg import CameraInfo, CompressedImage, Image
        from vision_msgs.msg import Detection2D, Detection2DArray

        from mixformer2_ros.msg import TrackerState
        from mixformer2_ros.nodes.tracker_node import TrackerNode
        from mixformer2_ros.srv import ClearTarget, SetTarget

        self.engine = engine
        self.errors = []
        self.heard = {}
        self._changed = threading.Condition()
        self._stamp = 1_000_000_000
        self._handshakes = 0
        self.context = rclpy.Context()
        rclpy.init(context=self.context, domain_id=domain)
        space = f"/{namespace}" if namespace else ""
        values = {"diagnostics_period": 0.1, **parameters}
        if reliable:
            values[f"qos_overrides.{space}/image.subscription.reliability"] = "reliable"
            values[f"qos_overrides.{space}/image.subscription.depth"] = 10
        self.client = rclpy.create_node("client", context=self.context, namespace=namespace)
        self.publishers = {
            "image": self.client.create_publisher(Image, "image", 10),
            "image/compressed": self.client.create_publisher(
                CompressedImage, "image/compressed", 10
            ),
            "camera_info": self.client.create_publisher(CameraInfo, "camera_info", 10),
        }
        for name, kind in {
            "tracker/detection": Detection2D,
            "tracker/detections": Detection2DArray,
            "tracker/state": TrackerState,
            "tracker/target_direction": Vector3Stamped,
            "/diagnostics": DiagnosticArray,
        }.items():
            self.listen(name, kind)
        self.services = {
            name: self.client.create_client(kind, f"tracker/{name}")
            for name, kind in {
                "set_target": SetTarget,
                "clear_target": ClearTarget,
                "change_state": ChangeState,
                "get_state": GetState,
                "set_parameters_atomically": SetParametersAtomically,
                "describe_parameters": DescribeParameters,
            }.items()
        }
        self.tracker = TrackerNode(
            factory or (lambda **_: engine),
            context=self.context,
            namespace=namespace,
            cli_args=cli_args,
            parameter_overrides=[Parameter(name, value=value) for name, value in values.items()],
        )
        self.threads = []
        self.executors = []
        for node in (self.client, self.tracker):
            executor = SingleThreadedExecutor(context=self.context)
            executor.add_node(node)
            thread = threading.Thread(target=self._spin, args=(executor,), daemon=True)
            thread.start()
            self.executors.append(executor)
            self.threads.append(thread)

    def _spin(self, executor):
        from rclpy.executors import ExternalShutdownException

        try:
            executor.spin()
        except ExternalShutdownException:
            pass
        except BaseException as error:
            self.errors.append(error)

    # What the client hears

    def listen(self, name, kind):
        heard = self.heard[name.removeprefix("tracker/")] = []

        def store(message):
            with self._changed:
                heard.append(message)
                self._changed.notify_all()

        return self.client.create_subscription(kind, name, store, 100)

    def wait(self, condition, what="the condition"):
        """Wait until the condition gives something true, and return that."""
        deadline = time.monotonic() + TIMEOUT
        with self._changed:
            while not (value := condition()):
                assert not self.errors, self.errors
                assert time.monotonic() < deadline, f"waited {TIMEOUT} s for {what}"
                # Not everything that is waited for is a message: look again now and then.
                self._changed.wait(0.02)
        return value

    def with_stamp(self, name, stamp):
        """The message of a topic with this header stamp, or None."""
        found = [m for m in self.heard[name] if nanoseconds(m.header.stamp) == stamp]
        return found[0] if found else None

    def diagnostics(self, condition, what):
        """Wait for a status that fulfils the condition, from now on."""
        seen = len(self.heard["/diagnostics"])
        return self.wait(
            lambda: next(
                (
                    message.status[0]
                    for message in self.heard["/diagnostics"][seen:]
                    if condition(message.status[0])
                ),
                None,
            ),
            what,
        )

    # What the client does

    def call(self, service, **fields):
        client = self.services[service]
        assert client.wait_for_service(timeout_sec=TIMEOUT), f"no service {service}"
        done = threading.Event()
        future = client.call_async(client.srv_type.Request(**fields))
        future.add_done_callback(lambda _: done.set())
        assert done.wait(TIMEOUT), f"no answer from {service}"
        return future.result()

    def lifecycle(self, name):
        from lifecycle_msgs.msg import Transition

        transition = Transition(id=getattr(Transition, f"TRANSITION_{name.upper()}"))
        return self.call("change_state", transition=transition).success

    def lifecycle_state(self):
        return self.call("get_state").current_state.label

    def set_parameters(self, **values):
        from rclpy.parameter import Parameter

        parameters = [
            Parameter(name.replace("__", "."), value=value).to_parameter_msg()
            for name, value in values.items()
        ]
        return self.call("set_parameters_atomically", parameters=parameters).result

    def set_target(self, box, stamp=0, target_id="", normalized=False):
        """Call ~/set_target with a box x, y, w, h."""
        from vision_msgs.msg import BoundingBox2D

        from mixformer2_ros.ros.messages import nanoseconds_to_stamp

        x, y, width, height = (float(value) for value in box)
        bbox = BoundingBox2D(size_x=width, size_y=height)
        bbox.center.position.x, bbox.center.position.y = x + width / 2, y + height / 2
        header = {"stamp": nanoseconds_to_stamp(stamp)}
        return self.call(
            "set_target",
            header=self.header(**header),
            target_id=target_id,
            bbox=bbox,
            normalized=normalized,
        )

    @staticmethod
    def header(stamp=None, frame_id=""):
        from builtin_interfaces.msg import Time
        from std_msgs.msg import Header

        return Header(stamp=stamp or Time(), frame_id=frame_id)

    def message(self, rgb, stamp=None, frame_id="camera", encoding="rgb8"):
        """Image message with the given stamp (ns) or one a thirtieth second later than the last."""
        from mixformer2_ros.ros.images import rgb_to_message
        from mixformer2_ros.ros.messages import nanoseconds_to_stamp

        if stamp is None:
            stamp = self._stamp + 33_333_333
        self._stamp = stamp
        header = self.header(nanoseconds_to_stamp(stamp), frame_id)
        return rgb_to_message(rgb, header, encoding)

    def send(self, message, topic="image"):
        """Publish a message and wait for the state of its frame."""
        self.publishers[topic].publish(message)
        stamp = nanoseconds(message.header.stamp)
        return self.wait(lambda: self.with_stamp("state", stamp), f"the state of frame {stamp}")

    def show(self, rgb, stamp=None, **options):
        """Publish an RGB image and wait for its state."""
        return self.send(self.message(rgb, stamp, **options))

    def connect(self, topic="image"):
        """Wait until the node is active and images and results really get through."""
        from mixformer2_ros.ros.images import rgb_to_compressed_message

        self.wait(lambda: self.lifecycle_state_label() == "active", "the node to be active")
        outputs = self.tracker._outputs
        watched = [outputs.detection, outputs.detections, outputs.state, outputs.direction]
        self.wait(
            lambda: all(publisher.get_subscription_count() for publisher in watched),
            "the client's subscriptions",
        )

        def answered():
            self._handshakes += 1
            message = self.message(picture(), self._handshakes * 1_000_000)
            if topic != "image":
                message = rgb_to_compressed_message(picture(), message.header)
            self.publishers[topic].publish(message)
            self._changed.wait(0.1)
            return any(nanoseconds(m.header.stamp) < 1_000_000_000 for m in self.heard["state"])

        self.wait(answered, "the first image to arrive")
        self._stamp = 1_000_000_000
        return self

    def lifecycle_state_label(self):
        return self.tracker._state_machine.current_state[1]

    def track(self, box, **options):
        """Set the target on a picture of a box and show that until it is tracked."""
        self.show(picture(box))
        reply = self.set_target(box, **options)
        assert reply.success, reply.message
        for _ in range(50):
            target = self.target(self.show(picture(box)), reply.target_id)
            if target is not None and target.state == target.TRACKING:
                return target
        raise AssertionError(f"{reply.target_id} is not tracked after 50 frames")

    @staticmethod
    def target(state, target_id):
        """The state of one target in a TrackerState, or None."""
        return next((t for t in state.targets if t.target_id == target_id), None)

    def close(self):
        self.engine.gate.set()
        for executor in self.executors:
            executor.shutdown(timeout_sec=TIMEOUT)
        for thread in self.threads:
            thread.join(TIMEOUT)
        self.tracker.destroy_node()
        self.client.destroy_node()
        self.context.try_shutdown()
        assert not self.errors, self.errors


def nanoseconds(stamp):
    return stamp.sec * 1_000_000_000 + stamp.nanosec


@pytest.fixture
def make_bench(domain_id):
    """Return a function that starts a tracker node and a client; they stop with the test."""
    benches = []

    def make(
        parameters=None, namespace="", cli_args=None, factory=None, engine=None, reliable=True
    ):
        bench = Bench(
            domain_id,
            engine or BlobEngine(),
            parameters or {},
            namespace,
            cli_args,
            factory,
            reliable,
        )
        benches.append(bench)
        return bench

    yield make
    for bench in benches:
        bench.close()


@pytest.fixture
def bench(make_bench):
    """A running tracker node with its default parameters, connected to a client."""
    return make_bench().connect()


@pytest.fixture(scope="session")
def draw():
    """The function that draws test pictures: see ``picture``."""
    return picture
