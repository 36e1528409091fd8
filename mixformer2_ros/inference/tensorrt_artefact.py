# Copyright 2026 mixformer2_ros contributors
# SPDX-License-Identifier: Apache-2.0
"""TensorRT plans on disk: built on the GPU they are for, compared with float32 first."""

from __future__ import annotations

import logging
from collections.abc import Callable
from pathlib import Path

import numpy as np
import onnx
import tensorrt as trt
from numpy.typing import NDArray

from mixformer2_ros.inference.artefact import LOCATE_GRAPH, TEMPLATE_GRAPH, Recipe
from mixformer2_ros.inference.cache import cache_folder
from mixformer2_ros.inference.cuda_driver import Cuda
from mixformer2_ros.inference.engine import ModelError
from mixformer2_ros.inference.graph_interface import CROP_INPUT, TEMPLATE_INPUTS
from mixformer2_ros.inference.tensorrt_build import Graphs, build_plans
from mixformer2_ros.inference.tensorrt_engine import TensorRtEngine, runtime_name
from mixformer2_ros.model.variants import Variant

# By how much an edge may move, as a fraction of the search crop: several times what rounding does.
# What some releases of TensorRT 10 make of vision transformers in float16 is far outside.
TOLERANCE = {"fp32": 1e-3, "fp16": 1e-2, "int8": 5e-2}
_CHECKED = 3

Progress = Callable[[str], None]
_LOG = logging.getLogger(__name__)


def write_plans(
    folder: Path,
    recipe: Recipe,
    variant: Variant,
    graphs: Graphs,
    exact: Graphs,
    cuda: Cuda,
    progress: Progress,
) -> None:
    """Build both plans and write them, if what they say is what float32 says.

    Args:
        folder: Where to.
        recipe: Of the artefact.
        variant: Sizes of the network in the graphs.
        graphs: In float32, or quantised for "int8".
        exact: In float32.
        cuda: The GPU.
        progress: Is told what is going on.

    Raises:
        ModelError: TensorRT cannot build them, or what they say is something else.
    """
    _LOG.warning(
        "TensorRT builds the network for this GPU, which takes minutes on a Jetson; the result is "
        "kept (mixformer2 export makes it ahead)"
    )
    precision, batch = recipe.precision, recipe.batch
    place = "".join(c if c.isalnum() else "_" for c in runtime_name(cuda))
    timing_cache = cache_folder() / f"tensorrt_timing_{place}"
    cuda.enter()
    plans = build_plans(graphs, variant, precision, batch, timing_cache, progress)
    progress("comparing with float32 on the processor")
    check(TensorRtEngine(variant, plans, cuda, precision, batch), exact, TOLERANCE[precision])
    for name, plan in zip((TEMPLATE_GRAPH, LOCATE_GRAPH), plans, strict=True):
        (folder / f"{name}.plan").write_bytes(plan)


def check(engine: TensorRtEngine, exact: Graphs, tolerance: float) -> float:
    """Compare an engine with the float32 graphs on a few crops.

    Args:
        engine: The engine.
        exact: The graphs of the same weights in float32.
        tolerance: By how much an edge may move, as a fraction of the search crop.

    Returns:
        By how much one did.

    Raises:
        ModelError: It was more, or not even a number.
    """
    templates, online, search = example_crops(engine.variant, _CHECKED)
    memories = engine.encode_templates(templates, online)
    found = edge_positions(engine.locate(memories, search).edges)
    expected = edge_positions(_exact_edges(exact, templates, online, search))
    moved = float(np.abs(found - expected).max())
    if not moved <= tolerance:  # also when it is not a number
        raise ModelError(
            f"the plan that TensorRT {trt.__version__} built is wrong: edges lie {moved:.2g} of "
            f"the crop from where float32 has them, and {tolerance:g} is the most that is "
            "accepted; use precision fp32, or another release of TensorRT"
        )
    return moved


def edge_positions(edges: NDArray) -> NDArray[np.float64]:
    """Expected positions (N, 4), fractions of the crop, of edge probabilities (N, 4, bins)."""
    return edges.astype(np.float64) @ (np.arange(edges.shape[-1]) / edges.shape[-1])


def example_crops(variant: Variant, count: int) -> list[NDArray[np.uint8]]:
    """Templates, online templates and search crops with something to see: patches and noise."""
    rng = np.random.default_rng(0)
    cell = 8  # half a patch of the network
    crops = []
    for side in (variant.template_size, variant.template_size, variant.search_size):
        cells = rng.integers(0, 224, (count, side // cell, side // cell, 3), dtype=np.uint8)
        image = cells.repeat(cell, axis=1).repeat(cell, axis=2)
        crops.append(image + rng.integers(0, 32, image.shape, dtype=np.uint8))
    return crops


def _exact_edges(exact: Graphs, *crops: NDArray[np.uint8]) -> NDArray[np.float32]:
    template, locate = _on_processor(exact.template), _on_processor(exact.locate)
    edges = []
    for part in zip(*(crop[:, None] for crop in crops), strict=True):
        memory = template(dict(zip(TEMPLATE_INPUTS, part[:2], strict=True)))
        edges.append(locate({CROP_INPUT: part[2], **memory})["edges"])
    return np.concatenate(edges)


def _on_processor(model: onnx.ModelProto) -> Callable[[dict[str, NDArray]], dict[str, NDArray]]:
    """What runs a graph on the processor: ONNX Runtime, or slowly without it."""
    names = [value.name for value in model.graph.output]
    try:
        import onnxruntime
    except ImportError:
        from onnx.reference import ReferenceEvaluator

        runner = ReferenceEvaluator(model)
    else:
        runner = onnxruntime.InferenceSession(
            model.SerializeToString(), providers=["CPUExecutionProvider"]
        )
    return lambda inputs: dict(zip(names, runner.run(names, inputs), strict=True))
