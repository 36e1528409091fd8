# Copyright 2026 mixformer2_ros contributors
# SPDX-License-Identifier: Apache-2.0
"""From a checkpoint to an artefact that a runtime starts from."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from importlib import import_module
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import TYPE_CHECKING

from numpy.typing import NDArray

from mixformer2_ros.checksums import file_sha256
from mixformer2_ros.inference import cache, processor
from mixformer2_ros.inference.artefact import (
    LOCATE_GRAPH,
    TEMPLATE_GRAPH,
    Artefact,
    Recipe,
    check_recipe,
    open_artefact,
    write_metadata,
)
from mixformer2_ros.inference.engine import ModelError
from mixformer2_ros.inference.ranges import Ranges, find_ranges
from mixformer2_ros.inference.weights import read_network, require_file
from mixformer2_ros.model.variants import Variant, get_variant

if TYPE_CHECKING:
    import onnx

RANGES = "ranges.json"

Progress = Callable[[str], None]
"""Told what is done next."""

# Runtimes that start from an artefact, and the precisions there are for each.
EXPORTS = {
    "openvino": ("fp32", "bf16", "int8"),
    "onnxruntime": ("fp32", "fp16", "int8"),
    "tensorrt": ("fp32", "fp16", "int8"),
}


def runtime_version(backend: str) -> str:
    """Version of a runtime; with TensorRT, and the GPU, to which its plans are tied.

    Raises:
        ImportError: The runtime is not installed.
        ModelError: There is no GPU for TensorRT.
    """
    if backend == "tensorrt":
        from mixformer2_ros.inference.tensorrt_engine import find_gpu, runtime_name

        return runtime_name(find_gpu())
    return str(import_module(backend).__version__)


def make_recipe(
    variant: str,
    checkpoint: Path,
    backend: str,
    precision: str,
    batch: int = 0,
    ranges: Ranges | None = None,
) -> Recipe:
    """Say what an artefact is to be made from and for.

    Args:
        variant: Name of the network's variant.
        checkpoint: File of its weights.
        backend: One of `EXPORTS`; must be installed.
        precision: One of the backend's.
        batch: Targets in one forward; 0 for any number, with TensorRT for one.
        ranges: Of an int8 network; None takes those beside the weights.

    Raises:
        ModelError: The backend has no such precision, or there are no ranges of these weights.
        CheckpointError: There is no such file.
    """
    if precision not in EXPORTS[backend]:
        raise ModelError(
            f"precision {precision!r} is not for {backend}: use {', '.join(EXPORTS[backend])}"
        )
    require_file(checkpoint)
    digest = file_sha256(checkpoint)
    return Recipe(
        variant=variant,
        checkpoint_sha256=digest,
        backend=backend,
        precision=precision,
        # TensorRT must know the number, and is fastest for one.
        batch=batch or int(backend == "tensorrt"),
        runtime=runtime_version(backend),
        calibration=_calibration(checkpoint, digest, precision, ranges),
    )


def _calibration(checkpoint: Path, digest: str, precision: str, ranges: Ranges | None) -> str:
    if precision != "int8":
        return ""
    ranges = ranges or find_ranges(checkpoint, digest)
    return f"{ranges.digest()} ({ranges.crops} crops of {', '.join(ranges.sources)})"


def obtain(recipe: Recipe, checkpoint: Path) -> Artefact:
    """Take the artefact out of the cache, or make it and keep it there.

    Raises:
        ModelError: It cannot be made.
        CheckpointError: The weights cannot be read or do not fit.
    """
    return cache.obtain(recipe, lambda folder: build(folder, recipe, checkpoint, _silent))


def use(folder: Path, variant: str) -> Artefact:
    """Open an artefact that was made ahead, and check that it is for this network and machine.

    Args:
        folder: The artefact.
        variant: Network that is wanted.

    Raises:
        ModelError: It is damaged, or made for another network or version of its runtime.
    """
    artefact = open_artefact(folder)
    check_recipe(artefact, variant=variant)
    try:
        installed = runtime_version(artefact.recipe.backend)
    except ImportError as error:
        raise ModelError(
            f"artefact {str(folder)!r} is for {artefact.recipe.backend}, which is not installed "
            f"({error})"
        ) from error
    check_recipe(artefact, runtime=installed)
    return artefact


def build(
    folder: Path,
    recipe: Recipe,
    checkpoint: Path,
    progress: Progress,
    ranges: Ranges | None = None,
) -> None:
    """Make an artefact.

    Args:
        folder: Empty; the files go there.
        recipe: What to make.
        checkpoint: File of the weights.
        progress: Told about every step.
        ranges: Of an int8 network; None takes those beside the weights.

    Raises:
        ModelError: Something that is needed is missing.
        CheckpointError: The weights cannot be read or do not fit.
    """
    progress("reading the checkpoint")
    variant, state = read_network(checkpoint, get_variant(recipe.variant))
    try:
        import_module("onnx")
    except ImportError as error:
        raise ModelError(
            f"making a network ready needs the package onnx ({error}): pip install onnx, or give "
            "as checkpoint a folder that mixformer2 export made elsewhere"
        ) from error
    from mixformer2_ros.inference.graph_files import WEIGHTS, save_graphs

    progress("writing the graphs")
    exact = models = _models(variant, state, recipe)
    if recipe.precision == "int8":
        from mixformer2_ros.inference.quantisation import quantise

        progress("quantising them")
        ranges = ranges or find_ranges(checkpoint, recipe.checkpoint_sha256)
        signed = not (recipe.backend == "onnxruntime" and processor.is_x86())
        models = {name: quantise(model, ranges, signed=signed) for name, model in models.items()}
        (folder / RANGES).write_text(ranges.to_json())
    if recipe.backend == "tensorrt":
        _build_plans(folder, recipe, variant, models, exact, progress)
    else:
        save_graphs(folder, models)
    del models, exact, state
    if recipe.backend == "openvino":
        from mixformer2_ros.inference.openvino_files import convert

        progress("converting them for OpenVINO")
        for name in (TEMPLATE_GRAPH, LOCATE_GRAPH):
            convert(folder / f"{name}.onnx", folder / f"{name}.xml")
            (folder / f"{name}.onnx").unlink()
        (folder / WEIGHTS).unlink()
    progress("describing the result")
    write_metadata(folder, recipe, variant, _versions())


def _models(
    variant: Variant, state: Mapping[str, NDArray], recipe: Recipe
) -> dict[str, onnx.ModelProto]:
    from mixformer2_ros.inference import graph

    batch = recipe.batch or None
    if recipe.backend == "tensorrt" and recipe.batch > 1:
        batch = None  # its plans take any number up to that
    models = {
        TEMPLATE_GRAPH: graph.template_graph(variant, state, batch=batch),
        LOCATE_GRAPH: graph.locate_graph(variant, state, batch=batch),
    }
    if recipe.backend == "onnxruntime" and recipe.precision == "fp16":
        from mixformer2_ros.inference.half_graph import to_half
        from mixformer2_ros.inference.tensorrt_graph import for_tensorrt

        # Also as its TensorRT provider wants them; that costs the CUDA provider nothing.
        return {
            name: for_tensorrt(to_half(model, variant), (10, 0)) for name, model in models.items()
        }
    return models


def _build_plans(
    folder: Path,
    recipe: Recipe,
    variant: Variant,
    models: dict[str, onnx.ModelProto],
    exact: dict[str, onnx.ModelProto],
    progress: Progress,
) -> None:
    from mixformer2_ros.inference.tensorrt_artefact import write_plans
    from mixformer2_ros.inference.tensorrt_build import Graphs
    from mixformer2_ros.inference.tensorrt_engine import find_gpu

    graphs, reference = (
        Graphs(part[TEMPLATE_GRAPH], part[LOCATE_GRAPH]) for part in (models, exact)
    )
    write_plans(folder, recipe, variant, graphs, reference, find_gpu(), progress)


def _versions() -> dict[str, str]:
    versions = {}
    for name in ("mixformer2_ros", "onnx", "numpy"):
        try:
            versions[name] = version(name)
        except PackageNotFoundError:
            continue
    return versions


def _silent(_: str) -> None:
    """Progress that nobody watches."""
