# Copyright 2026 mixformer2_ros contributors
# SPDX-License-Identifier: Apache-2.0
"""What a file of weights must hold, checked on names and shapes alone (no torch needed)."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import TypeAlias

from numpy.typing import NDArray

from mixformer2_ros.model.variants import VARIANTS, Variant

Shape: TypeAlias = tuple[int, ...]

_SHOWN = 6


class CheckpointError(ValueError):
    """A file cannot be used as weights; the message says why and what to do."""


@contextmanager
def reading(path: Path) -> Iterator[None]:
    """Turn whatever goes wrong while `path` is read into a `CheckpointError` that names it."""
    if not path.is_file():
        raise CheckpointError(f"checkpoint {str(path)!r} is not a file: check the path")
    try:
        with path.open("rb") as file:
            if file.read(9) == b"version h":  # first bytes of a Git LFS pointer file
                raise CheckpointError(
                    f"checkpoint {str(path)!r} is a Git LFS pointer, not the weights: run "
                    "git lfs pull"
                )
        yield
    except CheckpointError:
        raise
    except Exception as error:  # damaged files fail in as many ways as there are readers
        raise CheckpointError(
            f"checkpoint {str(path)!r} cannot be read ({type(error).__name__}: {error}): it is "
            "damaged or not a PyTorch or safetensors file; copy or download it again"
        ) from error


def read_safetensors(path: str | Path) -> dict[str, NDArray]:
    """Read a .safetensors file without torch.

    Args:
        path: The file.

    Returns:
        Parameter name to array, dtype as stored.

    Raises:
        CheckpointError: The file is missing, unreadable, or stored as bfloat16.
    """
    from safetensors import safe_open

    path = Path(path).expanduser()
    with reading(path), safe_open(path, framework="numpy") as file:
        names = list(file.keys())
        if any(file.get_slice(name).get_dtype() == "BF16" for name in names):
            raise CheckpointError(
                f"checkpoint {str(path)!r} holds bfloat16, which numpy cannot read: save it as "
                "float16 or float32, or use backend torch"
            )
        return {name.removeprefix("module."): file.get_tensor(name) for name in names}


def expected_shapes(variant: Variant) -> dict[str, Shape]:
    """Return name and shape of every parameter of a variant, as in the published checkpoints."""
    width, patch, bins = variant.width, variant.patch, variant.bins
    hidden = variant.mlp_ratio * width
    shapes: dict[str, Shape] = {
        "backbone.pos_embed_t": (1, variant.template_tokens, width),
        "backbone.pos_embed_s": (1, variant.search_tokens, width),
        "backbone.reg_tokens": (1, 4, width),
        "backbone.pos_embed_reg": (1, 4, width),
        "backbone.patch_embed.proj.weight": (width, 3, patch, patch),
        "backbone.patch_embed.proj.bias": (width,),
    }

    def linear(name: str, inputs: int, outputs: int) -> None:
        shapes[f"{name}.weight"] = (outputs, inputs)
        shapes[f"{name}.bias"] = (outputs,)

    def norm(name: str, channels: int) -> None:
        shapes[f"{name}.weight"] = (channels,)
        shapes[f"{name}.bias"] = (channels,)

    for block in range(variant.depth):
        name = f"backbone.blocks.{block}"
        norm(f"{name}.norm1", width)
        linear(f"{name}.attn.qkv", width, 3 * width)
        linear(f"{name}.attn.proj", width, width)
        norm(f"{name}.norm2", width)
        linear(f"{name}.mlp.fc1", width, hidden)
        linear(f"{name}.mlp.fc2", hidden, width)
    linear("box_head.layers.0.0", width, width)
    norm("box_head.layers.0.1", width)
    linear("box_head.layers.1.0", width, bins)
    norm("box_head.layers.1.1", bins)
    linear("score_head.layers.0.0", width, width)
    linear("score_head.layers.1", width, 1)
    return shapes


def check_shapes(shapes: Mapping[str, Shape], variant: Variant, source: str = "checkpoint") -> None:
    """Check that weights fit a variant.

    Args:
        shapes: Name and shape of every parameter.
        variant: The network that the weights are for.
        source: What to call the weights in a message.

    Raises:
        CheckpointError: Names are missing, extra, or shapes differ; the message lists them and
            names the variant that the weights look like.
    """
    expected = expected_shapes(variant)
    missing = [name for name in expected if name not in shapes]
    extra = [name for name in shapes if name not in expected]
    differing = [
        f"{name} {tuple(shapes[name])} instead of {shape}"
        for name, shape in expected.items()
        if name in shapes and tuple(shapes[name]) != shape
    ]
    problems = [
        f"{title}: {_shorten(names)}"
        for title, names in (("missing", missing), ("extra", extra), ("shapes", differing))
        if names
    ]
    if problems:
        raise CheckpointError(
            f"{source} does not fit variant {variant.name!r} ({looks_like(shapes)}). "
            + "; ".join(problems)
            + _bins_hint(shapes, variant)
        )


def guess_variant(shapes: Mapping[str, Shape]) -> Variant | None:
    """Return the variant that weights of these names and shapes are for, as far as one can tell."""
    tokens = tuple(shapes.get("backbone.pos_embed_s", ()))
    for variant in VARIANTS.values():
        if _blocks(shapes) == variant.depth and tokens[1:2] == (variant.search_tokens,):
            return variant
    return None


def looks_like(shapes: Mapping[str, Shape]) -> str:
    """Say in words which network weights of these names and shapes belong to."""
    if not _blocks(shapes):
        return "it is not a MixFormerV2 checkpoint"
    variant = guess_variant(shapes)
    if variant is not None:
        return f"it looks like variant {variant.name!r}"
    return f"it has {_blocks(shapes)} blocks, which is neither 'small' (4) nor 'base' (8)"


def _blocks(shapes: Mapping[str, Shape]) -> int:
    return len({name.split(".")[2] for name in shapes if name.startswith("backbone.blocks.")})


def _shorten(names: list[str]) -> str:
    hidden = len(names) - _SHOWN
    return ", ".join(names[:_SHOWN]) + (f" and {hidden} more" if hidden > 0 else "")


def _bins_hint(shapes: Mapping[str, Shape], variant: Variant) -> str:
    bias = shapes.get("box_head.layers.1.0.bias")
    if bias is None or tuple(bias) == (variant.bins,):
        return ""
    return (
        f". Its box head has {bias[0]} bins: the public training configurations use 72 where the "
        f"released networks have {variant.bins}; train or export it with {variant.bins}"
    )
