# Copyright 2026 mixformer2_ros contributors
# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import os
import select
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from mixformer2_ros.ros.processes import ChildError, Children, python_command

SLEEP = [sys.executable, "-c", "import time; print('up', flush=True); time.sleep(600)"]


def _await_end(children: Children, name: str) -> None:
    children._running[name].wait(20)


def _alive(pid: int) -> bool:
    """Whether a process runs; a zombie does not."""
    try:
        state = Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0]
    except FileNotFoundError:
        return False
    return state != "Z"


def test_a_dead_child_is_reported_with_its_last_words(tmp_path: Path) -> None:
    code = "import sys; print('all was well'); sys.exit('then it broke')"
    with Children(tmp_path / "log") as children:
        children.start("node", [sys.executable, "-c", code])
        _await_end(children, "node")
        with pytest.raises(ChildError, match=r"(?s)node died \(exit code 1\).*then it broke"):
            children.check("node")


def test_a_killed_child_is_reported_with_the_signal(tmp_path: Path) -> None:
    with Children(tmp_path) as children:
        children.start("node", SLEEP)
        assert children.check("node") is False
        os.kill(children.pid("node"), signal.SIGKILL)
        _await_end(children, "node")
        with pytest.raises(ChildError, match="SIGKILL"):
            children.check("node")


def test_a_child_that_ended_well_is_told_from_one_that_runs(tmp_path: Path) -> None:
    with Children(tmp_path) as children:
        children.start("node", [sys.executable, "-c", "pass"])
        _await_end(children, "node")
        assert children.check("node") is True


def test_nothing_is_left_after_an_error(tmp_path: Path) -> None:
    pids = []

    def fail() -> None:
        with Children(tmp_path) as children:
            for name in ("one", "two"):
                children.start(name, SLEEP)
                pids.append(children.pid(name))
            raise ValueError("something went wrong")

    with pytest.raises(ValueError, match="something"):
        fail()
    assert len(pids) == 2
    assert not any(_alive(pid) for pid in pids)


def test_a_child_that_ignores_signals_is_killed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("mixformer2_ros.ros.processes._PATIENCE", 0.2)
    code = (
        "import signal, time\n"
        "for s in (signal.SIGINT, signal.SIGTERM):\n    signal.signal(s, signal.SIG_IGN)\n"
        "print('deaf', flush=True)\ntime.sleep(600)\n"
    )
    with Children(tmp_path) as children:
        children.start("node", [sys.executable, "-u", "-c", code])
        process = children._running["node"]
        while not (tmp_path / "node.log").read_text():
            assert process.poll() is None
    assert process.returncode == -signal.SIGKILL


@pytest.mark.skipif(sys.platform != "linux", reason="needs prctl")
def test_children_die_with_a_parent_that_is_killed_outright(tmp_path: Path) -> None:
    code = (
        "import sys, time\nfrom pathlib import Path\n"
        "from mixformer2_ros.ros.processes import Children\n"
        f"children = Children(Path({str(tmp_path)!r})).__enter__()\n"
        f"children.start('node', {SLEEP!r})\n"
        "print(children._running['node'].pid, flush=True)\ntime.sleep(600)\n"
    )
    parent = subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, text=True)
    assert parent.stdout is not None
    child = int(parent.stdout.readline())
    assert _alive(child)
    pidfd = os.pidfd_open(child)
    parent.kill()
    parent.wait()
    parent.stdout.close()
    ended, _, _ = select.select([pidfd], [], [], 20)
    os.close(pidfd)
    assert ended


def test_parameters_reach_the_node_with_their_types() -> None:
    command = python_command("package.node", {"a": "it's 5", "b": 5, "c": True, "d": ""})
    assert command[0] == sys.executable
    assert "from package.node import main" in command[2]
    assert command[3:] == [
        "--ros-args", "-p", "a:='it''s 5'", "-p", "b:=5", "-p", "c:=true", "-p", "d:=''",
    ]  # fmt: skip
