# Copyright 2026 mixformer2_ros contributors
# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from safetensors.numpy import save_file

from mixformer2_ros.inference import BACKENDS, ModelError, load_engine, loading, selection, weights

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture(scope="module")
def checkpoint(rule_state, tmp_path_factory):
    path = tmp_path_factory.mktemp("weights") / "small.safetensors"
    save_file({name: array.astype(np.float16) for name, array in rule_state("small").items()}, path)
    return path


def test_auto_loads_the_backend_that_was_picked_and_says_why(checkpoint, monkeypatch):
    pytest.importorskip("onnxruntime")
    picked = ("onnxruntime", "cpu", " (picked: it was there)")
    monkeypatch.setattr(loading, "choose_backend", lambda device, precision: picked)
    description = load_engine("small", checkpoint, threads=1).description
    assert "ONNX Runtime" in description
    assert description.endswith("(picked: it was there)")


@pytest.mark.parametrize("backend", BACKENDS)
def test_a_checkpoint_becomes_an_engine(checkpoint, backend):
    pytest.importorskip(backend)
    engine = load_engine("small", checkpoint, backend, device="cpu", threads=1)
    names = {"openvino": "OpenVINO", "onnxruntime": "ONNX Runtime", "torch": "PyTorch"}
    assert engine.variant.name == "small"
    assert engine.description.startswith(f"MixFormerV2-S, {names[backend]} ")
    assert engine.description.endswith(" on cpu, float32, 1 thread")
    assert loading.what_runs("small", checkpoint, backend, "cpu") == (backend, "fp32")


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"variant": "tiny"}, "unknown model variant 'tiny'"),
        ({"backend": "abacus"}, "backend 'abacus' is unknown"),
        ({"threads": 0}, "threads is 0"),
        ({"backend": "openvino", "device": "cuda"}, "device 'cuda' is not for OpenVINO"),
    ],
)
def test_wrong_options_say_what_to_do(checkpoint, options, message):
    if options.get("backend") == "openvino":
        pytest.importorskip("openvino")
    with pytest.raises(ModelError, match=message):
        load_engine(**{"checkpoint": checkpoint, **options})


@pytest.mark.parametrize("backend", BACKENDS)
def test_weights_that_do_not_fit_are_refused_alike(checkpoint, backend):
    pytest.importorskip(backend)
    with pytest.raises(ModelError, match="looks like variant 'small'"):
        load_engine("base", checkpoint, backend)
    with pytest.raises(ModelError, match=r"/nowhere/weights\.pth' is not a file"):
        load_engine("small", "/nowhere/weights.pth", backend)


def test_a_backend_that_is_not_installed_is_named_with_the_cure(checkpoint, monkeypatch):
    monkeypatch.setattr(selection, "find_spec", lambda name: None)
    with pytest.raises(ModelError, match=r"'torch' is not installed: pip install .*\[torch\]"):
        load_engine("small", checkpoint, "torch")


def test_missing_default_weights_name_the_cure(monkeypatch):
    monkeypatch.setattr(loading, "find_default_weights", lambda _: None)
    with pytest.raises(
        ModelError, match="no default weights for variant 'base': give a checkpoint"
    ):
        load_engine("base")


def test_a_pickled_checkpoint_is_read_by_torch_where_there_is_one(
    rule_model, checkpoint, random_crops, tmp_path, monkeypatch
):
    torch = pytest.importorskip("torch")
    pytest.importorskip("onnxruntime")
    path = tmp_path / "small.pth.tar"
    state = {name: tensor.half() for name, tensor in rule_model("small").state_dict().items()}
    torch.save({"net": state}, path)
    templates, online, search = random_crops("small", 1)
    found = []
    for file in (path, checkpoint):
        engine = load_engine("small", file, "onnxruntime", device="cpu")
        found.append(engine.locate(engine.encode_templates(templates, online), search))
    np.testing.assert_array_equal(found[0].boxes, found[1].boxes)

    monkeypatch.setattr(weights, "find_spec", lambda name: None)
    load_engine("small", path, "onnxruntime")  # made ready before
    path.write_bytes(path.read_bytes() + b"changed")
    with pytest.raises(ModelError, match=r"only be read with PyTorch: give a \.safetensors"):
        load_engine("small", path, "onnxruntime")


def run_without(modules: tuple[str, ...], code: str, *arguments: str) -> str:
    """Run code in a process where `modules` cannot be imported; return what it prints."""
    blocked = "".join(f"sys.modules[{name!r}] = None; " for name in modules)
    program = f"import sys; sys.path.insert(0, {str(ROOT)!r}); {blocked}\n{code}"
    result = subprocess.run(
        [sys.executable, "-c", program, *arguments], capture_output=True, text=True, check=False
    )
    assert result.returncode == 0, result.stderr
    return result.stdout


def test_importing_the_engines_imports_no_framework():
    code = (
        "import mixformer2_ros.inference\n"
        "names = ('torch', 'rclpy', 'onnx', 'openvino', 'onnxruntime', 'mixformer2_ros.tracking')\n"
        "print([name for name in names if name in sys.modules])"
    )
    assert run_without((), code).strip() == "[]"


@pytest.mark.parametrize("backend", ["openvino", "onnxruntime"])
def test_from_safetensors_to_a_box_without_torch(checkpoint, random_crops, tmp_path, backend):
    pytest.importorskip(backend)
    other = {"openvino": "onnxruntime", "onnxruntime": "openvino"}[backend]
    templates, online, search = random_crops("small", 1)
    np.savez(tmp_path / "crops.npz", templates=templates, online=online, search=search)
    code = (
        "import numpy as np\n"
        "from mixformer2_ros.inference import load_engine\n"
        "engine = load_engine('small', sys.argv[1], device='cpu', threads=1)\n"
        "crops = np.load(sys.argv[2])\n"
        "memory = engine.encode_templates(crops['templates'], crops['online'])\n"
        "print(*engine.locate(memory, crops['search']).boxes[0])"
    )
    printed = run_without(
        ("torch", "rclpy", other), code, str(checkpoint), str(tmp_path / "crops.npz")
    )
    engine = load_engine("small", checkpoint, "torch", device="cpu")
    expected = engine.locate(engine.encode_templates(templates, online), search).boxes[0]
    np.testing.assert_allclose([float(word) for word in printed.split()], expected, atol=1e-4)


@pytest.mark.parametrize("backend", ["openvino", "onnxruntime"])
def test_a_network_made_ready_before_needs_nothing_but_its_runtime(checkpoint, backend):
    pytest.importorskip(backend)
    pytest.importorskip("onnx")
    load_engine("small", checkpoint, backend, "cpu", "fp32")
    code = (
        "from mixformer2_ros.inference import load_engine\n"
        f"engine = load_engine('small', sys.argv[1], {backend!r}, 'cpu', 'fp32', threads=1)\n"
        "print(engine.description)"
    )
    blocked = ("torch", "rclpy", "onnx", "safetensors", "google.protobuf", "cv2")
    assert "float32" in run_without(blocked, code, str(checkpoint))
