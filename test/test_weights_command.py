# Copyright 2026 mixformer2_ros contributors
# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import os
import pickle
from pathlib import Path

import numpy as np
import pytest
from safetensors.numpy import load_file, save_file

from mixformer2_ros import checksums, cli
from mixformer2_ros.inference import find_default_weights, weights
from mixformer2_ros.model.state import expected_shapes
from mixformer2_ros.model.variants import SMALL, get_variant

torch = pytest.importorskip("torch")


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The user's folder of weights; the package has none."""
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path / "data"))
    monkeypatch.setattr(weights, "_PACKAGE", tmp_path / "empty" / "mixformer2_ros")
    return tmp_path / "data" / "mixformer2_ros" / "models"


def state_of(name: str, **changed: tuple[int, ...]) -> dict[str, torch.Tensor]:
    """Return weights that cost no memory: every parameter is one number, seen often."""
    shapes = {**expected_shapes(get_variant(name)), **changed}
    return {
        key: torch.full((), 0.25, dtype=torch.float16).expand(shape)
        for key, shape in shapes.items()
    }


def published(path: Path, state: dict[str, torch.Tensor]) -> Path:
    """Write a checkpoint as the authors publish theirs."""
    torch.save({"net": state, "epoch": 3}, path)
    return path


def test_a_published_checkpoint_becomes_the_default(home, tmp_path, capsys):
    file = published(tmp_path / "mixformerv2_base.pth.tar", state_of("base"))
    assert cli.main(["weights", "import", str(file)]) == 0
    path = home / "mixformerv2_base.safetensors"
    assert find_default_weights("base") == path
    assert {name: array.shape for name, array in load_file(path).items()} == expected_shapes(
        get_variant("base")
    )
    assert checksums.problem(path) is None
    capsys.readouterr()
    assert cli.main(["weights", "list"]) == 0
    listed = capsys.readouterr().out
    assert "small: no weights here" in listed
    assert "base: default" in listed
    assert "float16" in listed
    assert "source  imported" in listed
    assert checksums.file_sha256(path) in listed
    assert cli.main(["weights", "show", "base"]) == 0
    card = capsys.readouterr().out
    assert checksums.file_sha256(file) in card
    assert checksums.file_sha256(path) in card


def test_imported_weights_are_replaced_only_on_request(home, tmp_path, capsys):
    file = published(tmp_path / "small.pt", state_of("small"))
    assert cli.main(["weights", "import", str(file)]) == 0
    assert cli.main(["weights", "import", str(file)]) == 2
    assert "--replace" in capsys.readouterr().err
    assert cli.main(["weights", "import", "--replace", str(file)]) == 0


def test_72_bins_are_said_plainly(home, tmp_path, capsys):
    heads = {
        "box_head.layers.1.0.weight": (72, 768),
        "box_head.layers.1.0.bias": (72,),
        "box_head.layers.1.1.weight": (72,),
        "box_head.layers.1.1.bias": (72,),
    }
    file = published(tmp_path / "trained.pth.tar", state_of("small", **heads))
    assert cli.main(["weights", "import", str(file)]) == 2
    message = capsys.readouterr().err
    assert "box head has 72 bins" in message
    assert "(72, 768) instead of (96, 768)" in message
    assert not home.exists()


def test_other_networks_and_the_wrong_variant_are_refused(home, tmp_path, capsys):
    other = published(tmp_path / "other.pt", {"layer.weight": torch.zeros(3, 3)})
    assert cli.main(["weights", "import", str(other)]) == 2
    assert "not a MixFormerV2 checkpoint" in capsys.readouterr().err
    small = published(tmp_path / "small.pt", state_of("small"))
    assert cli.main(["weights", "import", "--variant", "base", str(small)]) == 2
    assert "looks like variant 'small'" in capsys.readouterr().err


class _Hostile:
    def __reduce__(self):
        return os.mkdir, (os.environ["HOSTILE_FOLDER"],)


