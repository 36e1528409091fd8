# Copyright 2026 mixformer2_ros contributors
# SPDX-License-Identifier: Apache-2.0
"""`mixformer2 doctor`: what is installed, what is missing, and what to do about it."""

from __future__ import annotations

import argparse
import os
import platform
import subprocess
import sys
from collections.abc import Callable, Iterable, Iterator
from enum import Enum
from importlib import import_module
from importlib.metadata import PackageNotFoundError, version
from importlib.util import find_spec
from pathlib import Path
from typing import NamedTuple

from mixformer2_ros.checksums import file_sha256
from mixformer2_ros.inference import BACKENDS, ModelError, find_default_weights, processor
from mixformer2_ros.inference.cache import cache_folder
from mixformer2_ros.inference.selection import choose_backend
from mixformer2_ros.model.variants import VARIANTS

_LEAST_PYTHON = (3, 10)
# A raw 1080p image is 6 MB; the kernel's default of 208 KiB holds a thirtieth of it.
_LEAST_SOCKET_BUFFER = 2 << 20
_CV_BRIDGE_TIME = 60.0


class Level(Enum):
    """How bad it is; the value is what is printed."""

    OK = " ok "
    NOTE = "note"
    WARNING = "warn"
    MISSING = "FAIL"


class Finding(NamedTuple):
    """One line of the report."""

    level: Level
    text: str


Check = Callable[[], Iterable[Finding]]


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """`mixformer2 doctor` takes no arguments."""


def run(args: argparse.Namespace) -> int:
    """Print the report.

    Returns:
        1 when something essential is missing, else 0.
    """
    failures = 0
    for title, check in CHECKS.items():
        print(f"\n{title}")
        for finding in check():
            print(f"  [{finding.level.value}] {finding.text}")
            failures += finding.level is Level.MISSING
    print()
    if failures:
        print(f"{failures} essential thing(s) missing: see the lines marked FAIL.")
        return 1
    print("Everything essential is here.")
    return 0


def check_python() -> Iterator[Finding]:
    """Python itself and the libraries that every part needs."""
    found = platform.python_version()
    if sys.version_info[:2] < _LEAST_PYTHON:
        yield Finding(Level.MISSING, f"Python {found} is too old: use 3.10 or newer")
    else:
        yield Finding(Level.OK, f"Python {found} ({sys.executable})")
    for module, package in (("numpy", "numpy"), ("cv2", "opencv-python-headless")):
        try:
            loaded = import_module(module)
        except Exception as error:
            text = f"{module} cannot be imported ({error}): pip install {package}"
            yield Finding(Level.MISSING, text)
        else:
            yield Finding(Level.OK, f"{module} {loaded.__version__}")


def check_processor() -> Iterator[Finding]:
    """Cores and the vector instructions that inference speed depends on."""
    yield Finding(Level.OK, f"{platform.machine()}, {processor.cores()} cores for this process")
    if processor.processor_flags():
        yield Finding(Level.NOTE, f"vector instructions: {processor.describe_features()}")


def check_engines() -> Iterator[Finding]:
    """What can run the networks."""
    usable = 0
    for backend in BACKENDS:
        if find_spec(backend) is None:
            yield Finding(Level.NOTE, f"engine {backend}: not installed")
            continue
        try:
            text = _describe_torch() if backend == "torch" else _version_of(backend)
        except Exception as error:
            text = f"engine {backend}: installed, but it cannot be imported ({error})"
            yield Finding(Level.WARNING, text)
            continue
        usable += 1
        yield Finding(Level.OK, f"engine {backend}: {text}")
    if not usable:
        cure = "pip install 'mixformer2_ros[openvino]' ([onnx] on ARM processors)"
        yield Finding(Level.MISSING, f"no engine can run the networks: {cure}")
        return
    try:
        backend, device, reason = choose_backend("auto", "auto")
        yield Finding(Level.NOTE, f"backend auto is {backend} on device {device}{reason}")
    except (ModelError, ImportError) as error:
        yield Finding(Level.WARNING, f"backend auto finds nothing: {error}")
    if find_spec("onnx") is None:
        yield Finding(
            Level.WARNING,
            "onnx is not installed: OpenVINO and ONNX Runtime then start only from a folder that "
            "mixformer2 export made elsewhere; pip install onnx",
        )
    yield Finding(Level.NOTE, f"networks made ready are kept in {cache_folder()}")


def check_gpu() -> Iterator[Finding]:
    """NVIDIA's GPUs and what runs on them."""
    from mixformer2_ros import doctor_gpu

    yield from doctor_gpu.check_gpu()


def _version_of(package: str) -> str:
    try:
        return version(package)
    except PackageNotFoundError:
        return str(getattr(import_module(package), "__version__", "version unknown"))


def _describe_torch() -> str:
    import torch

    if not torch.cuda.is_available():
        return f"{torch.__version__}, on the processor only (no CUDA device is usable)"
    names = {torch.cuda.get_device_name(index) for index in range(torch.cuda.device_count())}
    return f"{torch.__version__}, CUDA {torch.version.cuda} on {', '.join(sorted(names))}"


