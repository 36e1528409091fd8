# Copyright 2026 mixformer2_ros contributors
# SPDX-License-Identifier: Apache-2.0
"""MixFormerV2 as two ONNX graphs, written straight from the weights.

One graph encodes a target's two templates, the other locates targets in search crops. Three
rewrites of the published network leave its result as it is and halve its work:

- Template queries see templates only (arXiv 2305.15896, 3.2), so the templates' keys and values in
  every block are outputs of the first graph and inputs of the second.
- Only the 4 prediction tokens leave the last block: its queries, projection and MLP have 4 rows.
- The last block's keys and values are never computed. With h a normalised token, q.(Wk h + bk) is
  (Wk^T q).h plus a constant that softmax ignores, and sum a (Wv h + bv) is Wv (sum a h) + bv. So
  4 tokens x heads queries of full width attend to the normalised tokens themselves.

Constants are folded in float64: the input's normalisation into the patch embedding, its bias into
the position embeddings, the attention's scale into the queries' weights.

Products of matrices and layer normalisations are named after the parameters they apply, such as
"backbone.blocks.0.mlp.fc1", the same in both graphs: what is known of them is kept under that name.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import TensorProto, helper

from mixformer2_ros.inference.graph_interface import (
    CROP_INPUT,
    LOCATE_OUTPUTS,
    TEMPLATE_INPUTS,
    memory_names,
)
from mixformer2_ros.model.variants import IMAGE_MEAN, IMAGE_STD, Variant

# 18 keeps LayerNormalization one operator; newer ones bring nothing that is needed here.
OPSET = 18
# The IR version of opset 18: readable by every runtime that has the opset.
IR_VERSION = 8

_BLOCK_EPSILON = 1e-6
_HEAD_EPSILON = 1e-5
# From the published order of the prediction tokens (left, right, top, bottom) to the order of
# edges (left, top, right, bottom). Attention does not care about the order of tokens.
_EDGE_ORDER = [0, 2, 1, 3]


def template_graph(
    variant: Variant, state: Mapping[str, NDArray], batch: int | None = None
) -> onnx.ModelProto:
    """Return the graph that encodes templates.

    Inputs: `TEMPLATE_INPUTS`, uint8 RGB (N, T, T, 3) each. Outputs: `memory_names(variant)`,
    float32.

    Args:
        variant: Sizes of the network.
        state: Its weights (`mixformer2_ros.model.state.expected_shapes`), any floating dtype.
        batch: N; None leaves it open.
    """
    return _Writer(variant, state, batch).template()


def locate_graph(
    variant: Variant, state: Mapping[str, NDArray], batch: int | None = None
) -> onnx.ModelProto:
    """Return the graph that finds targets in search crops.

    Inputs: `CROP_INPUT`, uint8 RGB (N, S, S, 3), and `memory_names(variant)`, float32. Outputs:
    `LOCATE_OUTPUTS`, float32: boxes (N, 4) cx, cy, w, h as fractions of the crop, scores (N,) in
    [0, 1], edges (N, 4, bins) probabilities of the left, top, right and bottom edge.

    Args:
        variant: Sizes of the network.
        state: Its weights (`mixformer2_ros.model.state.expected_shapes`), any floating dtype.
        batch: N; None leaves it open.
    """
    return _Writer(variant, state, batch).locate()


class _Writer:
    """Collects the nodes and constants of one graph; methods take and return value names."""

    def __init__(self, variant: Variant, state: Mapping[str, NDArray], batch: int | None) -> None:
        self._variant = variant
        self._state = state
        self._batch: int | str = batch or "N"
        self._head_width = variant.width // variant.heads
        # Filled in place: every way of assembling a model from parts copies its weights.
        self._model = onnx.ModelProto(ir_version=IR_VERSION, producer_name="mixformer2_ros")
        self._model.opset_import.append(helper.make_opsetid("", OPSET))
        self._graph = self._model.graph

    # The two graphs.

    def template(self) -> onnx.ModelProto:
        v = self._variant
        size = v.template_size
        positions = self._weight("backbone.pos_embed_t")[0]
        tokens = self._op(
            "Concat", [self._embed(name, size, positions) for name in TEMPLATE_INPUTS], axis=1
        )
        for i in range(v.depth - 1):
            query, keys, values = self._query_key_value(
                self._norm(tokens, _block(i, "norm1")), i, (f"keys_{i}", f"values_{i}")
            )
            tokens = self._rest_of_block(tokens, self._attend(query, keys, values, i), i)
        self._norm(tokens, _block(v.depth - 1, "norm1"), output="tokens")
        images = [
            helper.make_tensor_value_info(name, TensorProto.UINT8, [self._batch, size, size, 3])
            for name in TEMPLATE_INPUTS
        ]
        return self._finish("encode_templates", images, self._memory())

    def locate(self) -> onnx.ModelProto:
        v = self._variant
        size = v.search_size
        prediction = self._weight("backbone.reg_tokens") + self._weight("backbone.pos_embed_reg")
        tokens = self._embed(
            CROP_INPUT,
            size,
            self._weight("backbone.pos_embed_s")[0],
            prediction[0, _EDGE_ORDER],
        )
        for i in range(v.depth - 1):
            query, keys, values = self._query_key_value(self._norm(tokens, _block(i, "norm1")), i)
            keys = self._op("Concat", [f"keys_{i}", keys], axis=2)
            values = self._op("Concat", [f"values_{i}", values], axis=2)
            tokens = self._rest_of_block(tokens, self._attend(query, keys, values, i), i)
        self._heads(self._last_block(tokens))
        crop = helper.make_tensor_value_info(
            CROP_INPUT, TensorProto.UINT8, [self._batch, size, size, 3]
        )
        shapes: tuple[list[str | int], ...] = (
            [self._batch, 4],
            [self._batch],
            [self._batch, 4, v.bins],
        )
        return self._finish(
            "locate",
            [crop, *self._memory()],
            [
                helper.make_tensor_value_info(name, TensorProto.FLOAT, shape)
                for name, shape in zip(LOCATE_OUTPUTS, shapes, strict=True)
            ],
        )

    # Parts of the network.

    def _embed(
        self, image: str, size: int, positions: NDArray, prediction: NDArray | None = None
    ) -> str:
        """Patch embedding of uint8 (N, size, size, 3), then the prediction tokens if given.

        The latter start as patches of zeros, which embed to zero: so they need no shape arithmetic
        and cost four rows of one product.
        """
        v, grid, patch = self._variant, size // self._variant.patch, self._variant.patch
        weight, bias = self._patch_weights()
        # Cast first: OpenVINO transposes floats faster than bytes, and TensorRT takes bytes nowhere
        # but there.
        pixels = self._op("Cast", [image], to=TensorProto.FLOAT)
        rows = self._op("Reshape", [pixels, self._integers(0, grid, patch, grid, patch * 3)])
        patches = self._op("Transpose", [rows], perm=[0, 1, 3, 2, 4])
        patches = self._op("Reshape", [patches, self._integers(0, grid**2, patch * patch * 3)])
        offsets = positions + bias
        if prediction is not None:
            padding = self._integers(0, 0, 0, 0, len(prediction), 0)
            patches = self._op("Pad", [patches, padding])
            offsets = np.concatenate([offsets, prediction])
        # (out, channel, row, column) to the order of values in a patch: row, column, channel.
        product = weight.transpose(2, 3, 1, 0).reshape(-1, v.width)
        label = f"backbone.patch_embed.proj.{image}"
        tokens = self._op("MatMul", [patches, self._floats(product)], name=label)
        return self._op("Add", [tokens, self._floats(offsets)])

    def _patch_weights(self) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Weight and bias of the patch embedding for pixels in 0..255."""
        weight = self._weight("backbone.patch_embed.proj.weight")
        mean, std = (np.reshape(values, (1, 3, 1, 1)) for values in (IMAGE_MEAN, IMAGE_STD))
        weight = weight / std
        bias = self._weight("backbone.patch_embed.proj.bias") - (weight * mean).sum(axis=(1, 2, 3))
        return weight / 255.0, bias

    def _attention_weights(self, block: int) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Weights (3, C, C) and biases (3, C) of queries, keys and values, queries scaled."""
        name, width = _block(block, "attn.qkv"), self._variant.width
        weight = self._weight(f"{name}.weight").reshape(3, width, width)
        bias = self._weight(f"{name}.bias").reshape(3, width)
        scale = np.array([self._head_width**-0.5, 1, 1])
        return weight * scale[:, None, None], bias * scale[:, None]

    def _query_key_value(
        self, normed: str, block: int, outputs: tuple[str, str] | tuple[None, None] = (None, None)
    ) -> list[str]:
        """Queries, keys and values, each (N, heads, tokens, C / heads)."""
        # Three products run faster than one and a split: no runtime splits without a copy.
        weights, biases = self._attention_weights(block)
        labels = [_block(block, f"attn.{part}") for part in ("query", "key", "value")]
        return [
            self._split_heads(self._affine(normed, weight, bias, label), name)
            for weight, bias, label, name in zip(
                weights, biases, labels, (None, *outputs), strict=True
            )
        ]

    def _attend(self, query: str, keys: str, values: str, block: int) -> str:
        turned = self._op("Transpose", [keys], perm=[0, 1, 3, 2])
        scores = self._op("MatMul", [query, turned], name=_block(block, "attn.scores"))
        weights = self._op("Softmax", [scores], axis=-1)
        return self._merge_heads(
            self._op("MatMul", [weights, values], name=_block(block, "attn.mix"))
        )

    def _rest_of_block(self, tokens: str, mixed: str, block: int) -> str:
        """Projection, residuals and MLP, after the attention."""
        return self._mlp(
            self._op("Add", [tokens, self._linear(mixed, _block(block, "attn.proj"))]), block
        )

    def _mlp(self, tokens: str, block: int) -> str:
        hidden = self._linear(self._norm(tokens, _block(block, "norm2")), _block(block, "mlp.fc1"))
        # The form of the exact GELU that runtimes recognise and fuse.
        half = self._op("Mul", [hidden, self._floats(0.5)])
        error = self._op("Erf", [self._op("Div", [hidden, self._floats(np.sqrt(2.0))])])
        gelu = self._op("Mul", [half, self._op("Add", [error, self._floats(1.0)])])
        return self._op("Add", [tokens, self._linear(gelu, _block(block, "mlp.fc2"))])

    def _last_block(self, tokens: str) -> str:
        """The prediction tokens (N, 4, C) after the last block."""
        v, block, seen = self._variant, self._variant.depth - 1, "tokens"
        weights, biases = self._attention_weights(block)
        by_head = weights.reshape(3, v.heads, self._head_width, v.width)
        own = self._norm(tokens, _block(block, "norm1"))

        label = _block(block, "attn.query")
        query = self._affine(self._last_four(own), weights[0], biases[0], label)
        query = self._split_heads(query)
        label = _block(block, "attn.key")
        query = self._op("MatMul", [query, self._floats(by_head[1])], name=label)
        query = self._op("Reshape", [query, self._integers(0, 4 * v.heads, v.width)])
        # Templates and search apart: two products cost less than joining their tokens.
        parts = {"templates": seen, "search": own}
        scores = [
            self._op(
                "MatMul",
                [query, self._op("Transpose", [part], perm=[0, 2, 1])],
                name=_block(block, f"attn.scores.{kind}"),
            )
            for kind, part in parts.items()
        ]
        attention = self._op("Softmax", [self._op("Concat", scores, axis=-1)], axis=-1)
        counts = self._integers(2 * v.template_tokens, v.search_tokens + 4)
        shares = self._op("Split", [attention, counts], outputs=2, axis=-1)
        mixed = self._op(
            "Add",
            [
                self._op("MatMul", [share, part], name=_block(block, f"attn.mix.{kind}"))
                for share, (kind, part) in zip(shares, parts.items(), strict=True)
            ],
        )
        mixed = self._op("Reshape", [mixed, self._integers(0, v.heads, 4, v.width)])
        product = self._floats(by_head[2].transpose(0, 2, 1))
        values = self._op("MatMul", [mixed, product], name=_block(block, "attn.value"))
        projection = self._weight(_block(block, "attn.proj.weight"))
        bias = self._weight(_block(block, "attn.proj.bias")) + projection @ biases[2]
        label = _block(block, "attn.proj")
        projected = self._affine(self._merge_heads(values), projection, bias, label)
        return self._mlp(self._op("Add", [self._last_four(tokens), projected]), block)

    def _heads(self, tokens: str) -> None:
        """Edges, boxes and scores of prediction tokens (N, 4, C)."""
        bins = self._variant.bins
        hidden = self._norm(
            self._linear(tokens, "box_head.layers.0.0"), "box_head.layers.0.1", _HEAD_EPSILON
        )
        logits = self._linear(self._op("Relu", [hidden]), "box_head.layers.1.0")
        logits = self._norm(logits, "box_head.layers.1.1", _HEAD_EPSILON)
        edges = self._op("Softmax", [logits], axis=-1, name="edges")
        # A sum, not a product of matrices: runtimes keep what follows the last product in float32.
        positions = self._floats(np.arange(bins) / bins)
        expected = self._op("Mul", [edges, positions])
        expected = self._op("ReduceSum", [expected, self._integers(2)], keepdims=0)
        near, far = self._op("Split", [expected, self._integers(2, 2)], outputs=2, axis=-1)
        centre = self._op("Mul", [self._op("Add", [near, far]), self._floats(0.5)])
        self._op("Concat", [centre, self._op("Sub", [far, near])], axis=-1, name="boxes")

        hidden = self._op("Relu", [self._linear(tokens, "score_head.layers.0.0")])
        hidden = self._op("ReduceMean", [hidden, self._integers(1)], keepdims=0)
        scores = self._op("Sigmoid", [self._linear(hidden, "score_head.layers.1")])
        self._op("Reshape", [scores, self._integers(-1)], name="scores")

    # Small pieces.

    def _weight(self, name: str) -> NDArray[np.float64]:
        return np.asarray(self._state[name], np.float64)

    def _linear(self, tokens: str, name: str) -> str:
        weight, bias = self._weight(f"{name}.weight"), self._weight(f"{name}.bias")
        return self._affine(tokens, weight, bias, name)

    def _affine(self, tokens: str, weight: NDArray, bias: NDArray, label: str) -> str:
        """Apply `weight` (out, in) and `bias` (out,) to every token."""
        product = self._op("MatMul", [tokens, self._floats(weight.T)], name=label)
        return self._op("Add", [product, self._floats(bias)])

    def _norm(
        self, tokens: str, name: str, epsilon: float = _BLOCK_EPSILON, output: str | None = None
    ) -> str:
        parameters = [self._floats(self._weight(f"{name}.{kind}")) for kind in ("weight", "bias")]
        return self._op(
            "LayerNormalization",
            [tokens, *parameters],
            axis=-1,
            epsilon=epsilon,
            name=output or name,
        )

    def _split_heads(self, tokens: str, output: str | None = None) -> str:
        """(N, M, C) to (N, heads, M, C / heads)."""
        shape = self._integers(0, 0, self._variant.heads, self._head_width)
        return self._op(
            "Transpose", [self._op("Reshape", [tokens, shape])], perm=[0, 2, 1, 3], name=output
        )

    def _merge_heads(self, tokens: str) -> str:
        """(N, heads, M, C / heads) to (N, M, C)."""
        turned = self._op("Transpose", [tokens], perm=[0, 2, 1, 3])
        return self._op("Reshape", [turned, self._integers(0, 0, self._variant.width)])

    def _last_four(self, tokens: str) -> str:
        start = self._variant.search_tokens
        bounds = (self._integers(start), self._integers(start + 4), self._integers(1))
        return self._op("Slice", [tokens, *bounds])

    # ONNX.

    def _op(
        self,
        kind: str,
        inputs: Sequence[str],
        outputs: int = 1,
        name: str | None = None,
        **attributes: Any,
    ) -> Any:
        """Add a node; return the name of its output, or the list of names if there are several."""
        label = name or f"{kind}_{len(self._graph.node)}"
        names = [label] if outputs == 1 else [f"{label}_{i}" for i in range(outputs)]
        self._graph.node.append(helper.make_node(kind, inputs, names, name=label, **attributes))
        return names[0] if outputs == 1 else names

    def _constant(self, values: NDArray) -> str:
        constant = self._graph.initializer.add()
        constant.name = f"constant_{len(self._graph.initializer)}"
        constant.data_type = helper.np_dtype_to_tensor_dtype(values.dtype)
        constant.dims.extend(values.shape)
        constant.raw_data = values.astype(values.dtype.newbyteorder("<"), copy=False).tobytes()
        return constant.name

    def _floats(self, values: NDArray | float) -> str:
        return self._constant(np.asarray(values, np.float32))

    def _integers(self, *values: int) -> str:
        return self._constant(np.array(values, np.int64))

    def _memory(self) -> list[onnx.ValueInfoProto]:
        v = self._variant
        count = 2 * v.template_tokens
        *keys_values, tokens = memory_names(v)
        shape: list[str | int] = [self._batch, v.heads, count, self._head_width]
        return [
            *(
                helper.make_tensor_value_info(name, TensorProto.FLOAT, shape)
                for name in keys_values
            ),
            helper.make_tensor_value_info(tokens, TensorProto.FLOAT, [self._batch, count, v.width]),
        ]

    def _finish(
        self,
        name: str,
        inputs: Sequence[onnx.ValueInfoProto],
        outputs: Sequence[onnx.ValueInfoProto],
    ) -> onnx.ModelProto:
        self._graph.name = name
        self._graph.input.extend(inputs)
        self._graph.output.extend(outputs)
        return self._model


def _block(index: int, part: str) -> str:
    return f"backbone.blocks.{index}.{part}"
