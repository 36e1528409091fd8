# Copyright 2026 mixformer2_ros contributors
# SPDX-License-Identifier: Apache-2.0
"""`mixformer2 weights`: which weights are here, whether they are whole, and more of them."""

from __future__ import annotations

import argparse
import os
from collections.abc import Callable, Mapping
from importlib.util import find_spec
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from mixformer2_ros import checksums
from mixformer2_ros.inference.weights import (
    describe_weights,
    find_all_weights,
    find_default_weights,
    read_arrays,
    user_folder,
    weights_name,
)
from mixformer2_ros.model.state import CheckpointError, check_shapes, guess_variant, looks_like
from mixformer2_ros.model.variants import VARIANTS, Variant, get_variant

_DTYPES = {"fp16": np.float16, "fp32": np.float32}
_TORCH_ENDINGS = (".pt", ".pth", ".pth.tar")
_CARD = """# Imported weights: MixFormerV2, variant {variant}

Imported with `mixformer2 weights import`; what they may be used for, their source says.

| | |
|---|---|
| file | `{name}`, {size} bytes, {precision} |
| sha256 | `{digest}` |
| imported from | `{source}`, sha256 `{source_digest}` |
"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare what `mixformer2 weights` takes."""
    actions = parser.add_subparsers(dest="action", required=True, metavar="ACTION")
    listing = actions.add_parser("list", help="show the weights that are here")
    listing.set_defaults(act=_list)

    verify = actions.add_parser(
        "verify", help="compare the weights with the checksums beside them (SHA256SUMS)"
    )
    verify.add_argument("files", nargs="*", type=Path, metavar="FILE", help="default: all found")
    verify.set_defaults(act=_verify)

    importing = actions.add_parser(
        "import",
        help="make a checkpoint the default weights of its variant",
        description="Check a checkpoint, such as the published MixFormerV2 ones, and keep a copy "
        f"in {user_folder()}, which takes precedence over the weights that ship with the package. "
        "Nothing in the file is executed.",
    )
    importing.add_argument("file", type=Path, metavar="FILE", help=".pth.tar, .pt or .safetensors")
    importing.add_argument("--variant", choices=tuple(VARIANTS), help="default: the file's own")
    importing.add_argument(
        "--replace", action="store_true", help="replace weights that were imported before"
    )
    importing.set_defaults(act=_import)

    convert = actions.add_parser(
        "convert", help="write weights in another format or precision, of any network"
    )
    convert.add_argument("file", type=Path, metavar="FILE", help=".pth.tar, .pt or .safetensors")
    convert.add_argument("out", type=Path, metavar="OUT", help="likewise; its ending is the format")
    convert.add_argument("--precision", choices=tuple(_DTYPES), help="default: as stored")
    convert.set_defaults(act=_convert)

    show = actions.add_parser("show", help="print the model card of the default weights")
    show.add_argument("variant", nargs="?", choices=tuple(VARIANTS), default="small")
    show.set_defaults(act=_show)


def run(args: argparse.Namespace) -> int:
    """Do what was asked for.

    Raises:
        CheckpointError: Weights cannot be read, or do not fit.
        ModelError: Only PyTorch reads this format, and it is not installed.
        ValueError: What was asked for is not possible; the message says why.
    """
    action: Callable[[argparse.Namespace], int] = args.act
    return action(args)


def _list(_args: argparse.Namespace) -> int:
    for variant in VARIANTS:
        found = find_all_weights(variant)
        if not found:
            print(f"{variant}: no weights here; import some, or give a checkpoint")
        for index, path in enumerate(found):
            state = "default" if index == 0 else f"not in use: {found[0]} comes first"
            source = "imported" if path.parent == user_folder() else "shipped with the package"
            print(f"{variant}: {state}")
            print(f"  file    {path}")
            print(f"  size    {path.stat().st_size / 1e6:.1f} MB, {_content(path)}")
            print(f"  sha256  {checksums.file_sha256(path)}")
            print(f"  source  {source}")
    return 0


def _content(path: Path) -> str:
    try:
        return _summary(read_arrays(path))
    except CheckpointError as error:
        return str(error)


def _summary(state: Mapping[str, NDArray]) -> str:
    count = sum(array.size for array in state.values())
    return f"{count / 1e6:.1f} M numbers, {_precision(state)}"


