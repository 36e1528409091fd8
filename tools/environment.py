# Copyright 2026 mixformer2_ros contributors
# SPDX-License-Identifier: Apache-2.0
"""Makes the environment in which this package is built, run and tested.

A sourced ROS 2 is used as it is: a virtual environment on top of it adds only what is missing.
Without one, a virtual environment with the ROS 2 wheels of PyPI is made, for which vision_msgs is
built too. In both, colcon builds the package. Every step leaves a stamp of what it was made from,
so that it runs again only when that has changed.

Only the standard library is used, because nothing else is there when this runs.
"""

from __future__ import annotations

import argparse
import fcntl
import hashlib
import importlib.util
import os
import platform
import re
import shlex
import shutil
import subprocess
import sys
import urllib.error
import urllib.request
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
REQUIREMENTS = ROOT / "tools" / "requirements"
GROUPS = {
    "run": ("base", "openvino", "bags", "report"),
    "all": ("base", "openvino", "bags", "report", "onnx", "torch", "dev"),
}
"""Requirement files of what is installed to run the package, and to test all of it, too."""
WHEELS = ("kilted", "jazzy")
WHEEL_PYTHONS = ((3, 10), (3, 13))
TORCH_CPU_INDEX = "https://download.pytorch.org/whl/cpu"
GET_PIP = "https://bootstrap.pypa.io/get-pip.py"
PROBE_TIMEOUT = 5.0
"""Seconds to wait for the PyTorch index before going on without it."""

MODULES = {
    "opencv-python-headless": "cv2",
    "pyyaml": "yaml",
    "types-pyyaml": "yaml-stubs",
    "types-tqdm": "tqdm-stubs",
}
"""Import names that differ from the requirement's name."""

LINKED_FOLDERS = ("mixformer2_ros", "scripts", "launch", "config", "models")
"""Folders that the build installs as links, so that an edited file counts at once."""

FOREIGN = (
    "AMENT_CURRENT_PREFIX",
    "AMENT_PREFIX_PATH",
    "CMAKE_PREFIX_PATH",
    "COLCON_PREFIX_PATH",
    "PYTHONPATH",
    "_ROS_WHEELS_BOOTSTRAP_COMPLETE",
)
"""Variables by which another ROS 2 would mix into an environment of wheels."""


class SetupError(Exception):
    """The environment cannot be made; the message says why and what to do."""


def say(text: str) -> None:
    """Prints progress: to stderr, because stdout carries the shell code."""
    print(text, file=sys.stderr, flush=True)


@dataclass(frozen=True)
class Plan:
    """Which environment to make, and out of what.

    Attributes:
        name: kilted or jazzy for the wheels, ros-<distribution> for a sourced ROS 2.
        python: the interpreter that the virtual environment is made with.
    """

    name: str
    python: Path

    @property
    def wheels(self) -> bool:
        """Whether ROS 2 comes from PyPI."""
        return self.name in WHEELS

    @property
    def venv(self) -> Path:
        """Folder of the virtual environment."""
        return ROOT / (".venv" if self.name == WHEELS[0] else f".venv-{self.name}")

    @property
    def venv_python(self) -> Path:
        """Interpreter of the virtual environment."""
        return self.venv / "bin" / "python"

    @property
    def workspace(self) -> Path:
        """Folder in which colcon builds and installs."""
        return ROOT / "build" / self.name

    @property
    def setup(self) -> Path:
        """Script that activates what colcon has built."""
        return self.workspace / "install" / "setup.bash"


