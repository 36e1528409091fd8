# Copyright 2026 mixformer2_ros contributors
# SPDX-License-Identifier: Apache-2.0
"""Child processes that are watched while they run and never outlive their parent."""

from __future__ import annotations

import ctypes
import os
import signal
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

_TAIL = 15
_PATIENCE = 8.0
_PR_SET_PDEATHSIG = 1


class ChildError(RuntimeError):
    """A child process has died; the message says why."""


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
            ChildError: it died; with the end of its output.
        """
        code = self._running[name].poll()
        if code:
            how = f"exit code {code}" if code > 0 else f"signal {signal.Signals(-code).name}"
            raise ChildError(f"{name} died ({how}){self.last_words(name)}")
        return code == 0

    def pid(self, name: str) -> int:
        """Process id of what was started last under a name."""
        return self._running[name].pid

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
    return [sys.executable, "-c", code, *ros_arguments(parameters)]


def ros_arguments(parameters: Mapping[str, object], namespace: str = "") -> list[str]:
    """Arguments that give a node its parameters and its namespace.

    Args:
        parameters: strings, booleans and numbers.
        namespace: without slashes; empty for none.
    """
    arguments = ["--ros-args"]
    for name, value in parameters.items():
        # JSON is YAML; quoted, a path or number in a string stays a string.
        text = str(value).lower() if isinstance(value, bool) else str(value)
        quoted = "'" + text.replace("'", "''") + "'" if isinstance(value, str) else text
        arguments += ["-p", f"{name}:={quoted}"]
    return arguments + (["-r", f"__ns:=/{namespace}"] if namespace else [])


def _die_with_parent() -> None:
    """Let the kernel end a child even if its parent is killed outright (Linux only)."""
    if sys.platform == "linux":
        ctypes.CDLL(None, use_errno=True).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
