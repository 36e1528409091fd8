# Copyright 2026 mixformer2_ros contributors
# SPDX-License-Identifier: Apache-2.0
"""One picture of what the network saw in a frame.

Needs the extra `report` (matplotlib).
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle
from numpy.typing import NDArray

from mixformer2_ros.evaluation.inspection import Inspection
from mixformer2_ros.model.heads import EDGE_ORDER

_EDGE_COLOURS = dict(zip(EDGE_ORDER, ("#e8590c", "#1c7ed6", "#d6336c", "#2b8a3e"), strict=True))
_BOX_COLOUR = "#ffd43b"
_HEAT = "inferno"
_DPI = 110

# Inches.
_CELL, _GAP, _MARGIN = 1.7, 0.28, 0.4
_COLUMNS = 7
_CROP, _PLOT = 3.4, 0.8
_WIDTH = 2 * _MARGIN + _COLUMNS * _CELL + (_COLUMNS - 1) * 0.12
_TOP = 0.75 + _PLOT + 0.1 + _CROP + 0.35

_GUIDE = """Above and beside the crop: where the network believes the
edges of the target to be; dashed: the expected position;
yellow: the box. Wide or double hills are doubt.

Below, layer by layer, mean over the heads:
left, top, right, bottom: where the token that becomes
   this edge looks in the search crop
search to templates: how much each patch of the crop
   looks at the templates
initial, online: which patches of the templates the crop
   looks at
Each map is scaled to its own maximum; the percentages are
shares of all attention."""


class _Sheet:
    """A figure on which axes are placed in inches from its left upper corner."""

    def __init__(self, width: float, height: float) -> None:
        self.figure = Figure(figsize=(width, height))
        FigureCanvasAgg(self.figure)
        self._width, self._height = width, height

    def axes(self, x: float, y: float, width: float, height: float) -> Axes:
        bottom = self._height - y - height
        return self.figure.add_axes(
            (x / self._width, bottom / self._height, width / self._width, height / self._height)
        )

    def text(self, x: float, y: float, text: str, size: float) -> None:
        self.figure.text(x / self._width, 1 - y / self._height, text, size=size, va="top")


def draw(path: Path, inspection: Inspection) -> None:
    """Write a PNG picture: crops and edge distributions, below them attention, layer by layer.

    Args:
        path: The file.
        inspection: What there is to show.

    Raises:
        OSError: The file cannot be written.
    """
    layers = len(inspection.attention.edges_to_search)
    sheet = _Sheet(_WIDTH, _TOP + layers * (_CELL + _GAP) + 0.1)
    state = inspection.result.state.name.lower()
    title = f"Frame {inspection.index}: score {inspection.score:.2f}, {state}"
    sheet.text(_MARGIN, 0.15, title, 14)
    _draw_crops(sheet, inspection)
    for layer in range(layers):
        _draw_layer(sheet, inspection, layer)
    sheet.figure.savefig(path, format="png", dpi=_DPI, metadata={"Software": None})


def _draw_crops(sheet: _Sheet, inspection: Inspection) -> None:
    for i, name in enumerate(("initial", "online")):
        axes = sheet.axes(_MARGIN, 0.9 + i * 2.1, 1.8, 1.8)
        _show(axes, inspection.templates[i], f"{name} template")
    left, top = _MARGIN + 2.3, 0.75
    crop = sheet.axes(left, top + _PLOT + 0.1, _CROP, _CROP)
    across = sheet.axes(left, top, _CROP, _PLOT)
    down = sheet.axes(left + _CROP + 0.1, top + _PLOT + 0.1, _PLOT, _CROP)
    _show(crop, inspection.crop, "")
    side = inspection.crop.shape[0]
    cx, cy, w, h = inspection.box * side
    crop.add_patch(Rectangle((cx - w / 2, cy - h / 2), w, h, fill=False, color=_BOX_COLOUR, lw=2))
    bins = inspection.edges.shape[1]
    positions = np.arange(bins) / bins * side
    for name, probabilities in zip(EDGE_ORDER, inspection.edges, strict=True):
        expected = float(probabilities @ positions)
        colour = _EDGE_COLOURS[name]
        if name in ("left", "right"):
            across.fill_between(positions, probabilities, color=colour, alpha=0.6, label=name)
            crop.axvline(expected, color=colour, lw=1, ls="--")
        else:
            down.fill_betweenx(positions, probabilities, color=colour, alpha=0.6, label=name)
            crop.axhline(expected, color=colour, lw=1, ls="--")
    across.set(xlim=(0, side), ylim=(0, None))
    down.set(ylim=(side, 0), xlim=(0, None))
    for axes in (across, down):
        axes.set(xticks=[], yticks=[])
        axes.spines[:].set_visible(False)
        axes.legend(fontsize=8, frameon=False)
    sheet.text(left + _CROP + _PLOT + 0.5, top + _PLOT + 0.1, _GUIDE, 10)


def _draw_layer(sheet: _Sheet, inspection: Inspection, layer: int) -> None:
    maps = inspection.attention
    cells = [
        (inspection.crop, heat, f"{name}: {heat.sum():.0%} crop, {share:.0%} templates")
        for name, heat, share in zip(
            EDGE_ORDER, maps.edges_to_search[layer], maps.edges_to_templates[layer], strict=True
        )
    ]
    share = maps.search_to_templates[layer]
    cells.append((inspection.crop, share, f"search to templates: {share.mean():.0%}"))
    for name, image, heat in zip(
        ("initial", "online"), inspection.templates, maps.templates_from_search[layer], strict=True
    ):
        cells.append((image, heat, f"{name}: {heat.sum():.0%} of search"))
    top = _TOP + layer * (_CELL + _GAP)
    for column, cell in enumerate(cells):
        axes = sheet.axes(_MARGIN + column * (_CELL + 0.12), top, _CELL, _CELL)
        _heat(axes, *cell)
        if column == 0:
            axes.set_ylabel(f"layer {layer + 1}", fontsize=10)


def _show(axes: Axes, image: NDArray[np.uint8], title: str) -> None:
    axes.imshow(image)
    axes.set_xticks([])
    axes.set_yticks([])
    axes.set_title(title, fontsize=10)


def _heat(axes: Axes, image: NDArray[np.uint8], heat: NDArray[np.float32], title: str) -> None:
    height, width = image.shape[:2]
    grey = image.mean(axis=2)
    axes.imshow(grey, cmap="gray", vmin=0, vmax=255)
    axes.imshow(
        heat, cmap=_HEAT, alpha=0.65, interpolation="bilinear", extent=(0, width, height, 0), vmin=0
    )
    axes.set_xticks([])
    axes.set_yticks([])
    axes.set_title(title, fontsize=7.5, pad=3)
