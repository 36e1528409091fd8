# Copyright 2026 mixformer2_ros contributors
# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import os
import pickle
import sys
import types

import pytest

torch = pytest.importorskip("torch")

from safetensors.torch import save_file  # noqa: E402

from mixformer2_ros.model import CheckpointError, build_model, load_weights, read_checkpoint  # noqa: E402


@pytest.fixture(scope="module")
def state():
    torch.manual_seed(0)
    return build_model("small").state_dict()


@pytest.fixture
def foreign_module():
    """A module that exists when the checkpoint is written and is gone when it is read."""
    module = types.ModuleType("lib_train_admin")
    source = (
        "class Settings:\n"
        "    def __init__(self): self.values = {'lr': 1}\n"
        "    def __setstate__(self, state): raise RuntimeError('must not run')\n"
        "class History(list): pass\n"
        "class Meter(dict): pass\n"
        "class Touch:\n"
        "    def __init__(self, path): self.path = path\n"
        "    def __reduce__(self):\n"
        "        import os\n"
        "        return (os.mkdir, (self.path,))\n"
    )
    exec(source, module.__dict__)
    for thing in list(vars(module).values()):
        if isinstance(thing, type):
            thing.__module__ = module.__name__
    sys.modules[module.__name__] = module
    yield module
    sys.modules.pop(module.__name__, None)


@pytest.mark.parametrize("zipped", [True, False], ids=["zip", "legacy"])
def test_published_layout_is_read_without_executing_it(tmp_path, state, foreign_module, zipped):
    evidence = tmp_path / "executed"
    checkpoint = {
        "epoch": 40,
        "net": state,
        "settings": foreign_module.Settings(),
        "history": foreign_module.History([1, 2]),
        "meter": foreign_module.Meter(loss=0.1),
        "attack": foreign_module.Touch(os.fspath(evidence)),
    }
    path = tmp_path / "mixformer.pth.tar"
    torch.save(checkpoint, path, _use_new_zipfile_serialization=zipped)
    del sys.modules[foreign_module.__name__]

    read = read_checkpoint(path)

    assert not evidence.exists()
    assert read.keys() == state.keys()
    assert all(torch.equal(read[name], state[name]) for name in state)


@pytest.mark.parametrize("name", ["posix.system", "builtins.eval", "builtins.exec", "os.system"])
def test_a_hostile_pickle_does_nothing(tmp_path, name):
    module, function = name.split(".")
    path = tmp_path / "hostile.pth"
    evidence = tmp_path / "evidence"
    argument = f"touch {evidence}" if "system" in name else f"open({str(evidence)!r}, 'w')"
    pickled = f"c{module}\n{function}\n(V{argument}\ntR.".encode()
    path.write_bytes(pickle.dumps(119547037146038801333356, 2) + pickled)
    with pytest.raises(CheckpointError, match=r"hostile\.pth"):
        read_checkpoint(path)
    assert not evidence.exists()


def test_plain_state_dict_with_a_data_parallel_prefix(tmp_path, state):
    path = tmp_path / "plain.pt"
    torch.save({f"module.{name}": value for name, value in state.items()}, path)
    assert read_checkpoint(path).keys() == state.keys()


def test_half_precision_safetensors_fill_a_float32_network(tmp_path, state):
    path = tmp_path / "small.safetensors"
    save_file({name: value.half() for name, value in state.items()}, path)
    model = build_model("small")
    load_weights(model, read_checkpoint(path))
    weight = model.backbone.blocks[2].attn.qkv.weight
    assert weight.dtype == torch.float32
    torch.testing.assert_close(
        weight.detach(), state["backbone.blocks.2.attn.qkv.weight"], atol=1e-3, rtol=1e-3
    )


def test_a_wrong_file_says_what_is_missing_extra_and_which_variant_it_looks_like(state):
    broken = {name: value for name, value in state.items() if name != "score_head.layers.1.bias"}
    broken["backbone.cls_token"] = torch.zeros(1)
    with pytest.raises(CheckpointError) as error:
        load_weights(build_model("small"), broken)
    message = str(error.value)
    assert "missing: score_head.layers.1.bias" in message
    assert "extra: backbone.cls_token" in message
    assert "looks like variant 'small'" in message


def test_small_weights_for_the_base_network_are_recognised(state):
    with pytest.raises(CheckpointError, match="looks like variant 'small'"):
        load_weights(build_model("base"), state)


def test_a_box_head_with_72_bins_is_explained(state):
    narrow = dict(state)
    for name in ("0.weight", "0.bias", "1.weight", "1.bias"):
        key = f"box_head.layers.1.{name}"
        narrow[key] = state[key][:72]
    with pytest.raises(CheckpointError, match="72 where the released networks have 96"):
        load_weights(build_model("small"), narrow)


def test_nothing_is_loaded_when_something_does_not_fit(state):
    model = build_model("small")
    before = model.backbone.reg_tokens.clone()
    with pytest.raises(CheckpointError):
        load_weights(model, {name: value for name, value in state.items() if "score" not in name})
    assert torch.equal(model.backbone.reg_tokens, before)


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (None, "is not a file"),
        (b"", "cannot be read"),
        (b"not a checkpoint at all", "cannot be read"),
        (b"version https://git-lfs.github.com/spec/v1\n", "git lfs pull"),
    ],
)
@pytest.mark.parametrize("name", ["weights.pth", "weights.safetensors"])
def test_unusable_files_are_named_with_the_reason(tmp_path, name, content, reason):
    path = tmp_path / name
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(CheckpointError, match=reason) as error:
        read_checkpoint(path)
    assert name in str(error.value)


def test_a_truncated_checkpoint_is_refused(tmp_path, state):
    path = tmp_path / "cut.pth"
    torch.save({"net": {"reg_tokens": state["backbone.reg_tokens"]}}, path)
    path.write_bytes(path.read_bytes()[:-200])
    with pytest.raises(CheckpointError, match="cannot be read"):
        read_checkpoint(path)


def test_a_checkpoint_without_weights_is_refused(tmp_path):
    path = tmp_path / "empty.pth"
    torch.save({"epoch": 3}, path)
    with pytest.raises(CheckpointError, match="holds no weights"):
        read_checkpoint(path)
