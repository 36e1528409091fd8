# Copyright 2026 mixformer2_ros contributors
# SPDX-License-Identifier: Apache-2.0
"""The ONNX Runtime engine: processors, without PyTorch."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import onnxruntime
from numpy.typing import NDArray

from mixformer2_ros.inference.artefact import LOCATE_GRAPH, TEMPLATE_GRAPH, Artefact
from mixformer2_ros.inference.engine import describe
from mixformer2_ros.inference.graph_engine import GraphEngine
from mixformer2_ros.inference.graph_interface import (
    CROP_INPUT,
    LOCATE_OUTPUTS,
    TEMPLATE_INPUTS,
    memory_names,
)
from mixformer2_ros.inference.memory import give_back

_NAMES = {"fp32": "float32", "int8": "int8"}


class OnnxRuntimeEngine(GraphEngine):
    """Runs an artefact made for ONNX Runtime.

    Args:
        artefact: The network.
        threads: CPU threads; None leaves ONNX Runtime's choice, one a physical core.
    """

    def __init__(self, artefact: Artefact, threads: int | None = None) -> None:
        variant = artefact.variant
        self._memory_names = memory_names(variant)
        self._locate_session, self._template_session = (
            self._session(artefact.graph(name), threads) for name in (LOCATE_GRAPH, TEMPLATE_GRAPH)
        )
        self._binding = self._locate_session.io_binding()
        runtime = "ONNX Runtime " + ".".join(onnxruntime.__version__.split(".")[:2])
        words = describe(variant, runtime, "cpu", _NAMES[artefact.recipe.precision], threads)
        super().__init__(variant, words, artefact.recipe.batch)
        self._warm_up()
        give_back(artefact.folder)

    def _session(self, path: Path, threads: int | None) -> onnxruntime.InferenceSession:
        options = onnxruntime.SessionOptions()
        # Threads that spin between frames take the cores from the rest of the robot.
        options.add_session_config_entry("session.intra_op.allow_spinning", "0")
        options.intra_op_num_threads = threads or 0
        options.log_severity_level = 3
        return onnxruntime.InferenceSession(path, options, providers=["CPUExecutionProvider"])

    def _run_template(
        self, templates: NDArray[np.uint8], online_templates: NDArray[np.uint8]
    ) -> Sequence[NDArray[np.float32]]:
        images = map(np.ascontiguousarray, (templates, online_templates))
        return self._template_session.run(
            self._memory_names, dict(zip(TEMPLATE_INPUTS, images, strict=True))
        )

    def _bind(self, arrays: Sequence[NDArray[np.float32]]) -> None:
        for name, array in zip(self._memory_names, arrays, strict=True):
            # It shares the array's memory; the base class keeps that alive.
            value = onnxruntime.OrtValue.ortvalue_from_numpy(array)
            self._binding.bind_ortvalue_input(name, value)
        # From now on the same memory is written to in every frame, for this number of targets.
        for name in LOCATE_OUTPUTS:
            self._binding.bind_output(name)

    def _run_locate(self, crops: NDArray[np.uint8]) -> Sequence[NDArray[np.float32]]:
        self._binding.bind_cpu_input(CROP_INPUT, np.ascontiguousarray(crops))
        self._locate_session.run_with_iobinding(self._binding)
        return self._binding.copy_outputs_to_cpu()
