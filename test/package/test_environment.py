# Copyright 2026 mixformer2_ros contributors
# SPDX-License-Identifier: Apache-2.0
"""The decisions that make takes about the environment."""

from __future__ import annotations

import importlib.util
import os
import subprocess
import sys
from pathlib import Path
from types import ModuleType

import pytest

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture(scope="module")
def environment() -> ModuleType:
    spec = importlib.util.spec_from_file_location("environment", ROOT / "tools" / "environment.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    # Dataclasses look their module up by its name.
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    return module


@pytest.fixture
def any_python(environment: ModuleType, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(environment, "wheel_python", lambda base, environ: base)


@pytest.mark.usefixtures("any_python")
@pytest.mark.parametrize(
    ("environ", "name", "venv"),
    [
        ({}, "kilted", ".venv"),
        ({"ROS_WHEELS": "jazzy"}, "jazzy", ".venv-jazzy"),
        ({"ROS_WHEELS": "jazzy", "MIXFORMER2_ENV": "kilted"}, "jazzy", ".venv-jazzy"),
        ({"MIXFORMER2_ENV": "jazzy"}, "jazzy", ".venv-jazzy"),
        ({"MIXFORMER2_ENV": "ros-humble"}, "ros-humble", ".venv-ros-humble"),
        (
            {
                "ROS_WHEELS": "kilted",
                "ROS_DISTRO": "humble",
                "AMENT_PREFIX_PATH": "/opt/ros/humble",
            },
            "kilted",
            ".venv",
        ),
    ],
)
def test_environment_is_chosen_by_the_variables(
    environment: ModuleType, environ: dict[str, str], name: str, venv: str
) -> None:
    plan = environment.choose(environ)
    assert (plan.name, plan.venv.name) == (name, venv)


@pytest.mark.usefixtures("any_python")
def test_sourced_ros_is_used_where_its_rclpy_can_be_found(
    environment: ModuleType, monkeypatch: pytest.MonkeyPatch
) -> None:
    sourced = {"ROS_DISTRO": "humble", "AMENT_PREFIX_PATH": "/opt/ros/humble"}
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: object())
    assert environment.choose(sourced).name == "ros-humble"
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    assert environment.choose(sourced).name == "kilted"


def test_unknown_distribution_is_refused_with_the_known_ones(environment: ModuleType) -> None:
    with pytest.raises(environment.SetupError, match=r"ROS_WHEELS=foxy.*kilted, jazzy"):
        environment.choose({"ROS_WHEELS": "foxy"})


def test_other_machines_are_told_to_source_an_installation(
    environment: ModuleType, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(environment.platform, "machine", lambda: "aarch64")
    with pytest.raises(environment.SetupError, match=r"aarch64.*Source an installed ROS 2"):
        environment.choose({})


def test_python_without_headers_is_refused(environment: ModuleType, tmp_path: Path) -> None:
    fake = tmp_path / "python3"
    fake.write_text(f"#!/bin/sh\necho 3 11\necho {tmp_path}\n")
    fake.chmod(0o755)
    assert "headers are missing" in environment.unsuitable(fake)
    (tmp_path / "Python.h").touch()
    assert environment.unsuitable(fake) is None
    fake.write_text(f"#!/bin/sh\necho 3 14\necho {tmp_path}\n")
    assert "version 3.14" in environment.unsuitable(fake)


def test_libraries_of_another_ros_are_left_behind(environment: ModuleType) -> None:
    environ = {
        "AMENT_PREFIX_PATH": "/opt/ros/humble",
        "LD_LIBRARY_PATH": f"/opt/ros/humble/lib:/usr/local/cuda/lib64::{ROOT}/.venv/lib",
    }
    assert environment.own_libraries(environ) == "/usr/local/cuda/lib64"


def test_requirements_have_no_comments_and_pin_the_ros_wheels(environment: ModuleType) -> None:
    for name in environment.WHEELS:
        lines = environment.requirements("wheels", name)
        assert all(line[0].isalpha() for line in lines)
        assert any(line.startswith("ros-rclpy[fastrtps]==") for line in lines)


def test_import_names_of_requirements(environment: ModuleType) -> None:
    names = ["opencv-python-headless>=4.8,<6", "pyyaml>=5", "pytest-timeout>=2", "torch>=2.2,<3"]
    assert [environment.module_of(name) for name in names] == [
        "cv2",
        "yaml",
        "pytest_timeout",
        "torch",
    ]


def test_a_new_source_file_calls_for_a_new_build(
    environment: ModuleType, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    (tmp_path / "msg").mkdir()
    (tmp_path / "mixformer2_ros").mkdir()
    message = tmp_path / "msg" / "A.msg"
    module = tmp_path / "mixformer2_ros" / "a.py"
    message.write_text("bool a")
    module.write_text("A = 1")
    monkeypatch.setattr(environment, "ROOT", tmp_path)
    before = environment.digest(environment.sources())
    module.write_text("A = 2")
    assert environment.digest(environment.sources()) == before
    message.write_text("bool b")
    changed = environment.digest(environment.sources())
    assert changed != before
    (tmp_path / "mixformer2_ros" / "b.py").touch()
    assert environment.digest(environment.sources()) != changed


def test_running_needs_no_torch_and_testing_adds_it(environment: ModuleType) -> None:
    needed = {
        environment.module_of(line) for line in environment.requirements(*environment.GROUPS["run"])
    }
    tested = {
        environment.module_of(line) for line in environment.requirements(*environment.GROUPS["all"])
    }
    assert {"numpy", "cv2", "openvino", "onnx"} <= needed < tested
    assert "torch" in tested - needed


def test_what_is_installed_is_not_installed_again_nor_taken_away(
    environment: ModuleType, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    installed: list[list[str]] = []
    lines = {"base": ["numpy>=1"], "torch": ["torch>=2"], "wheels": [], "kilted": []}
    monkeypatch.setattr(environment, "ROOT", tmp_path)
    monkeypatch.setattr(environment, "make_venv", lambda plan: plan.venv.mkdir())
    monkeypatch.setattr(environment, "require_compiler", lambda: None)
    monkeypatch.setattr(environment, "missing_cmake", lambda: [])
    monkeypatch.setattr(environment, "repair_prefix", lambda plan: None)
    monkeypatch.setattr(environment, "pip", lambda plan, wanted: installed.append(wanted))
    monkeypatch.setattr(
        environment, "requirements", lambda *names: [line for n in names for line in lines[n]]
    )
    plan = environment.Plan("kilted", Path(sys.executable))
    environment.install(plan, ["base"])
    environment.install(plan, ["base"])
    environment.install(plan, ["base", "torch"])
    environment.install(plan, ["base"])
    assert installed == [["numpy>=1"], ["numpy>=1", "torch>=2"]]
    lines["base"] = ["numpy>=2"]
    environment.install(plan, ["base"])
    environment.install(plan, ["base", "torch"])
    assert installed[2:] == [["numpy>=2"]]


def test_env_script_says_which_pythons_it_tried() -> None:
    answer = subprocess.run(
        ["bash", "-c", "source tools/env.sh"],
        cwd=ROOT,
        env={**os.environ, "PYTHON": "python0"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert answer.returncode != 0
    assert "python0" in answer.stderr
    assert "PYTHON=/path/to/python3" in answer.stderr
