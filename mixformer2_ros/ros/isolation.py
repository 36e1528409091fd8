# Copyright 2026 mixformer2_ros contributors
# SPDX-License-Identifier: Apache-2.0
"""Runs of their own: apart from every other ROS 2 system, with room for whole images."""

from __future__ import annotations

import os
import shutil
import socket
from importlib.util import find_spec
from pathlib import Path

# A demo's three processes take 32 MiB each.
_LEAST_SHARED_MEMORY = 128 << 20


def free_domain() -> int:
    """A ROS domain in which no one on this machine seems to be.

    The first process of domain d listens on UDP port 7400 + 250 d + 10 (DDSI-RTPS, 9.6.1.1).
    Domains above 101 would use ports that Linux hands out.

    Raises:
        RuntimeError: There is none.
    """
    start = os.getpid() % 100
    for step in range(100):
        domain = 1 + (start + step) % 100
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
            try:
                probe.bind(("", 7400 + 250 * domain + 10))
            except OSError:
                continue
            return domain
    raise RuntimeError("every ROS domain of this machine is in use: stop some ROS 2 processes")


def isolate() -> None:
    """Keep this process and its children away from every other ROS 2 system."""
    os.environ["ROS_DOMAIN_ID"] = str(free_domain())
    os.environ["ROS_AUTOMATIC_DISCOVERY_RANGE"] = "LOCALHOST"
    os.environ.pop("ROS_STATIC_PEERS", None)


def make_room_for_images() -> bool:
    """Let Fast DDS pass whole images through shared memory, unless the user has set a profile.

    Returns:
        Whether there is such a profile and room for it; without it, a busy machine loses most of
        the images that are sent best effort.
    """
    # Humble's Fast DDS knows the older name only, and later ones warn of it.
    older = find_spec("rclpy.event_handler") is None
    variable = "FASTRTPS_DEFAULT_PROFILES_FILE" if older else "FASTDDS_DEFAULT_PROFILES_FILE"
    if variable in os.environ:
        return True
    package = Path(__file__).resolve().parents[1]
    shares = [parent / "share" / "mixformer2_ros" for parent in package.parents]
    files = [folder / "config" / "fastdds.xml" for folder in (package.parent, *shares)]
    profile = next((path for path in files if path.is_file()), None)
    try:
        room = shutil.disk_usage("/dev/shm").free > _LEAST_SHARED_MEMORY
    except OSError:
        room = False
    if profile is None or not room:
        return False
    os.environ[variable] = str(profile)
    return True
