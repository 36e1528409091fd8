# Copyright 2026 mixformer2_ros contributors
# SPDX-License-Identifier: Apache-2.0
"""Muon for the matrices of the transformer, AdamW for everything else.

Muon (K. Jordan et al., 2024) replaces a matrix's momentum by the nearest orthogonal matrix. Here it
works on blocks of rows: one attention head, or a fixed number of rows, which costs far less.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import torch
from torch import Tensor

from mixformer2_ros.model import MixFormerV2
from mixformer2_ros.training.config import OptimiserConfig
from mixformer2_ros.training.network import TrainingNetwork
from mixformer2_ros.training.parts import blocks_of, box_layers, score_layers

_ROWS = 128
_COEFFICIENTS = (3.4445, -4.7750, 2.0315)
# Root mean square of an update in units of the learning rate, as AdamW's (arXiv 2502.16982).
_UPDATE_RMS = 0.2


def orthogonalise(matrices: Tensor, steps: int = 5) -> Tensor:
    """Return about the nearest matrices with orthonormal rows, by Newton-Schulz iteration.

    Args:
        matrices: (B, m, n) with m <= n.
        steps: Iterations; singular values end between about 0.7 and 1.2.
    """
    a, b, c = _COEFFICIENTS
    x = matrices.bfloat16()
    x = x / (x.flatten(1).norm(dim=1)[:, None, None] + 1e-7)
    for _ in range(steps):
        gram = x @ x.mT
        x = a * x + (b * gram + c * gram @ gram) @ x
    return x.to(matrices.dtype)


class Muon(torch.optim.Optimizer):
    """Momentum, orthogonalised block by block.

    Args:
        params: Groups with the keys "params" (matrices), "rows" (rows of a block) and
            "transposed" (the blocks are columns).
        lr: Learning rate, on AdamW's scale.
        momentum: Nesterov momentum.
        weight_decay: Decoupled weight decay.
    """

    def __init__(
        self,
        params: Iterable[dict[str, Any]],
        lr: float,
        momentum: float = 0.95,
        weight_decay: float = 0.0,
    ) -> None:
        super().__init__(params, {"lr": lr, "momentum": momentum, "weight_decay": weight_decay})

    @torch.no_grad()
    def step(self, closure: None = None) -> None:  # type: ignore[override]
        """Update all parameters that have a gradient."""
        for group in self.param_groups:
            for parameter in group["params"]:
                if parameter.grad is None:
                    continue
                state = self.state[parameter]
                if not state:
                    state["momentum"] = torch.zeros_like(parameter)
                momentum = state["momentum"].lerp_(parameter.grad, 1 - group["momentum"])
                update = parameter.grad.lerp(momentum, group["momentum"])
                if group["transposed"]:
                    update = update.T
                blocks = update.reshape(-1, group["rows"], update.shape[-1])
                update = orthogonalise(blocks).reshape(update.shape)
                if group["transposed"]:
                    update = update.T
                scale = _UPDATE_RMS * max(group["rows"], blocks.shape[-1]) ** 0.5
                parameter.mul_(1 - group["lr"] * group["weight_decay"])
                parameter.add_(update, alpha=-group["lr"] * scale)


def build_optimisers(
    network: TrainingNetwork, config: OptimiserConfig
) -> list[torch.optim.Optimizer]:
    """Share the parameters out between Muon and AdamW; each group's "peak" is its highest rate."""
    model: MixFormerV2 = network.model
    by_head: list[Tensor] = []
    by_head_columns: list[Tensor] = []
    by_rows: list[Tensor] = [box_layers(model).hidden.weight]
    by_rows.append(score_layers(model).hidden.weight)
    for block in blocks_of(model):
        by_head.append(block.attn.qkv.weight)
        by_head_columns.append(block.attn.proj.weight)
        by_rows += [block.mlp.fc1.weight, block.mlp.fc2.weight]
    attention = blocks_of(model)[0].attn
    head = attention.proj.in_features // attention.heads
    rows = min(_ROWS, attention.proj.in_features)
    muon = Muon(
        [
            {"params": by_head, "rows": head, "transposed": False, "peak": config.muon_lr},
            {"params": by_head_columns, "rows": head, "transposed": True, "peak": config.muon_lr},
            {"params": by_rows, "rows": rows, "transposed": False, "peak": config.muon_lr},
        ],
        lr=config.muon_lr,
        weight_decay=config.weight_decay,
    )
    patches = list(model.backbone.patch_embed.parameters())
    for parameter in patches:
        parameter.requires_grad_(config.patch_lr > 0)
    taken = {id(parameter) for parameter in [*by_head, *by_head_columns, *by_rows, *patches]}
    others = [
        parameter
        for parameter in network.parameters()
        if parameter.requires_grad and id(parameter) not in taken
    ]
    groups = [
        {
            "params": [parameter for parameter in others if parameter.ndim > 1],
            "peak": config.adam_lr,
        },
        {
            "params": [parameter for parameter in others if parameter.ndim <= 1],
            "peak": config.adam_lr,
            "weight_decay": 0.0,
        },
    ]
    if config.patch_lr > 0:
        groups.append({"params": patches, "peak": config.patch_lr})
    adam = torch.optim.AdamW(
        groups, lr=config.adam_lr, betas=(0.9, 0.98), weight_decay=config.weight_decay
    )
    return [muon, adam]
