# Copyright 2026 mixformer2_ros contributors
# SPDX-License-Identifier: Apache-2.0
"""Graphs on disk: one .onnx file each, and one file of weights that they share."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import BinaryIO

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import TensorProto, helper, numpy_helper

WEIGHTS = "weights.bin"

# Bytes from which a constant counts as large. Runtimes read shapes and scalars out of the model.
_LARGE = 1024
# Runtimes map the file into memory, page by page.
_PAGE = 4096


def save_graphs(folder: Path, models: Mapping[str, onnx.ModelProto]) -> None:
    """Write `<name>.onnx` for each model, and `WEIGHTS` with the large constants of all.

    A constant of several models is written once. Float32 values that float16 holds exactly, such
    as those of a checkpoint in float16, are written as float16 with a cast, which runtimes carry
    out when they load the graph.

    Args:
        folder: Where to.
        models: Complete models by name; changed.
    """
    with (folder / WEIGHTS).open("wb") as file:
        store = _Store(file)
        for name, model in models.items():
            _move_constants(model, store)
            (folder / f"{name}.onnx").write_bytes(model.SerializeToString())


def exact_half(values: NDArray) -> NDArray[np.float16] | None:
    """Return float32 values as float16, or None where that would change one of them."""
    with np.errstate(over="ignore"):
        half = values.astype(np.float16)
    return half if np.array_equal(half, values) else None


class _Store:
    """The file of weights; the same bytes are written once."""

    def __init__(self, file: BinaryIO) -> None:
        self._file = file
        self._offsets: dict[bytes, int] = {}

    def add(self, data: bytes) -> int:
        """Return the offset of `data` in the file."""
        if data not in self._offsets:
            self._file.write(bytes(-self._file.tell() % _PAGE))
            self._offsets[data] = self._file.tell()
            self._file.write(data)
        return self._offsets[data]


def _move_constants(model: onnx.ModelProto, store: _Store) -> None:
    casts = []
    for constant in model.graph.initializer:
        if len(constant.raw_data) < _LARGE:
            continue
        if constant.data_type == TensorProto.FLOAT:
            half = exact_half(numpy_helper.to_array(constant))
            if half is not None:
                name = constant.name
                constant.CopyFrom(numpy_helper.from_array(half, f"{name}_half"))
                cast = helper.make_node("Cast", [constant.name], [name], to=TensorProto.FLOAT)
                cast.name = f"{name}_cast"
                casts.append(cast)
        data = constant.raw_data
        offset = store.add(data)
        constant.ClearField("raw_data")
        constant.data_location = TensorProto.EXTERNAL
        for key, value in (("location", WEIGHTS), ("offset", offset), ("length", len(data))):
            constant.external_data.add(key=key, value=str(value))
    nodes = [*casts, *model.graph.node]
    del model.graph.node[:]
    model.graph.node.extend(nodes)