def _precision(state: Mapping[str, NDArray]) -> str:
    return ", ".join(sorted({str(array.dtype) for array in state.values()}))


def _verify(args: argparse.Namespace) -> int:
    paths = args.files or [path for variant in VARIANTS for path in find_all_weights(variant)]
    if not paths:
        raise ValueError("there are no weights here")
    wrong = 0
    for path in paths:
        problem = checksums.problem(path)
        print(f"{path}: {problem or 'OK'}")
        wrong += problem is not None
    return 1 if wrong else 0


def _import(args: argparse.Namespace) -> int:
    source: Path = args.file.expanduser()
    state = _read(source)
    variant = _variant_of(state, source, args.variant)
    path = user_folder() / weights_name(variant.name)
    if path.exists() and not args.replace:
        raise ValueError(f"{path} exists: add --replace, or remove it first")
    path.parent.mkdir(parents=True, exist_ok=True)
    _write(state, path)
    card = _CARD.format(
        variant=variant.name,
        name=path.name,
        size=path.stat().st_size,
        precision=_precision(state),
        digest=checksums.add_sum(path),
        source=source.resolve(),
        source_digest=checksums.file_sha256(source),
    )
    path.with_suffix(".md").write_text(card, encoding="utf-8")
    print(f"{path}: {_summary(state)}; now the default weights of variant {variant.name!r}")
    return 0


def _variant_of(state: Mapping[str, NDArray], path: Path, name: str | None) -> Variant:
    """Return the variant that weights fit, exactly."""
    shapes = {parameter: array.shape for parameter, array in state.items()}
    variant = get_variant(name) if name is not None else guess_variant(shapes)
    if variant is None:
        raise CheckpointError(f"{describe_weights(path)} fits no variant: {looks_like(shapes)}")
    check_shapes(shapes, variant, describe_weights(path))
    return variant


def _convert(args: argparse.Namespace) -> int:
    state = _read(args.file.expanduser())
    if args.precision is not None:
        state = _cast(state, args.precision)
    _write(state, args.out.expanduser())
    print(f"{args.out}: {args.out.expanduser().stat().st_size / 1e6:.1f} MB, {_summary(state)}")
    return 0


def _show(args: argparse.Namespace) -> int:
    path = find_default_weights(args.variant)
    if path is None:
        raise ValueError(f"there are no weights of variant {args.variant!r} here")
    cards = (path.with_suffix(".md"), path.with_name("README.md"))
    card = next((card for card in cards if card.is_file()), None)
    if card is None:
        raise ValueError(f"{path} has no model card beside it")
    print(card.read_text(encoding="utf-8"), end="")
    return 0


def _read(path: Path) -> dict[str, NDArray]:
    """Read weights, dtype as stored; bfloat16, which numpy lacks, becomes float32."""
    if not find_spec("torch"):
        return read_arrays(path)
    import torch

    from mixformer2_ros.model import read_checkpoint

    state = read_checkpoint(path)
    return {
        name: (value.float() if value.dtype == torch.bfloat16 else value).numpy()
        for name, value in state.items()
    }


def _cast(state: Mapping[str, NDArray], precision: str) -> dict[str, NDArray]:
    dtype = _DTYPES[precision]
    with np.errstate(over="ignore"):  # told below, by name
        cast = {
            name: array.astype(dtype) if np.issubdtype(array.dtype, np.floating) else array
            for name, array in state.items()
        }
    for name, array in cast.items():
        if not np.isfinite(array).all():
            raise ValueError(
                f"{name} holds numbers that {precision} cannot hold, or none: use fp32"
            )
    return cast


def _write(state: Mapping[str, NDArray], path: Path) -> None:
    """Write weights in the format of the name's ending; the file appears when it is complete."""
    partial = path.with_name(path.name + ".part")
    if path.name.endswith(".safetensors"):
        from safetensors.numpy import save_file

        save_file({name: np.ascontiguousarray(array) for name, array in state.items()}, partial)
    elif path.name.endswith(_TORCH_ENDINGS):
        import torch

        tensors = {name: torch.from_numpy(array.copy()) for name, array in state.items()}
        torch.save({"net": tensors}, partial)
    else:
        endings = ", ".join((".safetensors", *_TORCH_ENDINGS))
        raise ValueError(f"{path}: unknown format; let the name end in one of {endings}")
    os.replace(partial, path)
