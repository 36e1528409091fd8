# Copyright 2026 mixformer2_ros contributors
# SPDX-License-Identifier: Apache-2.0
"""Artefacts kept from one start to the next, found again by what they were made from."""

from __future__ import annotations

import hashlib
import json
import logging
import os
import shutil
import tempfile
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path

from mixformer2_ros.inference.artefact import Artefact, Recipe, check_recipe, open_artefact
from mixformer2_ros.inference.engine import ModelError

CACHE_VARIABLE = "MIXFORMER2_CACHE"
# Artefacts that are kept, the most recently used ones.
_KEPT = 8
_PACKAGE = Path(__file__).resolve().parents[1]
_LOG = logging.getLogger(__name__)
# Stand in for the cache where there is no place for it; removed when the process ends.
_TEMPORARY: list[tempfile.TemporaryDirectory[str]] = []


def cache_folder() -> Path:
    """Folder of the cache: $MIXFORMER2_CACHE, else mixformer2_ros in the user's cache folder."""
    own = os.environ.get(CACHE_VARIABLE)
    if own:
        return Path(own).expanduser()
    base = os.environ.get("XDG_CACHE_HOME")
    return (Path(base) if base else Path.home() / ".cache") / "mixformer2_ros"


def cache_key(recipe: Recipe) -> str:
    """Name of an artefact in the cache: readable, and another one for each content."""
    # Another version of this package may fold otherwise, or write other graphs.
    folders = (_PACKAGE / "inference", _PACKAGE / "model")
    sources = [path.read_text() for folder in folders for path in sorted(folder.glob("*.py"))]
    digest = hashlib.sha256(json.dumps([asdict(recipe), sources]).encode()).hexdigest()
    return f"{recipe.variant}-{recipe.backend}-{recipe.precision}-{digest[:16]}"


def obtain(recipe: Recipe, build: Callable[[Path], None]) -> Artefact:
    """Take an artefact out of the cache; make it first where it is not there or is damaged.

    Args:
        recipe: What it must have been made from and for.
        build: Makes it in an empty folder.

    Raises:
        ModelError: It cannot be made.
    """
    folder = _writable(cache_folder) / cache_key(recipe)
    if folder.is_dir():
        try:
            artefact = open_artefact(folder)
            check_recipe(artefact, **asdict(recipe))
        except ModelError as error:
            _LOG.warning("%s. It is made anew.", error)
            shutil.rmtree(folder, ignore_errors=True)
        else:
            os.utime(folder)
            return artefact
    store(folder, build)
    _prune(folder.parent)
    return open_artefact(folder)


def store(folder: Path, build: Callable[[Path], None]) -> None:
    """Make an artefact beside its place and move it there whole.

    Args:
        folder: Its place. An artefact that has appeared there in the meantime is kept.
        build: Makes it in an empty folder.

    Raises:
        OSError: The place cannot be written.
    """
    folder.parent.mkdir(parents=True, exist_ok=True)
    draft = Path(tempfile.mkdtemp(prefix=".draft-", dir=folder.parent))
    try:
        build(draft)
        draft.chmod(0o755)
        try:
            draft.rename(folder)
        except OSError:
            if not folder.is_dir():
                raise
    finally:
        shutil.rmtree(draft, ignore_errors=True)


def _writable(cache: Callable[[], Path]) -> Path:
    """The cache's folder, or one for this process alone where that cannot be written."""
    try:
        folder = cache()
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=folder):
            return folder
    except (OSError, RuntimeError) as error:  # RuntimeError: the user has no home
        _LOG.warning(
            "The network is made ready anew at every start, because there is no place to keep it "
            "(%s): let %s name a folder that can be written",
            error,
            CACHE_VARIABLE,
        )
    _TEMPORARY.append(tempfile.TemporaryDirectory(prefix="mixformer2-"))
    return Path(_TEMPORARY[-1].name)


def _prune(cache: Path) -> None:
    """Remove the artefacts that were not used for longest."""
    folders = [path for path in cache.iterdir() if path.is_dir() and path.name[0] != "."]
    folders.sort(key=lambda path: path.stat().st_mtime)
    for folder in folders[:-_KEPT]:
        shutil.rmtree(folder, ignore_errors=True)