def choose(environ: Mapping[str, str]) -> Plan:
    """Decides between a sourced ROS 2 and the wheels.

    Args:
        environ: the environment variables of the caller.

    Raises:
        SetupError: ROS_WHEELS names no known distribution, or this machine cannot run
            the wheels.
    """
    wanted = environ.get("ROS_WHEELS", "")
    if wanted and wanted not in WHEELS:
        raise SetupError(f"ROS_WHEELS={wanted} is not known. Use one of: {', '.join(WHEELS)}.")
    current = environ.get("MIXFORMER2_ENV", "")
    # The interpreter below any virtual environment, so that it is the same one from inside ours.
    base = Path(getattr(sys, "_base_executable", sys.executable)).resolve()
    if not wanted and current.startswith("ros-"):
        return Plan(current, base)
    distribution = environ.get("ROS_DISTRO", "")
    if not wanted and not current and distribution and environ.get("AMENT_PREFIX_PATH"):
        if importlib.util.find_spec("rclpy") is not None:
            return Plan(f"ros-{distribution}", base)
        say(
            f"ROS 2 {distribution} is sourced, but {sys.executable} cannot import its rclpy: "
            "using the wheels instead."
        )
    return Plan(wanted or current or WHEELS[0], wheel_python(base, environ))


def wheel_python(base: Path, environ: Mapping[str, str]) -> Path:
    """Finds an interpreter that the ROS 2 wheels and a build of extension modules can use."""
    if platform.system() != "Linux" or platform.machine() != "x86_64":
        raise SetupError(
            f"There are no ROS 2 wheels for {platform.system()} on {platform.machine()}, only for "
            "Linux on x86_64. Source an installed ROS 2 and try again: "
            "source /opt/ros/<distribution>/setup.bash"
        )
    low, high = WHEEL_PYTHONS
    names = [f"python3.{minor}" for minor in range(high[1], low[1] - 1, -1)]
    if environ.get("PYTHON"):
        names = []
    others = [Path(path).resolve() for name in names if (path := shutil.which(name))]
    reasons = []
    for python in [base, *others]:
        reason = unsuitable(python)
        if reason is None:
            return python
        reasons.append(f"  {python}: {reason}")
    raise SetupError(
        "No suitable Python was found:\n"
        + "\n".join(reasons)
        + "\nInstall one with its headers (Debian, Ubuntu: sudo apt install python3-dev "
        "python3-venv), or name it: PYTHON=/path/to/python3 make ..."
    )


def unsuitable(python: Path) -> str | None:
    """Says why an interpreter cannot carry the wheels, or None where it can."""
    code = (
        "import sys, sysconfig; print(*sys.version_info[:2]); print(sysconfig.get_path('include'))"
    )
    answer = subprocess.run([python, "-c", code], capture_output=True, text=True, check=False)
    if answer.returncode != 0:
        return "does not start"
    version_line, include = answer.stdout.splitlines()
    major, minor = (int(part) for part in version_line.split())
    if not WHEEL_PYTHONS[0] <= (major, minor) <= WHEEL_PYTHONS[1]:
        return f"version {major}.{minor}, the ROS 2 wheels need 3.10 to 3.13"
    if not (Path(include) / "Python.h").is_file():
        return f"its headers are missing ({include}/Python.h)"
    return None


def run(command: Sequence[str | Path], folder: Path = ROOT, prelude: str = "") -> None:
    """Runs a command in a folder, with its output on stderr.

    Args:
        command: the program and its arguments.
        folder: where it runs.
        prelude: bash code that runs before it, in the same environment.

    Raises:
        SetupError: the command failed.
    """
    text = shlex.join(str(word) for word in command)
    # make's job server is not meant for the tools below it.
    env = {k: v for k, v in os.environ.items() if k not in ("MAKEFLAGS", "MFLAGS", "MAKELEVEL")}
    env["PIP_DISABLE_PIP_VERSION_CHECK"] = "1"
    code = ["bash", "-c", f"{prelude}\n{text}"]
    status = subprocess.run(code, stdout=sys.stderr, env=env, cwd=folder, check=False).returncode
    if status != 0:
        raise SetupError(f"This failed (status {status}): {text}")


def digest(parts: Iterable[str | bytes]) -> str:
    """Hashes a sequence of texts."""
    total = hashlib.sha256()
    for part in parts:
        data = part.encode() if isinstance(part, str) else part
        total.update(len(data).to_bytes(8, "little") + data)
    return total.hexdigest()


