# Copyright 2026 mixformer2_ros contributors
# SPDX-License-Identifier: Apache-2.0
"""What can be measured in a process of its own: engines, whole trackers, products of matrices."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from typing import Any, Protocol

import cv2
import numpy as np
from numpy.typing import NDArray

from mixformer2_ros.benchmark.gemm import Product, product_runner
from mixformer2_ros.inference import (
    Engine,
    Locations,
    ModelError,
    load_engine,
)
from mixformer2_ros.inference.loading import find_weights
from mixformer2_ros.model.variants import IMAGE_MEAN, IMAGE_STD, Variant, get_variant

_SCENE_FRAMES = 90

Times = dict[str, float]
"""Seconds of one frame by name; `frame` is the whole."""


@dataclass(frozen=True)
class Spec:
    """What a process is to run.

    Attributes:
        kind: `engine`, `reference` (the published way), `tracker`, `baseline` or `products`.
        threads: CPU threads.
        model: Network variant.
        checkpoint: Weights; None for the default ones.
        backend: Of an engine or a tracker; of a baseline its name.
        precision: Of an engine or a tracker.
        size: Width and height of a tracker's images, pixels.
        products: What to multiply, of one library and precision.
        device: Of an engine, a tracker or the reference.
    """

    kind: str
    threads: int
    model: str = "small"
    checkpoint: str | None = None
    backend: str = "auto"
    precision: str = "auto"
    size: tuple[int, int] = (1280, 720)
    products: tuple[Product, ...] = ()
    device: str = "cpu"

    def to_json(self) -> dict[str, Any]:
        """Return it as JSON values."""
        return asdict(self)

    @classmethod
    def from_json(cls, values: dict[str, Any]) -> Spec:
        """Read what `to_json` wrote."""
        values["size"] = tuple(values["size"])
        values["products"] = tuple(Product(**product) for product in values["products"])
        return cls(**values)


class Subject(Protocol):
    """Something whose frames are timed.

    Attributes:
        description: What it is, in words.
    """

    description: str

    def prepare(self, targets: int) -> Callable[[], Times]:
        """Return what computes and times one frame of that many targets."""
        ...


def load(spec: Spec) -> Subject:
    """Make a subject.

    Raises:
        ModelError: It cannot be run here; the message says why.
    """
    return _LOADERS[spec.kind](spec)


class _EngineSubject:
    def __init__(self, spec: Spec) -> None:
        self._engine = _engine(spec)
        self.description = self._engine.description.partition(" (")[0]

    def prepare(self, targets: int) -> Callable[[], Times]:
        template, online, search = random_crops(self._engine.variant, targets)
        memories = self._engine.encode_templates(template, online)
        return _timed(lambda: self._engine.locate(memories, search))


class _ReferenceSubject:
    """Eager float32 PyTorch, full forward of templates and search in every frame."""

    def __init__(self, spec: Spec) -> None:
        try:
            import torch
        except ImportError as error:
            raise ModelError(f"the published way needs PyTorch ({error})") from error
        from mixformer2_ros.model import build_model, load_weights, read_checkpoint

        torch.set_num_threads(spec.threads)
        self._torch = torch
        self._device = torch.device(spec.device)
        self._variant = get_variant(spec.model)
        self._model = build_model(spec.model).eval()
        load_weights(self._model, read_checkpoint(find_weights(spec.model, spec.checkpoint)))
        self._model.to(self._device)
        place = _count(spec.threads) if spec.device == "cpu" else spec.device
        self.description = f"reference, {place}"

    def prepare(self, targets: int) -> Callable[[], Times]:
        scaled = [
            (part / 255.0 - IMAGE_MEAN) / IMAGE_STD for part in random_crops(self._variant, targets)
        ]
        images = [
            self._torch.from_numpy(part.astype(np.float32)).permute(0, 3, 1, 2) for part in scaled
        ]
        templates = [image.to(self._device) for image in images[:2]]

        def frame() -> object:
            with self._torch.inference_mode():
                # The box on the host is what a frame is for; fetching it waits for the device.
                return self._model(*templates, images[2].to(self._device)).box.cpu()

        return _timed(frame)


class _TrackerSubject:
    """From image to box, and how much of that is the network."""

    def __init__(self, spec: Spec) -> None:
        from mixformer2_ros.tracking import Tracker, TrackerConfig

        cv2.setNumThreads(1)
        engine = _engine(spec)
        self.description = engine.description.partition(" (")[0]
        self._network = _TimedEngine(engine)
        # Every box is believed, so that time does not depend on what the weights are worth; no
        # template is ever changed, because that is done after the box is out.
        self._tracker = Tracker(self._network, TrackerConfig.paper(update_interval=1_000_000))
        self._frames = _scene(spec.size)

    def prepare(self, targets: int) -> Callable[[], Times]:
        image, box = next(self._frames)
        self._tracker.init(image, box.tolist())

        def frame() -> Times:
            image, _ = next(self._frames)
            began = time.perf_counter()
            self._tracker.update(image)
            return {"frame": time.perf_counter() - began, "network": self._network.seconds}

        return frame


class _BaselineSubject:
    """A classical tracker of OpenCV, on images in its own order of colours."""

    def __init__(self, spec: Spec) -> None:
        from mixformer2_ros.evaluation.baselines import opencv_tracker

        cv2.setNumThreads(spec.threads)
        self._create, self._number = opencv_tracker(spec.backend)
        self._frames = _scene(spec.size)
        words = f"{spec.backend.upper()}, OpenCV {cv2.__version__}"
        self.description = f"{words}, {_count(spec.threads)}"

    def prepare(self, targets: int) -> Callable[[], Times]:
        tracker = self._started(*next(self._frames))

        def frame() -> Times:
            nonlocal tracker
            image, box = next(self._frames)
            began = time.perf_counter()
            found, _ = tracker.update(image)
            seconds = time.perf_counter() - began
            if not found:  # without a target it would have less to do
                tracker = self._started(image, box)
            return {"frame": seconds}

        return frame

    def _started(self, image: NDArray[np.uint8], box: NDArray[np.float64]) -> Any:
        tracker = self._create()
        tracker.init(image, tuple(self._number(value) for value in box))
        return tracker


class _ProductsSubject:
    """Every product in turn; its time stands under its shape."""

    def __init__(self, spec: Spec) -> None:
        self._runners = {
            product.shape: _timed(product_runner(product, spec.threads))
            for product in spec.products
        }
        self.description = f"{spec.products[0].library}, {spec.products[0].precision}"

    def prepare(self, targets: int) -> Callable[[], Times]:
        return lambda: {shape: run()["frame"] for shape, run in self._runners.items()}


_LOADERS: dict[str, Callable[[Spec], Subject]] = {
    "engine": _EngineSubject,
    "reference": _ReferenceSubject,
    "tracker": _TrackerSubject,
    "baseline": _BaselineSubject,
    "products": _ProductsSubject,
}


class _TimedEngine:
    """An engine that remembers how long its last frame took."""

    def __init__(self, engine: Engine) -> None:
        self.variant, self.description = engine.variant, engine.description
        self.encode_templates = engine.encode_templates
        self.seconds = 0.0
        self._engine = engine

    def locate(self, memories: Any, crops: NDArray[np.uint8]) -> Locations:
        began = time.perf_counter()
        found = self._engine.locate(memories, crops)
        self.seconds = time.perf_counter() - began
        return found


def _count(threads: int) -> str:
    return f"{threads} thread{'s' if threads != 1 else ''}"


def _engine(spec: Spec) -> Engine:
    return load_engine(
        spec.model, spec.checkpoint, spec.backend, spec.device, spec.precision, spec.threads
    )


def _timed(action: Callable[[], object]) -> Callable[[], Times]:
    def frame() -> Times:
        began = time.perf_counter()
        action()
        return {"frame": time.perf_counter() - began}

    return frame


def random_crops(variant: Variant, targets: int) -> list[NDArray[np.uint8]]:
    """Return templates, online templates and search crops of some targets, all noise."""
    rng = np.random.default_rng(0)
    sides = (variant.template_size, variant.template_size, variant.search_size)
    return [rng.integers(0, 256, (targets, side, side, 3), dtype=np.uint8) for side in sides]


def _scene(size: tuple[int, int]) -> Iterator[tuple[NDArray[np.uint8], NDArray[np.float64]]]:
    """Frames of a scene and their true boxes, forwards and backwards without end.

    All of them in the same memory, written just before: so a camera's driver hands them over.
    """
    from itertools import cycle, islice

    from mixformer2_ros.sources import open_source

    frames = [
        (frame.image, frame.truth)
        for frame in islice(open_source("scene:1", size=size), _SCENE_FRAMES)
        if frame.truth is not None and np.isfinite(frame.truth).all()
    ]
    memory = np.empty_like(frames[0][0])
    for image, box in cycle([*frames, *frames[-2:0:-1]]):
        np.copyto(memory, image)
        yield memory, box
