# Copyright 2026 mixformer2_ros contributors
# SPDX-License-Identifier: Apache-2.0
"""The ONNX Runtime engine: processors and CUDA, without PyTorch."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
import onnx
import onnxruntime
from numpy.typing import NDArray

from mixformer2_ros.inference import graph
from mixformer2_ros.inference.engine import ModelError, describe
from mixformer2_ros.inference.graph_engine import GraphEngine
from mixformer2_ros.model.variants import Variant

_CPU, _CUDA = "CPUExecutionProvider", "CUDAExecutionProvider"


class OnnxRuntimeEngine(GraphEngine):
    """Runs the graphs of `mixformer2_ros.inference.graph` with ONNX Runtime, in float32.

    Args:
        variant: Sizes of the network.
        state: Its weights by name, checked.
        device: "auto" (the processor), "cpu", "cuda" or "cuda:N".
        precision: "auto" or "fp32".
        threads: CPU threads; None leaves ONNX Runtime's choice, one a physical core.

    Raises:
        ModelError: Device or precision is not available.
    """

    def __init__(
        self,
        variant: Variant,
        state: Mapping[str, NDArray],
        device: str = "auto",
        precision: str = "auto",
        threads: int | None = None,
    ) -> None:
        if precision not in ("auto", "fp32"):
            raise ModelError(
                f"precision {precision!r} is not for ONNX Runtime: use auto or fp32, or backend "
                "openvino or torch"
            )
        device = "cpu" if device == "auto" else device
        self._providers = _providers(device)
        self._memory_names = graph.memory_names(variant)
        self._locate = self._session(graph.locate_graph, variant, state, threads)
        self._template = self._session(graph.template_graph, variant, state, threads)
        self._memory: dict[str, NDArray[np.float32]] = {}
        runtime = "ONNX Runtime " + ".".join(onnxruntime.__version__.split(".")[:2])
        super().__init__(variant, describe(variant, runtime, device, "float32", threads))
        self._warm_up()

    def _session(
        self,
        write_graph: Callable[..., onnx.ModelProto],
        variant: Variant,
        state: Mapping[str, NDArray],
        threads: int | None,
    ) -> onnxruntime.InferenceSession:
        options = onnxruntime.SessionOptions()
        # Threads that spin between frames take the cores from the rest of the robot.
        options.add_session_config_entry("session.intra_op.allow_spinning", "0")
        options.intra_op_num_threads = threads or 0
        options.log_severity_level = 3
        weights: dict[str, NDArray] = {}
        model = write_graph(variant, state, weights)
        values = [onnxruntime.OrtValue.ortvalue_from_numpy(array) for array in weights.values()]
        options.add_external_initializers(list(weights), values)
        session = onnxruntime.InferenceSession(
            model.SerializeToString(), options, providers=self._providers
        )
        wanted = self._providers[0][0]
        if wanted not in session.get_providers():  # it falls back without a word
            raise ModelError(
                f"ONNX Runtime could not start {wanted}: the CUDA and cuDNN libraries that "
                f"onnxruntime-gpu {onnxruntime.__version__} needs are missing or too old; install "
                "them, or use device cpu"
            )
        return session

    def _run_template(
        self, templates: NDArray[np.uint8], online_templates: NDArray[np.uint8]
    ) -> Sequence[NDArray[np.float32]]:
        images = map(np.ascontiguousarray, (templates, online_templates))
        return self._template.run(
            self._memory_names, dict(zip(graph.TEMPLATE_INPUTS, images, strict=True))
        )

    def _bind(self, arrays: Sequence[NDArray[np.float32]]) -> None:
        self._memory = dict(zip(self._memory_names, arrays, strict=True))

    def _run_locate(self, crops: NDArray[np.uint8]) -> Sequence[NDArray[np.float32]]:
        inputs = {graph.CROP_INPUT: np.ascontiguousarray(crops), **self._memory}
        return self._locate.run(graph.LOCATE_OUTPUTS, inputs)


def has_cuda() -> bool:
    """Whether the installed ONNX Runtime was built for CUDA."""
    return _CUDA in onnxruntime.get_available_providers()


def _providers(device: str) -> list[tuple[str, dict[str, Any]]]:
    if device == "cpu":
        return [(_CPU, {})]
    kind, _, index = device.partition(":")
    if kind != "cuda" or not (index or "0").isdecimal():
        raise ModelError(f"device {device!r} is unknown: use auto, cpu, cuda or cuda:N")
    if not has_cuda():
        raise ModelError(
            f"device {device!r} is not available: this ONNX Runtime "
            f"({onnxruntime.__version__}) has no CUDA; install onnxruntime-gpu instead of "
            "onnxruntime, or use device cpu"
        )
    # Without this option float32 products are rounded to TF32.
    return [(_CUDA, {"device_id": int(index or 0), "use_tf32": 0}), (_CPU, {})]
