# Copyright 2026 mixformer2_ros contributors
# SPDX-License-Identifier: Apache-2.0
"""Child processes that are watched while they run and never outlive their parent."""

from __future__ import annotations

import ctypes
import os
import shutil
import signal
import socket
import subprocess
import sys
from collections.abc import Sequence
from importlib.util import find_spec
from pathlib import Path

_TAIL = 15
_PATIENCE = 8.0
_PR_SET_PDEATHSIG = 1
# Each of the three processes takes 32 MiB.
_LEAST_SHARED_MEMORY = 128 << 20


class DemoError(RuntimeError):
    """The demo cannot go on; the message says why."""


class Children:
    """Starts processes, says why one died, and stops all of them at the end.

    Args:
        folder: where each process's output goes, as `<name>.log`.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._running: dict[str, subprocess.Popen[bytes]] = {}

    def __enter__(self) -> Children:
        """Make the folder."""
        self._folder.mkdir(parents=True, exist_ok=True)
        return self

    def __exit__(self, *_: object) -> None:
        """Stop what still runs, the youngest first."""
        for name in reversed(list(self._running)):
            self.stop(name)

    def start(self, name: str, command: Sequence[str]) -> None:
        """Start a process.

        Args:
            name: what it is called in messages and its log.
            command: program and arguments.
        """
        with self._log(name).open("wb") as log:
            # A session of its own: Ctrl-C reaches this process alone, which stops the others.
            self._running[name] = subprocess.Popen(
                command,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,
                preexec_fn=_die_with_parent,
            )

    def check(self, name: str) -> bool:
        """Whether a process has ended well.

        Returns:
            False while it runs, True after exit code 0.

        Raises:
            DemoError: it died; with the end of its output.
        """
        code = self._running[name].poll()
        if code:
            how = f"exit code {code}" if code > 0 else f"signal {signal.Signals(-code).name}"
            raise DemoError(f"{name} died ({how}){self.last_words(name)}")
        return code == 0

    def last_words(self, name: str) -> str:
        """End of a process's output, with a line that says where the rest is."""
        lines = self._log(name).read_text(errors="replace").splitlines()[-_TAIL:]
        if not lines:
            return f"; it wrote nothing to {self._log(name)}"
        text = "\n".join(f"    {line}" for line in lines)
        return f"; the end of {self._log(name)}:\n{text}"

    def stop(self, name: str) -> None:
        """Interrupt a process, and kill it if that does not help."""
        process = self._running[name]
        for kind in (signal.SIGINT, signal.SIGTERM):
            if process.poll() is None:
                process.send_signal(kind)
                try:
                    process.wait(_PATIENCE)
                except subprocess.TimeoutExpired:
                    continue
        if process.poll() is None:
            os.killpg(process.pid, signal.SIGKILL)
            process.wait()

    def _log(self, name: str) -> Path:
        return self._folder / f"{name}.log"


def python_command(module: str, parameters: dict[str, object]) -> list[str]:
    """Command line that runs a node's `main` with this interpreter.

    Args:
        module: module of the node.
        parameters: ROS parameters; strings, booleans and numbers.
    """
    code = f"import sys; from {module} import main; sys.exit(main())"
    command = [sys.executable, "-c", code, "--ros-args"]
    for name, value in parameters.items():
        # JSON is YAML; quoted, a path or number in a string stays a string.
        text = str(value).lower() if isinstance(value, bool) else str(value)
        quoted = "'" + text.replace("'", "''") + "'" if isinstance(value, str) else text
        command += ["-p", f"{name}:={quoted}"]
    return command


def free_domain() -> int:
    """A ROS domain in which no one on this machine seems to be.

    The first process of domain d listens on UDP port 7400 + 250 d + 10 (DDSI-RTPS, 9.6.1.1).
    Domains above 101 would use ports that Linux hands out.
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
    raise DemoError("every ROS domain of this machine is in use: stop some ROS 2 processes")


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


def _die_with_parent() -> None:
    """Let the kernel end a child even if its parent is killed outright (Linux only)."""
    if sys.platform == "linux":
        ctypes.CDLL(None, use_errno=True).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
