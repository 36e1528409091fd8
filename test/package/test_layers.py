# Copyright 2026 mixformer2_ros contributors
# SPDX-License-Identifier: Apache-2.0
"""The layers depend on one another in one direction only."""

from __future__ import annotations

import ast
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
PACKAGE = "mixformer2_ros"

ROS = {
    "builtin_interfaces",
    "cv_bridge",
    "diagnostic_msgs",
    "geometry_msgs",
    "lifecycle_msgs",
    "rcl_interfaces",
    "rclpy",
    "sensor_msgs",
    "std_msgs",
    "vision_msgs",
    f"{PACKAGE}.msg",
    f"{PACKAGE}.srv",
    f"{PACKAGE}.ros",
    f"{PACKAGE}.nodes",
}
APPLICATIONS = {
    f"{PACKAGE}.{name}"
    for name in ("cli", "demo", "evaluation", "precision", "scenes", "sources", "training")
}
FORBIDDEN = {
    "model": {"cv2", f"{PACKAGE}.inference", f"{PACKAGE}.tracking"} | ROS | APPLICATIONS,
    "inference": {f"{PACKAGE}.tracking"} | ROS | APPLICATIONS,
    "tracking": {"torch"} | ROS | APPLICATIONS,
    "ros": {"torch", f"{PACKAGE}.nodes"} | APPLICATIONS,
    "nodes": {"torch"},
    "scenes": ROS,
    # Bags hold messages: the image codec of the ROS layer reads them, and needs no ROS itself.
    "evaluation": ROS - {f"{PACKAGE}.ros"},
    "precision": ROS,
    "training": ROS,
}


def imports(file: Path) -> Iterator[str]:
    """Yields every name a module imports, at its top or inside a function."""
    module = file.relative_to(ROOT).with_suffix("").parts
    for node in ast.walk(ast.parse(file.read_text())):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            base = ".".join(module[: -node.level]) + "." if node.level else ""
            yield from (f"{base}{node.module or ''}.{alias.name}" for alias in node.names)


@pytest.mark.parametrize("layer", FORBIDDEN)
def test_layer_imports_only_what_it_may(layer: str) -> None:
    files = sorted((ROOT / PACKAGE / layer).rglob("*.py"))
    assert files
    broken = [
        f"{file.relative_to(ROOT)} imports {name}"
        for file in files
        for name in imports(file)
        if any(f"{name}.".startswith(f"{other}.") for other in FORBIDDEN[layer])
    ]
    assert not broken


@pytest.mark.parametrize(
    ("module", "absent"),
    [
        ("mixformer2_ros", {"torch", "rclpy", "cv2", "numpy"}),
        ("mixformer2_ros.tracking", {"torch", "rclpy"}),
        ("mixformer2_ros.tracking.session", {"torch", "rclpy"}),
        ("mixformer2_ros.inference", {"torch", "rclpy"}),
        ("mixformer2_ros.ros.images", {"torch", "rclpy"}),
        ("mixformer2_ros.evaluation", {"rclpy"}),
        ("mixformer2_ros.cli", {"torch", "rclpy"}),
    ],
)
def test_import_pulls_in_nothing_heavy(module: str, absent: set[str]) -> None:
    code = f"import sys, {module}; print(*({absent} & set(sys.modules)))"
    answer = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True
    )
    assert answer.stdout.split() == []


def test_every_folder_of_the_package_is_a_package() -> None:
    folders = {file.parent for file in (ROOT / PACKAGE).rglob("*.py")}
    assert not [folder for folder in folders if not (folder / "__init__.py").is_file()]
