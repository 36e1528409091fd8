# Copyright 2026 mixformer2_ros contributors
# SPDX-License-Identifier: Apache-2.0
"""Networks that were widened, from their file to the engines, which compute each channel once."""

from __future__ import annotations

import json
from collections.abc import Callable
from functools import cache
from pathlib import Path

import numpy as np
import pytest

torch = pytest.importorskip("torch")
pytest.importorskip("onnx")

from safetensors.torch import load_file, save_file  # noqa: E402

from mixformer2_ros.checksums import file_sha256  # noqa: E402
from mixformer2_ros.cli import main  # noqa: E402
from mixformer2_ros.inference import (  # noqa: E402
    Engine,
    Locations,
    export,
    find_default_weights,
    load_engine,
)
from mixformer2_ros.inference import processor as this_processor  # noqa: E402
from mixformer2_ros.inference.artefact import METADATA  # noqa: E402
from mixformer2_ros.inference.calibration import calibrate  # noqa: E402
from mixformer2_ros.inference.crops import Crops  # noqa: E402
from mixformer2_ros.inference.ranges import ranges_path  # noqa: E402
from mixformer2_ros.inference.weights import read_network  # noqa: E402
from mixformer2_ros.model import MixFormerV2  # noqa: E402
from mixformer2_ros.model.variants import IMAGE_MEAN, IMAGE_STD, SMALL, narrowed  # noqa: E402
from mixformer2_ros.training.widen import widen  # noqa: E402

pytestmark = pytest.mark.usefixtures("one_thread")

NARROW = narrowed(SMALL, 128, 1)


@pytest.fixture(params=["openvino", "onnxruntime", "torch"])
def backend(request) -> str:
    pytest.importorskip(request.param, reason=f"{request.param} is not installed")
    return request.param


@pytest.fixture(params=["openvino", "onnxruntime"])
def runtime(request) -> str:
    pytest.importorskip(request.param, reason=f"{request.param} is not installed")
    return request.param


@pytest.fixture(scope="module")
def checkpoint(rule_weights, tmp_path_factory) -> Path:
    """A network of 128 channels, widened to those of S, in float16."""
    narrow = MixFormerV2(NARROW)
    # As sharp as the parity cases' weights are at full width.
    sharp = (SMALL.width / NARROW.width) ** 0.5
    with torch.no_grad():
        for name, values in narrow.named_parameters():
            if "pos_embed_s" not in name and "pos_embed_t" not in name:
                array = torch.from_numpy(rule_weights(name, tuple(values.shape)))
                values.copy_(array * sharp if values.ndim == 2 else array)
    path = tmp_path_factory.mktemp("widened") / "small.safetensors"
    wide = widen(narrow, SMALL).state_dict()
    save_file({name: values.half() for name, values in wide.items()}, path)
    return path


@pytest.fixture(scope="module")
def all_channels(random_crops) -> Callable[[Path, int], np.ndarray]:
    """Edges (N, 4, bins) of random crops by the published forward of a file's full width."""

    @cache
    def edges(path: Path, targets: int) -> np.ndarray:
        model = MixFormerV2(SMALL).eval()
        model.load_state_dict({name: values.float() for name, values in load_file(path).items()})
        mean, std = (torch.tensor(values).reshape(1, 3, 1, 1) for values in (IMAGE_MEAN, IMAGE_STD))
        with torch.inference_mode():
            images = [
                (torch.from_numpy(crop).permute(0, 3, 1, 2) / 255 - mean) / std
                for crop in random_crops("small", targets)
            ]
            return model(*images).edges.numpy()

    return edges


def load(path: Path, backend: str, precision: str = "fp32") -> Engine:
    return load_engine("small", path, backend, "cpu", precision, threads=1)


def located(engine: Engine, crops: list[np.ndarray]) -> Locations:
    return engine.locate(engine.encode_templates(*crops[:2]), crops[2])


@pytest.mark.parametrize("targets", [1, 3])
def test_the_engine_is_narrow_and_gives_the_edges_of_the_wide_network(
    checkpoint, random_crops, all_channels, backend, targets
):
    engine = load(checkpoint, backend)
    assert engine.variant == NARROW
    assert "MixFormerV2-S folded to 128 channels" in engine.description
    found = located(engine, random_crops("small", targets)).edges
    np.testing.assert_allclose(found, all_channels(checkpoint, targets), rtol=0, atol=1e-4)


def test_the_default_weights_give_the_edges_of_all_their_channels(
    random_crops, all_channels, backend
):
    path = find_default_weights("small")
    if path is None:
        pytest.skip("this installation has no default weights")
    engine = load(path, backend)
    assert engine.variant.width < SMALL.width
    found = located(engine, random_crops("small", 1)).edges
    np.testing.assert_allclose(found, all_channels(path, 1), rtol=0, atol=1e-4)


def test_the_cache_gives_the_same_sizes_again(checkpoint, monkeypatch, runtime):
    recipe = export.make_recipe("small", checkpoint, runtime, "fp32")
    made = export.obtain(recipe, checkpoint)
    monkeypatch.delattr(export, "build")
    again = export.obtain(recipe, checkpoint)
    assert again == made
    assert again.variant == NARROW


def test_an_exported_folder_is_taken_as_checkpoint(
    checkpoint, random_crops, tmp_path, capsys, runtime
):
    out = tmp_path / "narrow"
    options = ["--backend", runtime, "--precision", "fp32", "--out", str(out)]
    assert main(["export", "--checkpoint", str(checkpoint), *options]) == 0
    assert "folded to 128 channels" in capsys.readouterr().out
    sizes = json.loads((out / METADATA).read_text())["sizes"]
    assert sizes == {"width": 128, "heads": 2, "mlp_ratio": 1}
    crops = random_crops("small", 1)
    found, expected = (located(load(path, runtime), crops) for path in (out, checkpoint))
    np.testing.assert_array_equal(found.edges, expected.edges)


def test_int8_is_calibrated_and_quantised_narrow(checkpoint, random_crops, runtime):
    if not this_processor.has_int8():
        pytest.skip("needs a processor for int8")
    crops = random_crops("small", 2)
    ranges = calibrate(
        *read_network(checkpoint, SMALL),
        file_sha256(checkpoint),
        Crops(*crops, template_of=np.arange(2), sources=("random",)),
    )
    ranges_path(checkpoint).write_text(ranges.to_json())
    engine = load(checkpoint, runtime, "int8")
    assert engine.variant == NARROW
    assert "folded to 128 channels" in engine.description
    assert "int8" in engine.description
    found, exact = located(engine, crops), located(load(checkpoint, runtime), crops)
    assert np.abs(found.boxes - exact.boxes).max() < 0.1
