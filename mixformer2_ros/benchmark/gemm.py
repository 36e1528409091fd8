# Copyright 2026 mixformer2_ros contributors
# SPDX-License-Identifier: Apache-2.0
"""Products of matrices in every library at hand: the best of them is the machine's peak."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from importlib.util import find_spec

import numpy as np
from numpy.typing import NDArray

from mixformer2_ros.inference import ModelError
from mixformer2_ros.model.variants import Variant

PRECISIONS = {"openvino": ("fp32", "bf16", "int8"), "onnxruntime": ("fp32", "int8")} | {
    "torch": ("fp32", "bf16")
}
"""What each library multiplies in; in `torch` it is oneDNN that does."""

_SQUARES = (1024, 2048)
# So many products one after the other that the call itself does not count.
_LEAST_MACS = 1 << 30


@dataclass(frozen=True)
class Product:
    """A chain of products (rows, inner) x (inner, columns), back and forth.

    Attributes:
        library: One of `PRECISIONS`.
        precision: One of the library's.
        rows: Rows of the left matrix.
        inner: Its columns.
        columns: Columns of the right one.
    """

    library: str
    precision: str
    rows: int
    inner: int
    columns: int

    @property
    def shape(self) -> str:
        """The sizes in words."""
        return f"{self.rows}x{self.inner}x{self.columns}"

    @property
    def length(self) -> int:
        """Products in the chain, an even number."""
        return 2 * max(1, round(_LEAST_MACS / (2 * self.rows * self.inner * self.columns)))

    @property
    def macs(self) -> int:
        """Multiplications in the chain."""
        return self.length * self.rows * self.inner * self.columns


def products(variant: Variant) -> Iterator[tuple[Product, ...]]:
    """Yield a network's own large products and large square ones, in all that is installed.

    Yields:
        Products of one library in one precision.
    """
    tokens, width = variant.search_tokens + 4, variant.width
    shapes = {(tokens, width, width), (tokens, width, width * variant.mlp_ratio)}
    shapes |= {(side, side, side) for side in _SQUARES}
    for library, precisions in PRECISIONS.items():
        if find_spec(library) is not None:
            for precision in precisions:
                yield tuple(Product(library, precision, *shape) for shape in sorted(shapes))


def product_runner(product: Product, threads: int) -> Callable[[], object]:
    """Return what computes the chain once.

    Raises:
        ModelError: The processor has no such precision.
    """
    if product.library == "torch":
        return _torch_runner(product, threads)
    if product.library == "openvino":
        return _openvino_runner(product, threads)
    return _onnxruntime_runner(product, threads)


def _weights(product: Product) -> list[NDArray[np.float32]]:
    """Right matrices of the chain; orthogonal on average, so that values keep their size."""
    rng = np.random.default_rng(0)
    shapes = [(product.inner, product.columns), (product.columns, product.inner)]
    return [
        rng.standard_normal(shapes[i % 2]).astype(np.float32)
        / np.float32(np.sqrt(shapes[i % 2][0]))
        for i in range(product.length)
    ]


def _left(product: Product) -> NDArray[np.float32]:
    rng = np.random.default_rng(1)
    return rng.standard_normal((product.rows, product.inner)).astype(np.float32)


def _torch_runner(product: Product, threads: int) -> Callable[[], object]:
    import torch

    torch.set_num_threads(threads)
    dtype = torch.bfloat16 if product.precision == "bf16" else torch.float32
    left = torch.from_numpy(_left(product)).to(dtype)
    layers = []
    for weight in _weights(product):
        layer = torch.nn.Linear(weight.shape[0], weight.shape[1], bias=False)
        layer.weight.data = torch.from_numpy(np.ascontiguousarray(weight.T))
        layers.append(layer)
    chain = torch.nn.Sequential(*layers).to(dtype).eval()
    # Plain float32 products go to another library, which is slow on some processors.
    with torch.inference_mode():
        if dtype is torch.float32:
            from torch.utils import mkldnn

            chain, left = mkldnn.to_mkldnn(chain), left.to_mkldnn()

    def run() -> object:
        with torch.inference_mode():
            return chain(left)

    return run


def _onnx_model(product: Product) -> bytes:
    """The chain as an ONNX model; in int8 with a quantised tensor before every product."""
    from onnx import TensorProto, helper, numpy_helper

    nodes, constants = [], []

    def constant(name: str, values: NDArray) -> str:
        constants.append(numpy_helper.from_array(values, name))
        return name

    value = "left"
    if product.precision == "int8":
        constant("scale", np.float32(4 / 127))
        constant("zero", np.uint8(128))
    for index, weight in enumerate(_weights(product)):
        name = f"weight_{index}"
        if product.precision == "int8":
            scale = np.abs(weight).max() / 127
            constant(name, np.clip(np.rint(weight / scale), -127, 127).astype(np.int8))
            constant(f"scale_{index}", np.float32(scale))
            constant(f"zero_{index}", np.int8(0))
            small, back, right = f"small_{index}", f"back_{index}", f"right_{index}"
            nodes += [
                helper.make_node("QuantizeLinear", [value, "scale", "zero"], [small]),
                helper.make_node("DequantizeLinear", [small, "scale", "zero"], [back]),
                helper.make_node(
                    "DequantizeLinear", [name, f"scale_{index}", f"zero_{index}"], [right]
                ),
            ]
            value, name = back, right
        else:
            constant(name, weight)
        nodes.append(helper.make_node("MatMul", [value, name], [f"value_{index}"]))
        value = f"value_{index}"
    if product.precision == "int8":  # so that the last product's result is small, too
        nodes += [
            helper.make_node("QuantizeLinear", [value, "scale", "zero"], ["last_small"]),
            helper.make_node("DequantizeLinear", ["last_small", "scale", "zero"], ["last"]),
        ]
        value = "last"
    shape = [product.rows, product.inner]
    body = helper.make_graph(
        nodes,
        "products",
        [helper.make_tensor_value_info("left", TensorProto.FLOAT, shape)],
        [helper.make_tensor_value_info(value, TensorProto.FLOAT, shape)],
        constants,
    )
    model = helper.make_model(body, opset_imports=[helper.make_opsetid("", 18)], ir_version=8)
    return model.SerializeToString()


def _openvino_runner(product: Product, threads: int) -> Callable[[], object]:
    import openvino as ov

    from mixformer2_ros.inference.openvino_engine import has_bfloat16

    if product.precision == "bf16" and not has_bfloat16():
        raise ModelError("this processor does not multiply bfloat16")
    core = ov.Core()
    options = {
        "INFERENCE_PRECISION_HINT": "bf16" if product.precision == "bf16" else "f32",
        "PERFORMANCE_HINT": "LATENCY",
        "INFERENCE_NUM_THREADS": threads,
    }
    network = core.read_model(_onnx_model(product))
    request = core.compile_model(network, "CPU", options).create_infer_request()
    request.set_input_tensor(ov.Tensor(_left(product)))
    return request.infer


def _onnxruntime_runner(product: Product, threads: int) -> Callable[[], object]:
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    options.log_severity_level = 3
    session = onnxruntime.InferenceSession(
        _onnx_model(product), options, providers=["CPUExecutionProvider"]
    )
    inputs = {"left": _left(product)}
    return lambda: session.run(None, inputs)
