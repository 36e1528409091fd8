# Copyright 2026 mixformer2_ros contributors
# SPDX-License-Identifier: Apache-2.0
"""Recipes of trackers that can be sent to worker processes."""

from __future__ import annotations

import importlib
import os
import sys
from collections.abc import Callable
from dataclasses import asdict, dataclass, field
from functools import lru_cache
from typing import TYPE_CHECKING, Any, cast

import cv2

from mixformer2_ros.checksums import file_sha256
from mixformer2_ros.evaluation.baselines import BASELINES, BaselineTracker
from mixformer2_ros.evaluation.playback import TrackerLike
from mixformer2_ros.tracking.config import TrackerConfig

if TYPE_CHECKING:
    from mixformer2_ros.inference import Engine

TrackerFactory = Callable[[], TrackerLike]
"""Makes a tracker for one sequence; to run in worker processes it must survive pickling."""


@dataclass(frozen=True)
class Entrant:
    """A tracker that is evaluated.

    Attributes:
        name: Of its results.
        factory: Makes it.
        recipe: What decides its results (JSON values).
    """

    name: str
    factory: TrackerFactory
    recipe: dict[str, Any]


@dataclass(frozen=True)
class MixformerFactory:
    """MixFormerV2 with one engine per process.

    Attributes:
        engine: Arguments of `inference.load_engine`, as sorted pairs.
        config: Settings of the tracker.
    """

    engine: tuple[tuple[str, Any], ...] = ()
    config: TrackerConfig = field(default_factory=TrackerConfig)

    def __call__(self) -> TrackerLike:
        """Return a tracker."""
        from mixformer2_ros.tracking.tracker import Tracker

        return Tracker(_engine(self.engine), self.config)

    def describe(self) -> str:
        """Return which engine runs: network, library, device, precision, threads."""
        return _engine(self.engine).description


@lru_cache(maxsize=1)
def _engine(arguments: tuple[tuple[str, Any], ...]) -> Engine:
    from mixformer2_ros.inference import load_engine

    return load_engine(**dict(arguments))


@dataclass(frozen=True)
class BaselineFactory:
    """One of the trackers of opencv-contrib.

    Attributes:
        name: One of `baselines.BASELINES`.
    """

    name: str

    def __call__(self) -> TrackerLike:
        """Return a tracker."""
        return BaselineTracker(self.name)


@dataclass(frozen=True)
class NamedFactory:
    """A callable of the user's own that returns a tracker.

    Attributes:
        target: `module:callable`; the current folder is searched too.
    """

    target: str

    def __call__(self) -> TrackerLike:
        """Return a tracker.

        Raises:
            ValueError: There is no such module or callable, or what it returns is no tracker.
        """
        module, _, name = self.target.partition(":")
        if os.getcwd() not in sys.path:
            sys.path.append(os.getcwd())
        try:
            tracker = getattr(importlib.import_module(module), name)()
        except (ImportError, AttributeError) as error:
            raise ValueError(f"tracker {self.target!r}: {error}; give module:callable") from error
        if not all(callable(getattr(tracker, method, None)) for method in ("init", "update")):
            raise ValueError(
                f"tracker {self.target!r} returned {tracker!r}, which has no init and update"
            )
        return cast(TrackerLike, tracker)


def tracker_factory(
    spec: str, engine: dict[str, Any], config: TrackerConfig | None = None
) -> TrackerFactory:
    """Return the recipe of a tracker.

    Args:
        spec: "mixformer", one of `baselines.BASELINES`, or `module:callable`.
        engine: Arguments of `inference.load_engine`; for "mixformer".
        config: Settings of the tracker; for "mixformer".

    Raises:
        ValueError: The spec is none of these.
    """
    if spec == "mixformer":
        return MixformerFactory(tuple(sorted(engine.items())), config or TrackerConfig())
    if spec in BASELINES:
        return BaselineFactory(spec)
    module, colon, name = spec.partition(":")
    if colon and module and name:
        return NamedFactory(spec)
    raise ValueError(
        f"tracker {spec!r} is unknown: give mixformer, {', '.join(BASELINES)} or module:callable"
    )


def recipe_of(factory: TrackerFactory) -> dict[str, Any]:
    """Return what decides the results of a tracker, as JSON values, to be kept beside them.

    Args:
        factory: From `tracker_factory`.

    Raises:
        ModelError: The weights of a MixFormer are missing, or nothing installed runs it.
    """
    if isinstance(factory, BaselineFactory):
        return {"tracker": factory.name, "opencv": cv2.__version__}
    if isinstance(factory, NamedFactory):
        return {"tracker": factory.target}
    if not isinstance(factory, MixformerFactory):
        raise TypeError(f"{factory!r} is not from tracker_factory")
    settings = {f"tracker.{name}": value for name, value in asdict(factory.config).items()}
    return {"tracker": "mixformer", **_network(factory), **settings}


def _network(factory: MixformerFactory) -> dict[str, str]:
    """What decides a network's answers: weights, and what "auto" stands for on this machine."""
    from mixformer2_ros.inference import ModelError
    from mixformer2_ros.inference.artefact import METADATA, is_artefact
    from mixformer2_ros.inference.loading import find_weights, what_runs
    from mixformer2_ros.inference.ranges import find_ranges

    engine = {name: value for name, value in factory.engine if name != "threads"}
    backend, precision = what_runs(**engine)
    path = find_weights(engine.get("variant", "small"), engine.pop("checkpoint", None))
    file = path / METADATA if is_artefact(path) else path
    try:
        digest = file_sha256(file)
    except OSError as error:
        raise ModelError(f"{path}: cannot be read: {error}") from error
    weights = f"{path.name} sha256 {digest[:16]}"
    network = {**engine, "backend": backend, "precision": precision, "weights": weights}
    if precision == "int8" and file == path:
        network["ranges"] = find_ranges(path, digest).digest()
    return network