def requirements(*names: str) -> list[str]:
    """Reads requirement files into their lines without comments."""
    lines: list[str] = []
    for name in names:
        text = (REQUIREMENTS / f"{name}.txt").read_text()
        lines += [line for line in text.splitlines() if line and not line.startswith("#")]
    return lines


def install(plan: Plan, groups: Sequence[str]) -> None:
    """Makes the virtual environment and installs what is missing in it.

    What another call installed stays: the environment that runs the tests also runs the demo.
    """
    identity = digest([str(ROOT), str(plan.python), platform.python_version()])
    wanted = requirements(*groups, *(("wheels", plan.name) if plan.wheels else ()))
    stamp = plan.venv / ".installed"
    first, *before = stamp.read_text().splitlines() if stamp.is_file() else [""]
    if first != identity:
        before = []
    elif set(wanted) <= set(before):
        return
    require_compiler()
    if first != identity:
        make_venv(plan)
    stamp.unlink(missing_ok=True)
    if plan.wheels:
        say(
            f"Installing ROS 2 {plan.name.capitalize()} and {', '.join(groups)} in {plan.venv.name}"
        )
        pip(plan, wanted + missing_cmake())
        repair_prefix(plan)
    else:
        extend_sourced(plan, wanted)
    kept = [line for line in before if line not in wanted]
    stamp.write_text("\n".join([identity, *wanted, *kept]))


def require_compiler() -> None:
    """Fails early where nothing could be compiled."""
    if not any(shutil.which(name) for name in ("c++", "g++", "clang++")):
        raise SetupError(
            "No C++ compiler was found. Debian, Ubuntu: sudo apt install build-essential"
        )


def missing_cmake() -> list[str]:
    """The requirement for CMake, where the machine has none."""
    return [] if shutil.which("cmake") else ["cmake>=3.22,<4"]


def make_venv(plan: Plan) -> None:
    """Makes an empty virtual environment, with pip even where Debian has split that off."""
    options = [] if plan.wheels else ["--system-site-packages"]
    probe = [str(plan.python), "-c", "import ensurepip"]
    has_pip = subprocess.run(probe, capture_output=True, check=False).returncode == 0
    if not has_pip:
        options.append("--without-pip")
    run([plan.python, "-m", "venv", "--clear", *options, plan.venv])
    if has_pip:
        return
    script = plan.venv / "get-pip.py"
    try:
        with urllib.request.urlopen(GET_PIP, timeout=30) as answer:
            script.write_bytes(answer.read())
    except OSError as error:
        raise SetupError(
            f"{plan.python} comes without ensurepip, and {GET_PIP} cannot be read ({error}). "
            "Debian, Ubuntu: sudo apt install python3-venv"
        ) from error
    run([plan.venv_python, script, "--quiet"])


def pip(plan: Plan, wanted: Sequence[str]) -> None:
    """Installs requirements into the virtual environment."""
    if not wanted:
        return
    quiet = [] if sys.stderr.isatty() else ["--quiet"]
    command = [str(plan.venv_python), "-m", "pip", "install", "--no-compile", *quiet]
    if any(line.startswith("torch") for line in wanted) and reachable(TORCH_CPU_INDEX):
        # Its +cpu builds rank above the same version of PyPI, which brings gigabytes of CUDA.
        command += ["--extra-index-url", TORCH_CPU_INDEX]
    run([*command, *wanted])


def reachable(index: str) -> bool:
    """Whether a package index answers; pip itself would try for minutes."""
    try:
        with urllib.request.urlopen(f"{index}/torch/", timeout=PROBE_TIMEOUT):
            return True
    except (OSError, ValueError) as error:
        say(f"{index} does not answer ({error}): PyTorch comes from the usual package index.")
        return False


