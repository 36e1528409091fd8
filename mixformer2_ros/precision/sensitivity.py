# Copyright 2026 mixformer2_ros contributors
# SPDX-License-Identifier: Apache-2.0
"""What each part of a network costs when it alone is computed from 8-bit integers."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

import numpy as np
import onnx
from numpy.typing import NDArray

from mixformer2_ros.inference import graph, processor
from mixformer2_ros.inference.calibration import runner
from mixformer2_ros.inference.crops import Crops
from mixformer2_ros.inference.quantisation import KEPT, quantise
from mixformer2_ros.inference.ranges import Ranges
from mixformer2_ros.model.variants import Variant
from mixformer2_ros.precision.drift import Answers, Drift, drift

# Name of a part to the endings of its products' names.
_PARTS = {
    "patch embedding": (".proj.crop",),
    "queries, keys": ("attn.query", "attn.key"),
    "values": ("attn.value",),
    "attention's projection": ("attn.proj",),
    "first of the MLP": ("mlp.fc1",),
    "second of the MLP": ("mlp.fc2",),
    "heads": (".0.0", ".1.0", ".layers.1"),
}


def sensitivity(
    variant: Variant, state: Mapping[str, NDArray], ranges: Ranges, crops: Crops
) -> Iterator[tuple[str, Drift]]:
    """Quantise the locating graph part by part, and compare it with float32 on identical crops.

    Args:
        variant: Sizes of the network.
        state: Its weights.
        ranges: Their ranges.
        crops: What is shown to all.

    Yields:
        A part in words and its drift; at last that of the graph as it is used.

    Raises:
        ModelError: No runtime is installed.
    """
    run = runner(graph.template_graph(variant, state), graph.memory_names(variant))
    memories = []
    for pair in zip(crops.templates, crops.online_templates, strict=True):
        images = (image[None] for image in pair)
        found = run(dict(zip(graph.TEMPLATE_INPUTS, images, strict=True)))
        memories.append(dict(zip(graph.memory_names(variant), found, strict=True)))
    model = graph.locate_graph(variant, state)
    float32 = _answers(model, memories, crops)
    products = [node.name for node in model.graph.node if node.op_type == "MatMul"]
    blocks = {f"block {i}": f"backbone.blocks.{i}." for i in range(variant.depth)}
    for part, kept in [
        *((part, [n for n in products if not n.endswith(ends)]) for part, ends in _PARTS.items()),
        *((part, [n for n in products if not n.startswith(b)]) for part, b in blocks.items()),
        ("all but the heads", KEPT),
    ]:
        signed = not processor.is_x86()
        quantised = quantise(model, ranges, kept, signed)
        yield part, drift(_answers(quantised, memories, crops), float32)


def as_markdown(parts: Sequence[tuple[str, Drift]]) -> str:
    """Return parts and their drifts as a Markdown table."""
    lines = [
        "| in int8 | box drift, mean | p99 | score drift, mean | p99 |",
        "|---|---|---|---|---|",
    ]
    for part, moved in parts:
        lines.append(f"| {part} | {' | '.join(f'{value:.4f}' for value in moved)} |")
    return "\n".join(lines)


def _answers(
    model: onnx.ModelProto, memories: Sequence[Mapping[str, NDArray]], crops: Crops
) -> Answers:
    run = runner(model, graph.LOCATE_OUTPUTS)
    boxes, scores = [], []
    for crop, pair in zip(crops.searches, crops.template_of, strict=True):
        found = run({graph.CROP_INPUT: crop[None], **memories[pair]})
        boxes.append(found[0].astype(np.float64))
        scores.append(found[1].astype(np.float64))
    return Answers(np.concatenate(boxes), np.concatenate(scores))
