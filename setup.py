# Copyright 2026 mixformer2_ros contributors
# SPDX-License-Identifier: Apache-2.0
"""pip install of the part that needs no ROS; the ROS package itself is built by CMakeLists.txt.

Everything static is in pyproject.toml. Here is what must be worked out: the version, which
package.xml holds, and the weights, which live outside the Python package.
"""

from __future__ import annotations

from pathlib import Path
from xml.etree import ElementTree

from setuptools import find_packages, setup

ROOT = Path(__file__).resolve().parent
NAME = "mixformer2_ros"


def version() -> str:
    """Reads the version from package.xml."""
    text = ElementTree.parse(ROOT / "package.xml").getroot().findtext("version")
    if text is None:
        raise ValueError("package.xml has no <version>")
    return text


packages = find_packages(include=[NAME, f"{NAME}.*"])
package_dir = {NAME: NAME}
if (ROOT / "models").is_dir():
    packages.append(f"{NAME}.models")
    package_dir[f"{NAME}.models"] = "models"

setup(
    version=version(),
    packages=packages,
    package_dir=package_dir,
    package_data={
        "": ["**/*.jinja", "**/*.yaml", "py.typed"],
        f"{NAME}.models": ["*.safetensors", "*.json", "*.md", "SHA256SUMS"],
    },
)
