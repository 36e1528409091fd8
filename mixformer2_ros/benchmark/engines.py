# Copyright 2026 mixformer2_ros contributors
# SPDX-License-Identifier: Apache-2.0
"""The network alone: every engine in turn with the published way of running it."""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from mixformer2_ros.benchmark.summary import Row, row
from mixformer2_ros.inference import BACKENDS, Engine, ModelError, find_default_weights, load_engine
from mixformer2_ros.model.variants import IMAGE_MEAN, IMAGE_STD, Variant, get_variant

_WARM_UP = 5
_PRECISIONS = ("fp32", "bf16")


def measure_engines(args: argparse.Namespace) -> tuple[str, list[Row]]:
    """Time one frame of every engine, interleaved.

    Returns:
        A title with the conditions, and one row an engine; `reference` is the published way:
        eager PyTorch, float32, full forward of templates and search in every frame.

    Raises:
        ModelError: No engine could be loaded.
    """
    variant = get_variant(args.model)
    crops = _crops(variant, args.targets)
    frames: dict[str, Callable[[], object]] = {}
    reference = _reference(args, crops)
    if reference is not None:
        frames["reference"] = reference
    for engine in _engines(args):
        frames[engine.description] = _frame(engine, crops)
    times: dict[str, list[float]] = {name: [] for name in frames}
    for turn in range(_WARM_UP + args.frames):
        for name, frame in frames.items():
            start = time.perf_counter()
            frame()
            if turn >= _WARM_UP:
                times[name].append(time.perf_counter() - start)
    title = f"One frame of {args.targets} target(s), {args.frames} interleaved frames"
    return title, [row(name, spent, times.get("reference")) for name, spent in times.items()]


def _crops(variant: Variant, targets: int) -> tuple[NDArray[np.uint8], ...]:
    rng = np.random.default_rng(0)
    sides = (variant.template_size, variant.template_size, variant.search_size)
    return tuple(rng.integers(0, 256, (targets, side, side, 3), dtype=np.uint8) for side in sides)


def _engines(args: argparse.Namespace) -> list[Engine]:
    engines, problems = [], []
    for backend in args.backends or BACKENDS:
        for precision in _PRECISIONS:
            try:
                engine = load_engine(
                    args.model, args.checkpoint, backend, "cpu", precision, args.threads
                )
            except ModelError as error:
                problems.append(str(error))
            else:
                engines.append(engine)
    if not engines:
        raise ModelError("; ".join(problems))
    return engines


def _frame(engine: Engine, crops: tuple[NDArray[np.uint8], ...]) -> Callable[[], object]:
    template, online, search = crops
    memories = engine.encode_templates(template, online)
    return lambda: engine.locate(memories, search)


def _reference(
    args: argparse.Namespace, crops: tuple[NDArray[np.uint8], ...]
) -> Callable[[], object] | None:
    try:
        import torch
    except ImportError:
        return None
    from mixformer2_ros.model import build_model, load_weights, read_checkpoint

    torch.set_num_threads(args.threads)
    path = args.checkpoint or find_default_weights(args.model)
    if path is None:
        return None
    model = build_model(args.model).eval()
    load_weights(model, read_checkpoint(path))
    scaled = [(part / 255.0 - IMAGE_MEAN) / IMAGE_STD for part in crops]
    images = [torch.from_numpy(part.astype(np.float32)).permute(0, 3, 1, 2) for part in scaled]

    def frame() -> object:
        with torch.inference_mode():
            return model(*images)

    return frame
