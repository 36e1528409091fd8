# Copyright 2026 mixformer2_ros contributors
# SPDX-License-Identifier: Apache-2.0
"""Fixtures that every layer's tests share."""

from __future__ import annotations

import os
import zlib
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from mixformer2_ros.ros.isolation import isolate

ROOT = Path(__file__).resolve().parents[1]


@pytest.fixture(scope="session", autouse=True)
def own_cache(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A cache of networks made ready that is empty at first and not the user's."""
    folder = tmp_path_factory.mktemp("cache")
    before = os.environ.get("MIXFORMER2_CACHE")
    os.environ["MIXFORMER2_CACHE"] = str(folder)
    yield folder
    if before is None:
        del os.environ["MIXFORMER2_CACHE"]
    else:
        os.environ["MIXFORMER2_CACHE"] = before


@pytest.fixture(scope="session", autouse=True)
def _no_weights_of_the_user(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """Keep weights that were imported on this machine out of the tests."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("XDG_DATA_HOME", str(tmp_path_factory.mktemp("data")))
        yield


def pytest_configure() -> None:
    """No other ROS 2 process on this machine or network is seen."""
    isolate()


def _shared(name: str) -> Path:
    folder = ROOT.parent / "shared" / name
    if not folder.is_dir():
        pytest.skip(f"../shared/{name} is not beside this checkout")
    return folder


@pytest.fixture(scope="session")
def golden_dir() -> Path:
    """Folder of the parity cases made with the published implementation."""
    return _shared("golden")


@pytest.fixture(scope="session")
def sequences_dir() -> Path:
    """Folder of the real sequences with ground truth."""
    return _shared("sequences")


@pytest.fixture(scope="session")
def corpus_dir() -> Path:
    """Folder of the training corpus."""
    return _shared("corpus")


def rule_array(key: str, shape: tuple[int, ...]) -> np.ndarray:
    """Return the float32 weights that the rule of the parity cases gives a parameter."""
    noise = np.random.default_rng(zlib.crc32(("dev:" + key).encode())).standard_normal(shape)
    if key.endswith("bias"):
        values = 0.02 * noise
    elif key == "box_head.layers.1.1.weight":
        values = 4 * (1 + 0.1 * noise)
    elif "norm1." in key or "norm2." in key or key == "box_head.layers.0.1.weight":
        values = 1 + 0.1 * noise
    else:
        values = 0.04 * noise
    return values.astype(np.float32)


@pytest.fixture(scope="session")
def rule_weights():
    """Return the function that gives one parameter's weights by its name and shape."""
    return rule_array


@pytest.fixture(scope="module")
def one_thread() -> Iterator[None]:
    """Threads of networks as small as those of tests wait for each other longer than they work."""
    torch = pytest.importorskip("torch")
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


@pytest.fixture
def random_views():
    """Return a function that makes normalised templates and search crops of the given sides."""
    torch = pytest.importorskip("torch")

    def make(*sides: int):
        generator = torch.Generator().manual_seed(1)
        return [torch.randn(2, 3, side, side, generator=generator) for side in sides]

    return make


@pytest.fixture(scope="session", params=["small", "base"])
def variant_name(request: pytest.FixtureRequest) -> str:
    """Both variants in turn."""
    return request.param


@pytest.fixture(scope="session")
def rule_model():
    """Return a function that builds a variant with the parity cases' (sharp) weights, cached."""
    torch = pytest.importorskip("torch")
    from mixformer2_ros.model import build_model

    models = {}

    def build(name: str):
        if name not in models:
            model = build_model(name).eval()
            with torch.no_grad():
                for key, parameter in model.named_parameters():
                    if "pos_embed_s" not in key and "pos_embed_t" not in key:
                        parameter.copy_(torch.from_numpy(rule_array(key, tuple(parameter.shape))))
            models[name] = model
        return models[name]

    return build