def check_weights() -> Iterator[Finding]:
    """The default weights of every variant."""
    found = 0
    for variant in VARIANTS:
        path = find_default_weights(variant)
        if path is None:
            text = f"{variant}: no default weights here (a checkpoint of your own works)"
            yield Finding(Level.NOTE, text)
            continue
        found += 1
        digest = file_sha256(path)
        size = path.stat().st_size / 1e6
        yield Finding(Level.OK, f"{variant}: {path} ({size:.1f} MB, sha256 {digest})")
    if not found:
        yield Finding(
            Level.MISSING,
            "no default weights at all: reinstall the package with its models/ folder, or give "
            "every command and node a checkpoint",
        )


def check_ros() -> Iterator[Finding]:
    """ROS 2, its middleware, and this package's messages."""
    distribution = os.environ.get("ROS_DISTRO", "")
    if find_spec("rclpy") is None:
        if distribution:
            yield Finding(
                Level.MISSING,
                f"ROS 2 {distribution} is sourced, but {sys.executable} has no rclpy: use the "
                "distribution's Python, or a virtual environment made with --system-site-packages",
            )
        else:
            yield Finding(
                Level.NOTE,
                "no ROS 2 here: the mixformer2 commands work, the nodes do not (source "
                "/opt/ros/<distribution>/setup.bash to have them)",
            )
        return
    try:
        from rclpy.utilities import get_rmw_implementation_identifier

        middleware = get_rmw_implementation_identifier()
    except Exception as error:
        yield Finding(Level.MISSING, f"rclpy cannot be imported: {error}")
        return
    name = distribution or "of an unnamed distribution"
    yield Finding(Level.OK, f"ROS 2 {name}, rclpy and {middleware}")
    yield Finding(Level.NOTE, _domain())
    for module, cure in (
        ("vision_msgs.msg", "install ros-<distribution>-vision-msgs"),
        ("mixformer2_ros.msg", "colcon build this package and source install/setup.bash"),
        ("mixformer2_ros.srv", "colcon build this package and source install/setup.bash"),
    ):
        try:
            import_module(module)
        except ImportError as error:
            yield Finding(Level.MISSING, f"{module} cannot be imported ({error}): {cure}")
        else:
            yield Finding(Level.OK, f"{module} is built")


def _domain() -> str:
    domain = os.environ.get("ROS_DOMAIN_ID") or "0"
    reach = os.environ.get("ROS_AUTOMATIC_DISCOVERY_RANGE", "").upper()
    if os.environ.get("ROS_LOCALHOST_ONLY") == "1" or reach == "LOCALHOST":
        where = "this machine only"
    else:
        where = "other machines in this network too" if reach != "OFF" else "nobody"
    return f"ROS_DOMAIN_ID {domain}; nodes see {where}"


def check_cv_bridge() -> Iterator[Finding]:
    """cv_bridge, which this package needs for unusual encodings only, and its NumPy."""
    if find_spec("cv_bridge") is None:
        text = "cv_bridge is not here; it is only needed for encodings that this package lacks"
        yield Finding(Level.NOTE, text)
        return
    # In a process of its own: built for another NumPy, it may crash rather than raise.
    code = "import numpy; from cv_bridge.boost import cv_bridge_boost"
    try:
        done = subprocess.run(
            [sys.executable, "-c", code], capture_output=True, text=True, timeout=_CV_BRIDGE_TIME
        )
        problem = "" if done.returncode == 0 else (done.stderr.strip() or "it crashed")
    except subprocess.TimeoutExpired:
        problem = "it hangs"
    if problem:
        yield Finding(
            Level.WARNING,
            f"cv_bridge does not work here ({problem.splitlines()[-1]}): the distribution's build "
            "needs NumPy 1 (pip install 'numpy<2'); common encodings work without cv_bridge",
        )
    else:
        yield Finding(Level.OK, "cv_bridge works with this NumPy")


def check_transport(
    path: Path = Path("/proc/sys/net/core/rmem_max"),
) -> Iterator[Finding]:
    """Advice on how images arrive.

    Args:
        path: the kernel's largest receive buffer.
    """
    yield Finding(
        Level.NOTE,
        "QoS: the tracker subscribes best effort with depth 1, which matches every camera; "
        "subscribe to its results reliable or best effort, both match. To change the tracker's "
        "side: qos_overrides./<topic>.subscription.reliability in the parameter file",
    )
    try:
        size = int(path.read_text())
    except (OSError, ValueError):
        return
    if size < _LEAST_SOCKET_BUFFER:
        yield Finding(
            Level.WARNING,
            f"the kernel's receive buffer is limited to {size >> 10} KiB: large raw images may be "
            "lost between machines; sudo sysctl -w net.core.rmem_max=8388608, or use compressed "
            "images",
        )
    else:
        yield Finding(Level.OK, f"the kernel allows receive buffers of {size >> 10} KiB")


CHECKS: dict[str, Check] = {
    "Python": check_python,
    "Processor": check_processor,
    "Engines": check_engines,
    "NVIDIA GPU": check_gpu,
    "Default weights": check_weights,
    "ROS 2": check_ros,
    "cv_bridge": check_cv_bridge,
    "Image transport": check_transport,
}
