# Copyright 2026 mixformer2_ros contributors
# SPDX-License-Identifier: Apache-2.0
"""The manifest, the interfaces and the files that a ROS package consists of."""

from __future__ import annotations

import re
from pathlib import Path
from xml.etree import ElementTree

import pytest

ROOT = Path(__file__).resolve().parents[2]

SET_TARGET = """
std_msgs/Header header
string target_id
vision_msgs/BoundingBox2D bbox
bool normalized
---
uint8 OK=0
uint8 INVALID_BOX=1
uint8 NO_IMAGE=2
uint8 STAMP_TOO_OLD=3
uint8 STAMP_IN_FUTURE=4
uint8 TOO_MANY_TARGETS=5
uint8 NOT_ACTIVE=6
uint8 INTERNAL_ERROR=7
bool success
uint8 code
string message
string target_id
builtin_interfaces/Time stamp
"""
CLEAR_TARGET = """
string target_id
---
bool success
string message
"""
TARGET_STATE = """
uint8 IDLE=0
uint8 TRACKING=1
uint8 UNCERTAIN=2
uint8 LOST=3
string target_id
uint8 state
vision_msgs/BoundingBox2D bbox
float32 score
geometry_msgs/Vector3 velocity
float32 azimuth
float32 elevation
builtin_interfaces/Time last_seen
"""
TRACKER_STATE = """
std_msgs/Header header
TargetState[] targets
float32 latency
float32 inference_time
uint32 frames_received
uint32 frames_processed
uint32 frames_dropped
"""


@pytest.fixture(scope="module")
def manifest() -> ElementTree.Element:
    return ElementTree.parse(ROOT / "package.xml").getroot()


def definition(text: str) -> list[str]:
    lines = [re.sub(r"#.*", "", line).strip() for line in text.splitlines()]
    return [line for line in lines if line]


@pytest.mark.parametrize(
    ("file", "wire_format"),
    [
        ("srv/SetTarget.srv", SET_TARGET),
        ("srv/ClearTarget.srv", CLEAR_TARGET),
        ("msg/TargetState.msg", TARGET_STATE),
        ("msg/TrackerState.msg", TRACKER_STATE),
    ],
)
def test_interface_is_the_agreed_wire_format(file: str, wire_format: str) -> None:
    assert definition((ROOT / file).read_text()) == definition(wire_format)


@pytest.mark.parametrize("kind", ["msg", "srv"])
def test_every_interface_is_generated(kind: str) -> None:
    listed = set(re.findall(rf"{kind}/\w+\.{kind}", (ROOT / "CMakeLists.txt").read_text()))
    assert listed == {f"{kind}/{file.name}" for file in (ROOT / kind).iterdir()}


def test_manifest_is_format_3_with_plain_version_and_licence(manifest: ElementTree.Element) -> None:
    assert manifest.tag == "package"
    assert manifest.get("format") == "3"
    assert manifest.findtext("name") == "mixformer2_ros"
    assert re.fullmatch(r"\d+\.\d+\.\d+", manifest.findtext("version") or "")
    assert manifest.findtext("license") == "Apache-2.0"
    assert manifest.findtext("export/build_type") == "ament_cmake"
    assert manifest.findtext("member_of_group") == "rosidl_interface_packages"


def test_manifest_lists_what_cmake_looks_for(manifest: ElementTree.Element) -> None:
    needed = set(re.findall(r"find_package\((\w+)", (ROOT / "CMakeLists.txt").read_text()))
    tags = ("buildtool_depend", "build_depend", "depend")
    listed = {element.text for tag in tags for element in manifest.iter(tag)}
    assert needed <= listed


def test_manifest_lists_what_the_nodes_import(manifest: ElementTree.Element) -> None:
    tags = ("depend", "exec_depend")
    listed = {element.text for tag in tags for element in manifest.iter(tag)}
    packages = re.compile(r"^\s*(?:from|import) (\w+_msgs|\w+_interfaces|rclpy)\b", re.MULTILINE)
    files = [*(ROOT / "mixformer2_ros").rglob("*.py"), *(ROOT / "scripts").iterdir()]
    imported = {name for file in files for name in packages.findall(file.read_text())}
    assert "rclpy" in imported
    assert imported <= listed


def test_version_stands_in_one_place(manifest: ElementTree.Element) -> None:
    version = manifest.findtext("version")
    assert version is not None
    for name in ("setup.py", "pyproject.toml", "CMakeLists.txt"):
        assert version not in (ROOT / name).read_text()


def test_stand_in_for_vision_msgs_is_hidden_from_other_builds() -> None:
    assert (ROOT / "tools" / "COLCON_IGNORE").is_file()


def test_scripts_are_executable_and_use_the_python_of_the_environment() -> None:
    scripts = sorted((ROOT / "scripts").iterdir())
    assert {"tracker_node", "video_publisher", "mixformer2"} <= {file.name for file in scripts}
    for file in scripts:
        assert file.stat().st_mode & 0o111
        assert file.read_text().startswith("#!/usr/bin/env python3\n")
