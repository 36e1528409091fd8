# Copyright 2026 mixformer2_ros contributors
# SPDX-License-Identifier: Apache-2.0
"""From ONNX files to OpenVINO's own, whose weights in float16 stay in the file until they are used.

A blob of the compiled network would load no faster, since the time goes into reading and arranging
the weights, and would hold them in float32.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import openvino as ov
from openvino import opset13 as operators

from mixformer2_ros.inference.graph_files import exact_half


def convert(source: Path, target: Path) -> None:
    """Turn an .onnx file into an .xml file with a .bin file beside it.

    Weights that float16 holds exactly are written as float16; all others keep their type.

    Args:
        source: The ONNX graph.
        target: The .xml file.
    """
    core = ov.Core()
    model = core.read_model(source)
    _unpack_halves(model)
    # OpenVINO would also round what float16 does not hold: what is no constant now, stays as it is.
    held = _constants_to_inputs(model)
    ov.save_model(model, target, compress_to_fp16=True)
    halved = core.read_model(target)
    for parameter in list(halved.get_parameters()):
        constant = held.get(parameter.get_friendly_name())
        if constant is not None:
            parameter.output(0).replace(constant.output(0))
            halved.remove_parameter(parameter)
    draft = target.with_name(f"draft_{target.name}")
    ov.save_model(halved, draft, compress_to_fp16=False)
    # The first file is mapped by what is written: replaced after it, not over it.
    draft.replace(target)
    draft.with_suffix(".bin").replace(target.with_suffix(".bin"))


def _unpack_halves(model: ov.Model) -> None:
    """Replace float16 constants that are cast by float32 ones.

    Only float16 that OpenVINO itself has written is left in the file until it is used.
    """
    for node in model.get_ops():
        if node.get_type_name() != "Convert" or node.get_element_type() != ov.Type.f32:
            continue
        constant = node.input_value(0).get_node()
        if constant.get_type_name() == "Constant" and constant.get_element_type() == ov.Type.f16:
            whole = ov.op.Constant(constant.data.astype(np.float32))
            node.output(0).replace(whole.output(0))


def _constants_to_inputs(model: ov.Model) -> dict[str, ov.op.Constant]:
    """Replace every float32 constant that float16 does not hold by an input; return them."""
    held: dict[str, ov.op.Constant] = {}
    for node in model.get_ops():
        is_float = node.get_type_name() == "Constant" and node.get_element_type() == ov.Type.f32
        if not is_float or exact_half(node.data) is not None:
            continue
        name = f"held_{len(held)}"
        held[name] = ov.op.Constant(node.data)
        parameter = operators.parameter(node.shape, ov.Type.f32, name=name)
        node.output(0).replace(parameter.output(0))
        model.add_parameters([parameter])
    return held
