# Copyright 2026 mixformer2_ros contributors
# SPDX-License-Identifier: Apache-2.0
"""AdamW as published, or Muon for the matrices of the transformer and AdamW for the rest.

Muon (K. Jordan et al., 2024) replaces a matrix's momentum by the nearest orthogonal matrix. Here it
works on blocks of rows: one attention head, or a fixed number of rows, which costs far less.
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from typing import Any

import torch
from torch import Tensor, nn

from mixformer2_ros.model.attention import Attention
from mixformer2_ros.model.backbone import Mlp, PatchEmbedding
from mixformer2_ros.model.heads import BoxHead, ScoreHead
from mixformer2_ros.training.config import OptimiserConfig
from mixformer2_ros.training.stages.stage import Stage

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


def build_optimisers(stage: Stage, config: OptimiserConfig) -> list[torch.optim.Optimizer]:
    """Build the optimisers of a stage.

    Each group's "peak" is its highest rate, and "from" the share of the training before which its
    rate is 0.

    Parameters that must stay as they are (`patch_lr` 0) lose their gradient.

    Args:
        stage: What to train.
        config: Kind and rates.
    """
    if config.patch_lr == 0:
        for parameter in _patches(stage):
            parameter.requires_grad_(False)
    return _muon(stage, config) if config.kind == "muon" else [_adamw(stage, config)]


def _patches(stage: Stage) -> list[Tensor]:
    """Return the parameters of the student's patch embedding."""
    embeddings = (part for part in stage.student.modules() if isinstance(part, PatchEmbedding))
    return [parameter for part in embeddings for parameter in part.parameters()]


def _adamw(stage: Stage, config: OptimiserConfig) -> torch.optim.Optimizer:
    patches = {id(parameter) for parameter in _patches(stage)}
    groups: dict[str, list[Tensor]] = {"patches": [], "backbone": [], "heads": []}
    for name, parameter in stage.named_parameters():
        if not parameter.requires_grad:
            continue
        place = "backbone" if ".backbone." in f".{name}" else "heads"
        groups["patches" if id(parameter) in patches else place].append(parameter)
    backbone = config.adam_lr * config.backbone
    patch_lr = backbone if config.patch_lr is None else config.patch_lr
    peaks = {"patches": patch_lr, "backbone": backbone, "heads": config.adam_lr}
    members: list[dict[str, Any]] = [
        {"params": groups[name], "peak": peak, "from": config.patch_from * (name == "patches")}
        for name, peak in peaks.items()
        if groups[name]
    ]
    return torch.optim.AdamW(
        members,
        lr=config.adam_lr,
        weight_decay=config.weight_decay,
        fused=_on_gpu(stage),
    )


def _on_gpu(stage: Stage) -> bool:
    return all(parameter.is_cuda for parameter in stage.parameters())


def _muon(stage: Stage, config: OptimiserConfig) -> list[torch.optim.Optimizer]:
    groups = _matrix_groups(stage, config)
    muon = Muon(groups, lr=config.muon_lr, weight_decay=config.weight_decay)
    patches = _patches(stage)
    taken = {id(parameter) for group in groups for parameter in group["params"]}
    taken |= {id(parameter) for parameter in patches}
    others = [
        parameter
        for parameter in stage.parameters()
        if parameter.requires_grad and id(parameter) not in taken
    ]
    patch_lr = config.adam_lr if config.patch_lr is None else config.patch_lr
    matrices = [parameter for parameter in others if parameter.ndim > 1]
    flat = [parameter for parameter in others if parameter.ndim <= 1]
    adam_groups: list[dict[str, Any]] = [
        {"params": matrices, "peak": config.adam_lr},
        {"params": flat, "peak": config.adam_lr, "weight_decay": 0.0},
    ]
    if patch_lr > 0:
        adam_groups.append({"params": patches, "peak": patch_lr, "from": config.patch_from})
    adam = torch.optim.AdamW(
        adam_groups,
        lr=config.adam_lr,
        betas=(0.9, 0.98),
        weight_decay=config.weight_decay,
        fused=_on_gpu(stage),
    )
    return [muon, adam]


def _matrix_groups(stage: Stage, config: OptimiserConfig) -> list[dict[str, Any]]:
    """Return the maps between features, by the number of rows that belong together."""
    by_head: dict[int, list[Tensor]] = {}
    by_head_columns: dict[int, list[Tensor]] = {}
    by_rows: dict[int, list[Tensor]] = {}
    for part in stage.student.modules():
        if isinstance(part, Attention):
            head = part.proj.in_features // part.heads
            by_head.setdefault(head, []).append(part.qkv.weight)
            by_head_columns.setdefault(head, []).append(part.proj.weight)
        elif isinstance(part, (Mlp, BoxHead, ScoreHead)):
            linear = [layer for layer in part.modules() if isinstance(layer, nn.Linear)]
            # The last layer of a head is no map between features.
            for layer in linear if isinstance(part, Mlp) else linear[:1]:
                rows = math.gcd(_ROWS, layer.out_features)
                by_rows.setdefault(rows, []).append(layer.weight)
    blocks = [(by_head, False), (by_head_columns, True), (by_rows, False)]
    return [
        {"params": trained, "rows": rows, "transposed": transposed, "peak": config.muon_lr}
        for members, transposed in blocks
        for rows, weights in members.items()
        if (trained := [weight for weight in weights if weight.requires_grad])
    ]
