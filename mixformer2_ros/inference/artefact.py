# Copyright 2026 mixformer2_ros contributors
# SPDX-License-Identifier: Apache-2.0
"""A network made ready for one runtime: a folder of graphs, weights and a description of them."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

from mixformer2_ros.checksums import file_sha256
from mixformer2_ros.inference.engine import ModelError
from mixformer2_ros.model.variants import Variant, get_variant

FORMAT = 2
METADATA = "artefact.json"
# The two graphs, without the suffix of their files.
TEMPLATE_GRAPH = "encode_templates"
LOCATE_GRAPH = "locate"
# Sizes that folding changes.
_FOLDED = ("width", "heads", "mlp_ratio")


@dataclass(frozen=True)
class Recipe:
    """What the contents of an artefact follow from.

    Attributes:
        variant: Name of the network's variant.
        checkpoint_sha256: Hash of the file of weights.
        backend: Runtime that the artefact is for.
        precision: "fp32", "fp16", "bf16" or "int8".
        batch: Targets in one forward; 0 for any number.
        runtime: Version of that runtime.
        calibration: Where the ranges of an int8 network come from; empty for the others.
    """

    variant: str
    checkpoint_sha256: str
    backend: str
    precision: str
    batch: int
    runtime: str
    calibration: str = ""


@dataclass(frozen=True)
class Artefact:
    """An artefact on disk, checked.

    Attributes:
        folder: Where it lies.
        recipe: What it was made from and for.
        variant: Sizes of the network in the graphs, which may be folded.
    """

    folder: Path
    recipe: Recipe
    variant: Variant

    def graph(self, name: str) -> Path:
        """File of the graph `TEMPLATE_GRAPH` or `LOCATE_GRAPH`."""
        suffixes = {"openvino": ".xml", "tensorrt": ".plan"}
        return self.folder / f"{name}{suffixes.get(self.recipe.backend, '.onnx')}"


def is_artefact(path: Path) -> bool:
    """Whether a path is meant to be an artefact rather than a file of weights."""
    return path.is_dir()


def write_metadata(
    folder: Path, recipe: Recipe, variant: Variant, made_with: Mapping[str, str]
) -> None:
    """Describe a folder that is otherwise complete.

    Args:
        folder: Holds the artefact's files and nothing else.
        recipe: What they were made from and for.
        variant: Sizes of the network in the graphs.
        made_with: Versions of what made them, for the reader.
    """
    files = {
        path.name: {"bytes": path.stat().st_size, "sha256": file_sha256(path)}
        for path in sorted(folder.iterdir())
    }
    content = {
        "format": FORMAT,
        **asdict(recipe),
        "sizes": {name: getattr(variant, name) for name in _FOLDED},
        "made_with": dict(made_with),
        "files": files,
    }
    (folder / METADATA).write_text(json.dumps(content, indent=2) + "\n")


def open_artefact(folder: Path) -> Artefact:
    """Read an artefact's description and check its files against it.

    Raises:
        ModelError: It is none, is of another format, or a file is missing or damaged.
    """
    content = _read_metadata(folder)
    if content.get("format") != FORMAT:
        raise refusal(
            folder, f"its format is {content.get('format')}, and this version reads {FORMAT}"
        )
    try:
        recipe = Recipe(**{name: content[name] for name in Recipe.__dataclass_fields__})
        files = {str(name): dict(entry) for name, entry in content["files"].items()}
        sizes: dict[str, Any] = {name: int(content["sizes"][name]) for name in _FOLDED}
        variant = replace(get_variant(recipe.variant), **sizes)
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise refusal(
            folder, f"{METADATA} is incomplete ({type(error).__name__}: {error})"
        ) from error
    for name, entry in files.items():
        path = folder / name
        if not path.is_file():
            raise refusal(folder, f"{name} is missing")
        if path.stat().st_size != entry.get("bytes") or file_sha256(path) != entry.get("sha256"):
            raise refusal(folder, f"{name} is not as it was written: it is damaged or was changed")
    return Artefact(folder, recipe, variant)


def check_recipe(artefact: Artefact, **wanted: Any) -> None:
    """Refuse an artefact that was made from or for something else.

    Args:
        artefact: The artefact.
        **wanted: Fields of `Recipe` and what they must be.

    Raises:
        ModelError: One of them differs.
    """
    for name, value in wanted.items():
        found = getattr(artefact.recipe, name)
        if found != value:
            words = name.replace("_", " ").replace("sha256", "(sha256)")
            raise refusal(artefact.folder, f"its {words} is {found!r}, wanted is {value!r}")


def refusal(folder: Path, reason: str) -> ModelError:
    """The error for an artefact that cannot be used."""
    return ModelError(
        f"artefact {str(folder)!r} cannot be used: {reason}. Make it anew with mixformer2 export, "
        "or give the checkpoint itself"
    )


def _read_metadata(folder: Path) -> dict[str, Any]:
    path = folder / METADATA
    if not path.is_file():
        raise refusal(folder, f"it has no {METADATA}")
    try:
        content = json.loads(path.read_text())
    except (OSError, ValueError) as error:
        raise refusal(folder, f"{METADATA} cannot be read ({error})") from error
    if not isinstance(content, dict):
        raise refusal(folder, f"{METADATA} is no description of an artefact")
    return content