def repair_prefix(plan: Plan) -> None:
    """Makes the wheels a prefix to build on: points their CMake targets at this machine's Python.

    The targets name the include folders of the machine that built the wheels, and CMake refuses
    folders that do not exist.
    """
    code = (
        "import sysconfig, numpy; print(sysconfig.get_path('include')); print(numpy.get_include())"
    )
    answer = subprocess.check_output([plan.venv_python, "-c", code], text=True)
    python_include, numpy_include = answer.splitlines()
    builder = r"/opt/python/cp3\d+-cp3\d+t?"
    numpy_folder = re.compile(builder + r"/lib/python3\.\d+/site-packages/numpy/_?core/include")
    python_folder = re.compile(builder + r"/include/python3\.\d+")
    # colcon warns about a prefix without this file.
    (plan.venv / "local_setup.bash").touch()
    for file in plan.venv.glob("share/*/cmake/*.cmake"):
        text = file.read_text()
        fixed = numpy_folder.sub(numpy_include, text)
        fixed = python_folder.sub(python_include, fixed)
        if fixed != text:
            file.write_text(fixed)


def extend_sourced(plan: Plan, wanted: Sequence[str]) -> None:
    """Adds to a sourced ROS 2 what it lacks, and nothing that it has.

    NumPy is held at the system's version: cv_bridge and the system's OpenCV are compiled for it.
    """
    missing = [line for line in wanted if not importable(plan, module_of(line))]
    if not shutil.which("colcon"):
        missing += ["colcon-common-extensions", "setuptools<80"]
    missing += missing_cmake()
    say(f"Adding to the sourced ROS 2, in {plan.venv.name}: {', '.join(missing) or 'nothing'}")
    if importable(plan, "numpy"):
        code = "import numpy; print(numpy.__version__)"
        version = subprocess.check_output([plan.venv_python, "-c", code], text=True).strip()
        missing = [*missing, f"numpy=={version}"] if missing else []
    pip(plan, missing)


def module_of(requirement: str) -> str:
    """Import name of a requirement such as ``numpy>=1.21,<3``."""
    name = re.split(r"[^A-Za-z0-9._-]", requirement, maxsplit=1)[0].lower()
    return MODULES.get(name, name.replace("-", "_"))


def importable(plan: Plan, module: str) -> bool:
    """Whether the virtual environment can find a module."""
    code = f"import importlib.util as u, sys; sys.exit(u.find_spec({module!r}) is None)"
    command = [str(plan.venv_python), "-c", code]
    return subprocess.run(command, capture_output=True, check=False).returncode == 0


def sources() -> Iterator[str | bytes]:
    """What the build depends on: the interfaces' contents, the names of what is only linked."""
    for pattern in ("package.xml", "CMakeLists.txt", "msg/*", "srv/*", "tools/vision_msgs/**/*"):
        for file in sorted(ROOT.glob(pattern)):
            if file.is_file():
                yield str(file.relative_to(ROOT))
                yield file.read_bytes()
    for folder in LINKED_FOLDERS:
        for file in sorted((ROOT / folder).rglob("*")):
            if "__pycache__" not in file.parts:
                yield str(file.relative_to(ROOT))


def build(plan: Plan) -> None:
    """Builds the package with colcon, with vision_msgs before it in an environment of wheels."""
    identity = (plan.venv / ".installed").read_text().splitlines()[0]
    wheels = requirements("wheels", plan.name) if plan.wheels else []
    state = digest([identity, *wheels, *sources()])
    stamp = plan.workspace / ".built"
    if stamp.is_file() and stamp.read_text() == state and plan.setup.is_file():
        return
    if not plan.wheels:
        require_vision_msgs()
    say(f"Building for {plan.name} in {plan.workspace.relative_to(ROOT)}")
    link_sources(plan)
    words = ["colcon", "build", "--symlink-install", "--base-paths", "src"]
    words += ["--cmake-args", "-DBUILD_TESTING=OFF", f"-DPython3_EXECUTABLE={plan.venv_python}"]
    run(words, plan.workspace, activation(plan))
    stamp.write_text(state)