def test_nothing_in_a_checkpoint_is_executed(home, tmp_path, monkeypatch):
    monkeypatch.setenv("HOSTILE_FOLDER", str(tmp_path / "hacked"))
    file = tmp_path / "small.pth.tar"
    torch.save({"net": state_of("small"), "settings": _Hostile()}, file, pickle_module=pickle)
    assert cli.main(["weights", "import", str(file)]) == 0
    assert not (tmp_path / "hacked").exists()


def test_verify_finds_damage(home, tmp_path, capsys):
    assert cli.main(["weights", "verify"]) == 2
    assert "no weights here" in capsys.readouterr().err
    cli.main(["weights", "import", str(published(tmp_path / "small.pt", state_of("small")))])
    assert cli.main(["weights", "verify"]) == 0
    path = home / "mixformerv2_small.safetensors"
    content = bytearray(path.read_bytes())
    content[-1] ^= 1
    path.write_bytes(content)
    capsys.readouterr()
    assert cli.main(["weights", "verify"]) == 1
    assert "instead of" in capsys.readouterr().out
    assert cli.main(["weights", "verify", str(path)]) == 1
    path.write_bytes(b"version https://git-lfs.github.com/spec/v1\n")
    assert cli.main(["weights", "list"]) == 0
    assert "git lfs pull" in capsys.readouterr().out


@pytest.mark.parametrize("end", [".safetensors", ".pt", ".pth.tar"])
def test_converting_there_and_back_keeps_every_number(tmp_path, end):
    rng = np.random.default_rng(0)
    state = {"a.weight": rng.normal(size=(3, 4)).astype(np.float32), "b": np.arange(3)}
    save_file(state, tmp_path / "in.safetensors")
    middle, back = tmp_path / f"middle{end}", tmp_path / "back.safetensors"
    for source, target in ((tmp_path / "in.safetensors", middle), (middle, back)):
        assert cli.main(["weights", "convert", str(source), str(target)]) == 0
    found = load_file(back)
    assert found.keys() == state.keys()
    for name, array in state.items():
        np.testing.assert_array_equal(found[name], array)
        assert found[name].dtype == array.dtype


def test_precisions(tmp_path, capsys):
    source, half = tmp_path / "in.pt", tmp_path / "half.safetensors"
    torch.save({"net": {"a": torch.tensor([1 / 3, 2.0]), "n": torch.tensor([5])}}, source)
    assert cli.main(["weights", "convert", "--precision", "fp16", str(source), str(half)]) == 0
    found = load_file(half)
    assert found["a"].dtype == np.float16
    assert found["n"].dtype == np.int64
    torch.save({"a": torch.tensor([1 / 3], dtype=torch.bfloat16)}, source)
    assert cli.main(["weights", "convert", str(source), str(half)]) == 0
    assert load_file(half)["a"].dtype == np.float32
    torch.save({"a": torch.tensor([1e6])}, source)
    assert cli.main(["weights", "convert", "--precision", "fp16", str(source), str(half)]) == 2
    assert "fp16 cannot hold" in capsys.readouterr().err


def test_bad_files_and_endings_are_explained(tmp_path, capsys):
    source = tmp_path / "in.safetensors"
    save_file({"a": np.zeros(1, np.float32)}, source)
    assert cli.main(["weights", "convert", str(source), str(tmp_path / "out.onnx")]) == 2
    assert "end in one of" in capsys.readouterr().err
    assert cli.main(["weights", "convert", str(tmp_path / "no.pt"), str(source)]) == 2
    assert "is not a file" in capsys.readouterr().err
    assert list(tmp_path.iterdir()) == [source]


def test_the_shipped_weights_are_listed_whole_and_described(capsys):
    if find_default_weights("small") is None:
        pytest.skip("no default weights in this checkout")
    assert cli.main(["weights", "verify"]) == 0
    assert cli.main(["weights", "list"]) == 0
    assert "source  shipped with the package" in capsys.readouterr().out
    assert cli.main(["weights", "show", SMALL.name]) == 0
    assert "sha256" in capsys.readouterr().out
