# Copyright 2026 mixformer2_ros contributors
# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import hashlib
import sys
from collections.abc import Iterable
from pathlib import Path

import pytest

from mixformer2_ros import cli, doctor
from mixformer2_ros.doctor import Finding, Level


def _levels(findings: Iterable[Finding]) -> list[Level]:
    return [finding.level for finding in findings]


def _text(findings: Iterable[Finding]) -> str:
    return "\n".join(finding.text for finding in findings)


def _pretend_missing(monkeypatch: pytest.MonkeyPatch, *names: str) -> None:
    real = doctor.find_spec
    monkeypatch.setattr(doctor, "find_spec", lambda name: None if name in names else real(name))


def test_this_installation_has_python_and_its_libraries() -> None:
    findings = list(doctor.check_python())
    assert _levels(findings) == [Level.OK] * 3
    assert "numpy" in _text(findings)


def test_old_python_and_missing_library_are_failures(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "version_info", (3, 8, 0))
    monkeypatch.setitem(sys.modules, "cv2", None)
    findings = list(doctor.check_python())
    assert _levels(findings) == [Level.MISSING, Level.OK, Level.MISSING]
    assert "opencv-python-headless" in findings[2].text


def test_no_engine_is_a_failure(monkeypatch: pytest.MonkeyPatch) -> None:
    _pretend_missing(monkeypatch, *doctor.BACKENDS)
    findings = list(doctor.check_engines())
    assert findings[-1].level is Level.MISSING
    assert "pip install" in findings[-1].text


def test_weights_are_named_with_their_hash(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    weights = tmp_path / "small.safetensors"
    weights.write_bytes(b"weights")
    monkeypatch.setattr(
        doctor, "find_default_weights", lambda name: weights if name == "small" else None
    )
    findings = list(doctor.check_weights())
    assert sorted(level.name for level in _levels(findings)) == ["NOTE", "OK"]
    assert hashlib.sha256(b"weights").hexdigest() in _text(findings)


def test_no_weights_are_a_failure(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(doctor, "find_default_weights", lambda name: None)
    assert list(doctor.check_weights())[-1].level is Level.MISSING


def test_without_ros_only_a_note(monkeypatch: pytest.MonkeyPatch) -> None:
    _pretend_missing(monkeypatch, "rclpy")
    monkeypatch.delenv("ROS_DISTRO", raising=False)
    assert _levels(doctor.check_ros()) == [Level.NOTE]


def test_sourced_ros_without_rclpy_is_a_failure(monkeypatch: pytest.MonkeyPatch) -> None:
    _pretend_missing(monkeypatch, "rclpy")
    monkeypatch.setenv("ROS_DISTRO", "jazzy")
    findings = list(doctor.check_ros())
    assert _levels(findings) == [Level.MISSING]
    assert "jazzy" in findings[0].text


def test_with_ros_middleware_domain_and_messages_are_named(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    pytest.importorskip("rclpy", reason="ROS 2 is not here: source it or use make test")
    pytest.importorskip("mixformer2_ros.srv", reason="the messages are not built")
    monkeypatch.setenv("ROS_DOMAIN_ID", "42")
    monkeypatch.setenv("ROS_AUTOMATIC_DISCOVERY_RANGE", "LOCALHOST")
    findings = list(doctor.check_ros())
    assert Level.MISSING not in _levels(findings)
    text = _text(findings)
    assert "rmw_" in text
    assert "42" in text
    assert "this machine only" in text


def test_messages_that_are_not_built_are_a_failure(monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("rclpy", reason="ROS 2 is not here: source it or use make test")
    monkeypatch.setitem(sys.modules, "mixformer2_ros.srv", None)
    findings = [finding for finding in doctor.check_ros() if finding.level is Level.MISSING]
    assert "colcon build" in _text(findings)


def test_cv_bridge_that_crashes_is_a_warning_with_its_cure(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    package = tmp_path / "cv_bridge" / "boost"
    package.mkdir(parents=True)
    (package.parent / "__init__.py").touch()
    (package / "__init__.py").touch()
    broken = package / "cv_bridge_boost.py"
    broken.write_text("raise ImportError('numpy.core.multiarray failed to import')\n")
    monkeypatch.syspath_prepend(str(tmp_path))
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    findings = list(doctor.check_cv_bridge())
    assert _levels(findings) == [Level.WARNING]
    assert "numpy<2" in findings[0].text
    assert "multiarray" in findings[0].text
    broken.write_text("")
    assert _levels(doctor.check_cv_bridge()) == [Level.OK]


def test_small_receive_buffers_are_warned_of(tmp_path: Path) -> None:
    path = tmp_path / "rmem_max"
    path.write_text("212992\n")
    findings = list(doctor.check_transport(path))
    assert _levels(findings) == [Level.NOTE, Level.WARNING]
    assert "208 KiB" in findings[1].text
    path.write_text("8388608\n")
    assert _levels(doctor.check_transport(path)) == [Level.NOTE, Level.OK]


def test_exit_code_tells_whether_something_essential_is_missing(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    good = {"A": lambda: [Finding(Level.OK, "fine"), Finding(Level.WARNING, "so so")]}
    monkeypatch.setattr(doctor, "CHECKS", good)
    assert cli.main(["doctor"]) == 0
    assert "[ ok ] fine" in capsys.readouterr().out
    monkeypatch.setattr(doctor, "CHECKS", {**good, "B": lambda: [Finding(Level.MISSING, "gone")]})
    assert cli.main(["doctor"]) == 1
    assert "[FAIL] gone" in capsys.readouterr().out