def link_sources(plan: Plan) -> None:
    """Lays out a colcon workspace whose packages consist of links to the sources.

    The packages' own folders would not do: CMake refuses include folders inside the source folder,
    and the virtual environment, with the headers of NumPy, lies there.
    """
    packages = {"mixformer2_ros": ROOT}
    if plan.wheels:
        packages["vision_msgs"] = ROOT / "tools" / "vision_msgs"
    shutil.rmtree(plan.workspace / "src", ignore_errors=True)
    for name, source in packages.items():
        folder = plan.workspace / "src" / name
        folder.mkdir(parents=True)
        for entry in ("package.xml", "CMakeLists.txt", "msg", "srv", *LINKED_FOLDERS):
            if (source / entry).exists():
                (folder / entry).symlink_to(source / entry)


def require_vision_msgs() -> None:
    """Fails early where a sourced ROS 2 lacks the one interface package it may lack."""
    prefixes = os.environ.get("AMENT_PREFIX_PATH", "").split(os.pathsep)
    if not any((Path(p) / "share" / "vision_msgs" / "package.xml").is_file() for p in prefixes):
        raise SetupError(
            "The sourced ROS 2 has no vision_msgs. Debian, Ubuntu: sudo apt install "
            f"ros-{os.environ.get('ROS_DISTRO', '<distribution>')}-vision-msgs"
        )


def activation(plan: Plan) -> str:
    """Bash code that enters the virtual environment and its ROS 2, without the built package."""
    lines = [f"source {shlex.quote(str(plan.venv / 'bin' / 'activate'))}"]
    if plan.wheels:
        prefix = shlex.quote(str(plan.venv))
        kept = own_libraries(os.environ)
        lines = [
            f"unset {' '.join(FOREIGN)}",
            f"export LD_LIBRARY_PATH={shlex.quote(kept)}" if kept else "unset LD_LIBRARY_PATH",
            *lines,
            f"export AMENT_PREFIX_PATH={prefix} CMAKE_PREFIX_PATH={prefix}",
            f"export ROS_VERSION=2 ROS_PYTHON_VERSION=3 ROS_DISTRO={plan.name}",
        ]
    return "\n".join(lines)


def own_libraries(environ: Mapping[str, str]) -> str:
    """LD_LIBRARY_PATH without the folders of another ROS 2 or of another environment of ours."""
    prefixes = [str(ROOT)]
    for name in ("AMENT_PREFIX_PATH", "COLCON_PREFIX_PATH"):
        prefixes += [p for p in environ.get(name, "").split(os.pathsep) if p]
    folders = environ.get("LD_LIBRARY_PATH", "").split(os.pathsep)
    kept = [f for f in folders if f and not any(Path(f).is_relative_to(p) for p in prefixes)]
    return os.pathsep.join(kept)


def shell_code(plan: Plan) -> str:
    """Bash code that enters the whole environment."""
    return "\n".join(
        [
            activation(plan),
            f"source {shlex.quote(str(plan.setup))}",
            f"export MIXFORMER2_ENV={plan.name}",
        ]
    )


@contextmanager
def locked() -> Iterator[None]:
    """Lets one process at a time make environments."""
    folder = ROOT / "build"
    folder.mkdir(exist_ok=True)
    with (folder / ".lock").open("w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield


def main() -> int:
    """Makes the environment and prints the bash code that enters it."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument(
        "what", choices=tuple(GROUPS), help="run: what the package needs; all: what its tests need"
    )
    groups = GROUPS[parser.parse_args().what]
    try:
        plan = choose(os.environ)
        with locked():
            install(plan, groups)
            build(plan)
        print(shell_code(plan))
    except SetupError as failure:
        say(f"\n{failure}")
        return 1
    except KeyboardInterrupt:
        return 130
    return 0


if __name__ == "__main__":
    sys.exit(main())
