# Copyright 2026 mixformer2_ros contributors
# SPDX-License-Identifier: Apache-2.0
"""Renders descriptions on the device."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional

from mixformer2_ros.scenes.batched.atlas import Atlas, Pictures
from mixformer2_ros.scenes.batched.description import Crops, Description, Layers, Objects
from mixformer2_ros.scenes.batched.layers import OBJECT_LEVELS
from mixformer2_ros.scenes.batched.optics import expose
from mixformer2_ros.scenes.batched.truth import coverage, tight_boxes
from mixformer2_ros.scenes.batched.upload import upload
from mixformer2_ros.scenes.batched.warp import nodes, seen_through

_SURFACE_LEVEL = 1


@dataclass(frozen=True)
class Rendered:
    """N rendered crops of one side S.

    Attributes:
        images: (N, S, S, 3) uint8 RGB.
        boxes: (N, 4) float32 x1, y1, x2, y2, pixels: the box of where the target covers more than
            half of a pixel, as far as it lies in crop and image, whether or not something hides it;
            zeros where there is none. For a target that a picture shows: of its marked box.
        visibility: (N,) float32 share of the target's area that is in sight; 0 where absent.
        alpha: (N, S, S) float32 the target's coverage, which the boxes were measured on.
    """

    images: Tensor
    boxes: Tensor
    visibility: Tensor
    alpha: Tensor


def render(description: Description, atlas: Atlas) -> tuple[Rendered, Rendered]:
    """Render a batch: its templates and its search crops."""
    objects = paint_objects(description.objects, atlas)
    templates = render_crops(description.templates, objects, atlas)
    searches = render_crops(description.searches, objects, atlas)
    return templates, searches


def paint_objects(objects: Objects, atlas: Atlas) -> tuple[Tensor, ...]:
    """Give objects their surface and colours.

    Returns:
        Mip levels (n, 4, side / 2**l, side / 2**l) float32 in [0, 1], premultiplied by alpha.
    """
    device = atlas.device
    rgba = atlas.sprites.textures[upload(objects.sprites, device)].float().div_(255.0)
    rows = np.flatnonzero(objects.pictures >= 0)
    if len(rows):
        _give_surface(rgba, rows, objects, atlas.pictures)
    flat = rgba.flatten(2)
    painted = torch.bmm(upload(objects.colours, device), flat).clamp_min_(0.0)
    painted = torch.minimum(painted, flat[:, 3:])
    levels = [torch.cat([painted, flat[:, 3:]], dim=1).view_as(rgba)]
    while len(levels) < OBJECT_LEVELS:
        levels.append(functional.avg_pool2d(levels[-1], 2))
    return tuple(levels)


def _give_surface(
    rgba: Tensor, rows: NDArray[np.int64], objects: Objects, pictures: Pictures
) -> None:
    device, side = rgba.device, rgba.shape[-1]
    index = upload(rows, device)
    source = pictures.levels[_SURFACE_LEVEL][upload(objects.pictures[rows], device)]
    x, y, reach = upload(objects.windows[rows], device)[:, :, None, None].unbind(1)
    line = torch.linspace(-1, 1, side, device=device)
    grid = torch.stack(
        [
            (x + reach * line).expand(-1, side, side),
            (y + reach * line[:, None]).expand(-1, side, side),
        ],
        dim=-1,
    )
    surface = functional.grid_sample(source.float().div_(255.0), grid, align_corners=False)
    share = upload(objects.shares[rows], device)[:, None, None, None]
    own = rgba.index_select(0, index)
    own[:, :3] = torch.lerp(own[:, :3], surface * own[:, 3:], share)
    rgba.index_copy_(0, index, own)


def render_crops(crops: Crops, objects: tuple[Tensor, ...], atlas: Atlas) -> Rendered:
    """Render crops of one side; see `Rendered` for what comes out.

    Args:
        crops: What they show.
        objects: Painted objects, see `paint_objects`.
        atlas: The material.
    """
    device, side = atlas.device, crops.side
    canvas = _backdrop(crops, atlas)
    alpha, clear = _paint(canvas, crops.layers, objects)
    marked = np.flatnonzero(crops.marked)
    if len(marked):
        boxes = upload(crops.boxes[marked], device)
        alpha.index_copy_(0, upload(marked, device), coverage(boxes, side))
    inside = _inside(crops, device)
    alpha = alpha * inside
    boxes = tight_boxes(alpha)
    area = torch.maximum(upload(crops.areas, device), alpha.sum(dim=(1, 2))).clamp_min(1.0)
    visibility = (alpha * clear).sum(dim=(1, 2)) / area
    images = expose(canvas, crops.optics, atlas.noise) * inside[:, None]
    images = images.mul_(255.0).round_().byte().permute(0, 2, 3, 1).contiguous()
    return Rendered(images, boxes, visibility, alpha)


def _backdrop(crops: Crops, atlas: Atlas) -> Tensor:
    device = atlas.device
    canvas = torch.empty(len(crops.pictures), 3, crops.side, crops.side, device=device)
    order = np.argsort(crops.picture_levels, kind="stable")
    rows, pictures = upload(order, device), upload(crops.pictures[order], device)
    coarse = nodes(upload(crops.picture_warps[order], device), crops.side)
    ends = np.cumsum(np.bincount(crops.picture_levels, minlength=len(atlas.pictures.levels)))
    start = 0
    for level, end in zip(atlas.pictures.levels, ends.tolist(), strict=True):
        if end > start:
            texture = level[pictures[start:end]].float().div_(255.0)
            seen = seen_through(texture, coarse[start:end], crops.side, "reflection")
            canvas.index_copy_(0, rows[start:end], seen)
        start = end
    return canvas


def _paint(canvas: Tensor, layers: Layers, objects: tuple[Tensor, ...]) -> tuple[Tensor, Tensor]:
    """Paint all layers, in place.

    Returns:
        (N, S, S) what the target covers, and what occluders leave in sight.
    """
    device, side = canvas.device, canvas.shape[-1]
    alpha = torch.zeros_like(canvas[:, 0])
    clear = torch.ones_like(alpha)
    crops, numbers = upload(layers.crops, device), upload(layers.objects, device)
    weights = upload(layers.weights, device)[:, :, None, None]
    coarse = nodes(upload(layers.warps, device), side)
    for run in layers.runs:
        rows, here = run.rows, crops[run.rows]
        texture = objects[run.level][numbers[rows]] * weights[rows]
        patch = seen_through(texture, coarse[rows], side)
        left = 1.0 - patch[:, 3:]
        canvas.index_copy_(0, here, torch.addcmul(patch[:, :3], canvas.index_select(0, here), left))
        if run.role == "target":
            alpha.index_copy_(0, here, patch[:, 3])
        elif run.role == "occluder":
            clear.index_copy_(0, here, left[:, 0])
    return alpha, clear


def _inside(crops: Crops, device: torch.device) -> Tensor:
    """Return (N, S, S) 1 inside of the image and 0 beyond its edge."""
    x1, y1, x2, y2 = upload(crops.bounds, device)[:, :, None].unbind(1)
    middle = torch.arange(crops.side, device=device) + 0.5
    columns, rows = (middle > x1) & (middle < x2), (middle > y1) & (middle < y2)
    return (rows[:, :, None] & columns[:, None, :]).float()
