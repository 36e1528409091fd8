# Copyright 2026 mixformer2_ros contributors
# SPDX-License-Identifier: Apache-2.0
"""What `mixformer2 doctor` says of NVIDIA's GPUs, CUDA, TensorRT and JetPack."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path

from mixformer2_ros.doctor import Finding, Level
from mixformer2_ros.inference.cuda_driver import Cuda, count_gpus, load_driver
from mixformer2_ros.inference.engine import ModelError

# L4T's release to the JetPack that brings it, and to the Python of its TensorRT.
_JETPACKS = {"35": ("5", (3, 8)), "36": ("6", (3, 10)), "38": ("7", (3, 12)), "39": ("7", (3, 12))}
_RELEASE = Path("/etc/nv_tegra_release")


def check_gpu(release: Path = _RELEASE) -> Iterator[Finding]:
    """The GPU, and what is needed to run on it.

    Args:
        release: Where L4T says what it is; not there but on a Jetson.
    """
    jetson = l4t_release(release)
    try:
        load_driver()
    except ModelError as error:
        yield Finding(Level.NOTE if jetson is None else Level.WARNING, str(error))
        return
    if not count_gpus():
        yield Finding(Level.WARNING, "there is a CUDA driver, but it finds no GPU")
        return
    gpu = Cuda()
    memory = "shares the processor's memory" if gpu.integrated else "has memory of its own"
    capability = ".".join(map(str, gpu.capability))
    text = f"{count_gpus()} GPU(s), first {gpu.name}, compute capability {capability}, {memory}"
    yield Finding(Level.OK, text)
    if jetson is not None:
        yield from _check_jetson(jetson)
    yield from _check_tensorrt(jetson)
    yield from _check_onnxruntime()


def l4t_release(path: Path = _RELEASE) -> tuple[str, str] | None:
    """Release and revision of L4T, such as ("36", "4.3"); None where this is no Jetson."""
    try:
        text = path.read_text()
    except OSError:
        return None
    found = re.search(r"R(\d+).*?REVISION:\s*([\d.]+)", text)
    return (found[1], found[2]) if found else None


def _check_jetson(jetson: tuple[str, str]) -> Iterator[Finding]:
    release, revision = jetson
    jetpack, _ = _JETPACKS.get(release, ("of another generation", None))
    yield Finding(Level.OK, f"JetPack {jetpack} (L4T {release}.{revision})")
    if shutil.which("nvpmodel"):
        done = subprocess.run(["nvpmodel", "-q"], capture_output=True, text=True, check=False)
        found = re.search(r"NV Power Mode:\s*(\S+)", done.stdout)
        mode = found[1] if found else "unknown"
        yield Finding(
            Level.NOTE,
            f"power mode {mode}: sudo nvpmodel -m <id of /etc/nvpmodel.conf> sets another, sudo "
            "jetson_clocks holds its highest clocks",
        )


def _check_tensorrt(jetson: tuple[str, str] | None) -> Iterator[Finding]:
    if find_spec("tensorrt") is None:
        yield Finding(Level.WARNING, f"TensorRT is not here: {_tensorrt_cure(jetson)}")
        return
    try:
        trt = import_module("tensorrt")
        from mixformer2_ros.inference.tensorrt_build import is_strongly_typed

        kind = "strongly typed networks" if is_strongly_typed() else "precisions layer by layer"
    except Exception as error:
        yield Finding(Level.WARNING, f"TensorRT is installed, but does not start ({error})")
        return
    yield Finding(Level.OK, f"TensorRT {trt.__version__}, {kind}")
    if find_spec("onnx") is None:
        text = "onnx is not here: TensorRT needs it to build a network (pip install onnx)"
        yield Finding(Level.WARNING, text)


def _tensorrt_cure(jetson: tuple[str, str] | None) -> str:
    if jetson is None:
        return "pip install tensorrt, for the CUDA of your driver"
    _, python = _JETPACKS.get(jetson[0], ("", sys.version_info[:2]))
    if python != sys.version_info[:2]:
        own, here = (".".join(map(str, v)) for v in (python, sys.version_info[:2]))
        return (
            f"JetPack brings it for Python {own} only, and this is {here}; docs/jetson.md says "
            "what works"
        )
    return (
        "sudo apt install python3-libnvinfer, and make a virtual environment with "
        "--system-site-packages"
    )


def _check_onnxruntime() -> Iterator[Finding]:
    if find_spec("onnxruntime") is None:
        return
    try:
        providers = import_module("onnxruntime").get_available_providers()
    except Exception:
        return  # the section on engines says it
    found = [
        name.removesuffix("ExecutionProvider")
        for name in providers
        if name in ("CUDAExecutionProvider", "TensorrtExecutionProvider")
    ]
    if found:
        yield Finding(Level.OK, f"ONNX Runtime with {' and '.join(found)}")
    else:
        text = "ONNX Runtime is here without CUDA: install onnxruntime-gpu in its place to use it"
        yield Finding(Level.NOTE, text)
