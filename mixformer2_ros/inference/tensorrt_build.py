# Copyright 2026 mixformer2_ros contributors
# SPDX-License-Identifier: Apache-2.0
"""From the package's graphs to plans of TensorRT 8.5 (JetPack 5), 8.6, 10 (JetPack 6) and newer.

Releases differ in how precision is said. From 10 on a network can be strongly typed: the graph's
own casts say it (`half_graph`), and 11 knows nothing else. Before, TensorRT picks precisions by
itself, and layers that need float32 are held to it one by one. What a release can do is asked of
its module, not derived from its number; only what its parser reads is (`tensorrt_graph`).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import onnx
import tensorrt as trt

from mixformer2_ros.inference.engine import ModelError
from mixformer2_ros.inference.graph_interface import memory_names
from mixformer2_ros.inference.half_graph import to_half
from mixformer2_ros.inference.tensorrt_engine import Log
from mixformer2_ros.inference.tensorrt_graph import float_nodes, for_tensorrt
from mixformer2_ros.model.variants import Variant

PRECISIONS = ("fp32", "fp16", "int8")
# Memory that one layer's kernel may use for itself; a quarter of the smallest Jetson's.
_WORKSPACE = 1 << 30


@dataclass(frozen=True)
class Graphs:
    """The two graphs of a network, each of which holds its constants."""

    template: onnx.ModelProto
    locate: onnx.ModelProto


def build_plans(
    graphs: Graphs,
    variant: Variant,
    precision: str,
    batch: int,
    timing_cache: Path | None = None,
    progress: Callable[[str], None] = lambda text: None,
) -> tuple[bytes, bytes]:
    """Build the plans of the template and the locate graph; minutes on a Jetson.

    Args:
        graphs: In float32, or quantised for "int8".
        variant: Sizes of the network.
        precision: One of `PRECISIONS`.
        batch: Most targets at once, where the graphs leave that open.
        timing_cache: File with the times of kernels on this GPU with this TensorRT, which makes
            the next build faster; written anew.
        progress: Is told what is going on.

    Raises:
        ModelError: TensorRT cannot build them; its reason is in the message.
    """
    plans = []
    for name, model in (("template", graphs.template), ("locate", graphs.locate)):
        progress(f"TensorRT {trt.__version__}: building the {name} plan, {precision}")
        plans.append(_build(model, variant, precision, batch, timing_cache))
    return plans[0], plans[1]


def is_strongly_typed() -> bool:
    """Whether this TensorRT takes every precision from the graph."""
    return hasattr(trt.NetworkDefinitionCreationFlag, "STRONGLY_TYPED") or not hasattr(
        trt.BuilderFlag, "FP16"
    )


def _build(
    model: onnx.ModelProto, variant: Variant, precision: str, batch: int, timing_cache: Path | None
) -> bytes:
    typed = is_strongly_typed()
    if typed and precision != "fp32":
        model = to_half(model, variant)
    model = for_tensorrt(model, _version())
    log = Log()
    builder = trt.Builder(log)
    network = builder.create_network(_network_flags(typed))
    parser = trt.OnnxParser(network, log)
    if not parser.parse(model.SerializeToString()):
        errors = "; ".join(parser.get_error(i).desc() for i in range(parser.num_errors))
        raise ModelError(f"TensorRT {trt.__version__} cannot read the graph: {errors}")
    config = builder.create_builder_config()
    config.set_memory_pool_limit(trt.MemoryPoolType.WORKSPACE, _WORKSPACE)
    if hasattr(trt.BuilderFlag, "TF32"):
        config.clear_flag(trt.BuilderFlag.TF32)  # float32 means float32
    if not typed and precision != "fp32":
        _choose_precisions(network, config, precision, float_nodes(model))
        _store_memory_in_half(network, variant)
    if any(-1 in tuple(network.get_input(i).shape) for i in range(network.num_inputs)):
        config.add_optimization_profile(_profile(builder, network, batch))
    config.set_timing_cache(config.create_timing_cache(_read(timing_cache)), False)
    plan = builder.build_serialized_network(network, config)
    if plan is None:
        raise log.error(f"cannot build the {precision} plan")
    if timing_cache is not None:
        timing_cache.parent.mkdir(parents=True, exist_ok=True)
        timing_cache.write_bytes(bytes(config.get_timing_cache().serialize()))
    return bytes(plan)


def _version() -> tuple[int, int]:
    major, minor = trt.__version__.split(".")[:2]
    return int(major), int(minor)


def _network_flags(typed: bool) -> int:
    kinds = trt.NetworkDefinitionCreationFlag
    # TensorRT 8 needs to be told; later ones know nothing else.
    wanted = ["EXPLICIT_BATCH", "STRONGLY_TYPED"] if typed else ["EXPLICIT_BATCH"]
    flags = 0
    for name in wanted:
        if hasattr(kinds, name):
            flags |= 1 << int(getattr(kinds, name))
    return flags


def _choose_precisions(network: Any, config: Any, precision: str, in_float: set[str]) -> None:
    """Let TensorRT take low precision, except in the layers made from the named nodes."""
    config.set_flag(trt.BuilderFlag.FP16)
    if precision == "int8":
        config.set_flag(trt.BuilderFlag.INT8)
    config.set_flag(trt.BuilderFlag.OBEY_PRECISION_CONSTRAINTS)
    # The parser of 8.6 forgets the names of normalisations: their kind tells them.
    kinds = [
        getattr(trt.LayerType, name)
        for name in ("SOFTMAX", "NORMALIZATION")
        if hasattr(trt.LayerType, name)
    ]
    for layer in (network.get_layer(i) for i in range(network.num_layers)):
        outputs = [layer.get_output(i) for i in range(layer.num_outputs)]
        # Shapes are integers, and constants follow who takes them.
        if layer.type == trt.LayerType.CONSTANT or any(o.dtype != trt.float32 for o in outputs):
            continue
        if layer.name in in_float or layer.type in kinds:
            layer.precision = trt.float32
            for index in range(layer.num_outputs):
                layer.set_output_type(index, trt.float32)


def _store_memory_in_half(network: Any, variant: Variant) -> None:
    """Templates' memories cross between the graphs in float16, as in a strongly typed network."""
    inputs = [network.get_input(i) for i in range(network.num_inputs)]
    outputs = [network.get_output(i) for i in range(network.num_outputs)]
    for tensor in (*inputs, *outputs):
        if tensor.name in memory_names(variant):
            tensor.dtype = trt.float16


def _profile(builder: Any, network: Any, batch: int) -> Any:
    profile = builder.create_optimization_profile()
    for tensor in (network.get_input(i) for i in range(network.num_inputs)):
        one, most = (1, *tensor.shape[1:]), (batch, *tensor.shape[1:])
        profile.set_shape(tensor.name, one, most, most)
    return profile


def _read(timing_cache: Path | None) -> bytes:
    if timing_cache is None or not timing_cache.is_file():
        return b""
    return timing_cache.read_bytes()
