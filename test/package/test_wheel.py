# Copyright 2026 mixformer2_ros contributors
# SPDX-License-Identifier: Apache-2.0
"""The part that pip installs."""

from __future__ import annotations

import configparser
import shutil
import subprocess
import sys
import zipfile
from email.parser import Parser
from pathlib import Path
from xml.etree import ElementTree

import pytest

ROOT = Path(__file__).resolve().parents[2]
BUILT_FROM = (
    "LICENSE",
    "MANIFEST.in",
    "README.md",
    "mixformer2_ros",
    "models",
    "package.xml",
    "pyproject.toml",
    "setup.py",
    "tools",
)


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> zipfile.ZipFile:
    """Builds a wheel from a copy, because setuptools writes into the sources."""
    pytest.importorskip(
        "setuptools", minversion="70.1", reason="no setuptools that builds wheels by itself"
    )
    copy = tmp_path_factory.mktemp("sources")
    ignored = shutil.ignore_patterns("__pycache__")
    for name in BUILT_FROM:
        source = ROOT / name
        if source.is_dir():
            shutil.copytree(source, copy / name, ignore=ignored)
        elif source.is_file():
            shutil.copy(source, copy / name)
    command = "from setuptools import build_meta; print(build_meta.build_wheel('dist'))"
    answer = subprocess.run(
        [sys.executable, "-c", command], cwd=copy, capture_output=True, text=True, check=False
    )
    assert answer.returncode == 0, answer.stderr
    return zipfile.ZipFile(copy / "dist" / answer.stdout.split()[-1])


def metadata(wheel: zipfile.ZipFile, name: str) -> str:
    (path,) = [entry for entry in wheel.namelist() if entry.endswith(f".dist-info/{name}")]
    return wheel.read(path).decode()


def test_wheel_holds_every_file_of_the_package_and_nothing_of_ros(wheel: zipfile.ZipFile) -> None:
    files = {
        str(file.relative_to(ROOT))
        for file in (ROOT / "mixformer2_ros").rglob("*")
        if file.is_file() and "__pycache__" not in file.parts
    }
    packed = set(wheel.namelist())
    assert files <= packed
    assert {name.split("/")[0] for name in packed if ".dist-info/" not in name} == {
        "mixformer2_ros"
    }


def test_wheel_holds_the_default_weights_with_card_and_checksums(wheel: zipfile.ZipFile) -> None:
    packed = {
        Path(name).name for name in wheel.namelist() if name.startswith("mixformer2_ros/models/")
    }
    assert packed == {file.name for file in (ROOT / "models").iterdir()}


def test_wheel_has_the_version_and_licence_of_the_manifest(wheel: zipfile.ZipFile) -> None:
    header = Parser().parsestr(metadata(wheel, "METADATA"))
    manifest = ElementTree.parse(ROOT / "package.xml").getroot()
    assert header["Version"] == manifest.findtext("version")
    assert "Apache-2.0" in (header["License"] or header["License-Expression"])


def test_wheel_needs_neither_torch_nor_ros_by_itself(wheel: zipfile.ZipFile) -> None:
    header = Parser().parsestr(metadata(wheel, "METADATA"))
    required = [line for line in header.get_all("Requires-Dist", []) if "extra ==" not in line]
    names = {line.split(">")[0].split("<")[0].strip().lower() for line in required}
    assert names == {"numpy", "opencv-python-headless", "pyyaml", "safetensors", "tqdm"}
    assert {"torch", "train", "dev"} <= set(header.get_all("Provides-Extra", []))


def test_wheel_installs_the_command(wheel: zipfile.ZipFile) -> None:
    entries = configparser.ConfigParser()
    entries.read_string(metadata(wheel, "entry_points.txt"))
    assert entries["console_scripts"]["mixformer2"] == "mixformer2_ros.cli:main"


def test_unpacked_wheel_runs_without_the_sources(wheel: zipfile.ZipFile, tmp_path: Path) -> None:
    wheel.extractall(tmp_path)
    code = (
        f"import sys; sys.path.insert(0, {str(tmp_path)!r})\n"
        "import mixformer2_ros.tracking as tracking, mixformer2_ros.cli as cli\n"
        "print(tracking.__file__, cli.__file__, sep='\\n')"
    )
    # -I keeps the sources and a sourced ROS 2 off the path.
    answer = subprocess.run(
        [sys.executable, "-I", "-c", code], capture_output=True, text=True, check=False
    )
    assert answer.returncode == 0, answer.stderr
    assert all(Path(line).is_relative_to(tmp_path) for line in answer.stdout.split())
