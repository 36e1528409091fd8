# Copyright 2026 mixformer2_ros contributors
# SPDX-License-Identifier: Apache-2.0
"""Reading network weights from files that may come from anywhere."""

from __future__ import annotations

import collections
import pickle
import types
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from mixformer2_ros.model.mixformerv2 import MixFormerV2
from mixformer2_ros.model.safetensors_file import parse_safetensors
from mixformer2_ros.model.state import CheckpointError, check_shapes, reading

# Where training codes keep the weights inside a checkpoint; MixFormerV2's own uses "net".
_CONTAINERS = ("net", "state_dict", "model", "ema", "net_ema")


class _Inert:
    """Stands in for whatever object a pickle names; takes any state and does nothing."""

    def __new__(cls, *_args: object, **_kwargs: object) -> _Inert:
        return object.__new__(cls)

    def __init__(self, *_args: object, **_kwargs: object) -> None:
        pass

    def __call__(self, *_args: object, **_kwargs: object) -> _Inert:
        return self

    def __setstate__(self, _state: object) -> None:
        pass

    def __setitem__(self, _key: object, _value: object) -> None:
        pass

    def __hash__(self) -> int:
        return id(self)

    def append(self, _item: object) -> None:
        """Swallow an item of a pickled list subclass."""

    def extend(self, _items: object) -> None:
        """Swallow items of a pickled list subclass."""

    def add(self, _item: object) -> None:
        """Swallow an item of a pickled set subclass."""


def _inert_class(module: str, name: str) -> type[_Inert]:
    return type(name.rpartition(".")[2] or "Inert", (_Inert,), {"__module__": f"inert.{module}"})


# All that rebuilding plain tensors takes. Storage classes are resolved by torch itself.
_ALLOWED: dict[tuple[str, str], Callable[..., Any]] = {
    ("collections", "OrderedDict"): collections.OrderedDict,
    ("torch._utils", "_rebuild_tensor"): torch._utils._rebuild_tensor,
    ("torch._utils", "_rebuild_tensor_v2"): torch._utils._rebuild_tensor_v2,
    ("torch._utils", "_rebuild_parameter"): torch._utils._rebuild_parameter,
    ("torch", "Size"): torch.Size,
}


class _TensorUnpickler(pickle.Unpickler):
    """Rebuilds containers and tensors; every other name in the pickle becomes inert."""

    def find_class(self, module: str, name: str) -> Any:
        return _ALLOWED.get((module, name)) or _inert_class(module, name)


def _load(file: Any, **kwargs: Any) -> Any:
    return _TensorUnpickler(file, **kwargs).load()


# torch.load asks its pickle module for these names.
_pickle_module = types.ModuleType("mixformer2_ros_tensor_pickle")
_pickle_module.Unpickler = _TensorUnpickler  # type: ignore[attr-defined]
_pickle_module.load = _load  # type: ignore[attr-defined]


def read_checkpoint(path: str | Path) -> dict[str, Tensor]:
    """Read a state dict from a .safetensors, .pth.tar, .pth or .pt file.

    A pickle is never executed: tensors and plain containers are rebuilt, everything else in it
    (settings, optimiser objects, classes that are not installed, or hostile ones) becomes an inert
    placeholder.

    Args:
        path: The file. Weights may stand at its top level or under "net", "state_dict", "model",
            "ema" or "net_ema", with or without the "module." prefix of DataParallel.

    Returns:
        Parameter name to tensor, on the CPU, dtype as stored.

    Raises:
        CheckpointError: The file is missing, unreadable, or holds no weights.
    """
    path = Path(path).expanduser()
    with reading(path):
        content = _read_safetensors(path) if path.suffix == ".safetensors" else _read_pickle(path)
    return _state_dict(content, path)


def _read_safetensors(path: Path) -> dict[str, Tensor]:
    return parse_safetensors(path.read_bytes())


def _read_pickle(path: Path) -> Any:
    return torch.load(path, map_location="cpu", pickle_module=_pickle_module, weights_only=False)


def _state_dict(content: Any, path: Path) -> dict[str, Tensor]:
    if isinstance(content, Mapping):
        for key in _CONTAINERS:
            if isinstance(content.get(key), Mapping):
                content = content[key]
                break
        state = {
            str(name).removeprefix("module."): value
            for name, value in content.items()
            if isinstance(value, Tensor)
        }
        if state:
            return state
    raise CheckpointError(
        f"checkpoint {str(path)!r} holds no weights: expected a mapping of names to tensors, at "
        f"the top level or under one of {', '.join(_CONTAINERS)}"
    )


def load_weights(
    model: MixFormerV2, state: Mapping[str, Tensor], source: str = "checkpoint"
) -> None:
    """Copy `state` into `model` after checking it whole.

    Args:
        model: Changed in place, only when everything fits.
        state: Names and tensors, any floating dtype.
        source: What to call the weights in a message.

    Raises:
        CheckpointError: Names are missing, extra, or shapes differ; the message lists them and
            names the variant that the weights look like.
    """
    check_shapes({name: tensor.shape for name, tensor in state.items()}, model.variant, source)
    model.load_state_dict({name: tensor.to(torch.float32) for name, tensor in state.items()})
