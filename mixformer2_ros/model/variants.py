# Copyright 2026 mixformer2_ros contributors
# SPDX-License-Identifier: Apache-2.0
"""The two published network sizes, as plain data (no torch needed)."""

from __future__ import annotations

from dataclasses import dataclass, replace


@dataclass(frozen=True)
class Variant:
    """Everything that tells MixFormerV2-S from MixFormerV2-B (paper arXiv 2305.15896, table 1).

    Attributes:
        name: Name used in parameters and on the command line.
        search_size: Side of the square search crop, pixels.
        template_size: Side of the square template crops, pixels.
        search_factor: Side of the search region in units of sqrt(w * h) of the target box.
        depth: Transformer blocks.
        mlp_ratio: Hidden width of a block's MLP over the token width.
        template_factor: Side of the template region in units of sqrt(w * h).
        width: Channels of a token.
        heads: Attention heads.
        patch: Side of an image patch, pixels; also its stride.
        bins: Bins of an edge distribution; bin i stands for the fraction i / bins of the crop.
    """

    name: str
    search_size: int
    template_size: int
    search_factor: float
    depth: int
    mlp_ratio: int
    template_factor: float = 2.0
    width: int = 768
    heads: int = 12
    patch: int = 16
    bins: int = 96

    @property
    def search_tokens(self) -> int:
        """Tokens of the search crop."""
        return (self.search_size // self.patch) ** 2

    @property
    def template_tokens(self) -> int:
        """Tokens of one template crop."""
        return (self.template_size // self.patch) ** 2


SMALL = Variant(
    "small", search_size=224, template_size=112, search_factor=4.5, depth=4, mlp_ratio=1
)
BASE = Variant("base", search_size=288, template_size=128, search_factor=5.0, depth=8, mlp_ratio=4)
VARIANTS = {variant.name: variant for variant in (SMALL, BASE)}

# Input normalisation of the published networks: RGB in [0, 1], ImageNet statistics.
IMAGE_MEAN = (0.485, 0.456, 0.406)
IMAGE_STD = (0.229, 0.224, 0.225)


def get_variant(name: str) -> Variant:
    """Return the variant called `name`.

    Raises:
        ValueError: There is no such variant.
    """
    try:
        return VARIANTS[name]
    except KeyError:
        choices = ", ".join(sorted(VARIANTS))
        raise ValueError(f"unknown model variant {name!r}: choose one of {choices}") from None


def narrowed(variant: Variant, width: int, mlp_ratio: int) -> Variant:
    """Return a variant of another width with heads of the same size.

    Args:
        variant: The wide one.
        width: Channels of a token.
        mlp_ratio: Hidden width of a block's MLP over `width`.

    Raises:
        ValueError: A network of that size could not be widened to `variant`.
    """
    head = variant.width // variant.heads
    if variant.width % width or width % head:
        raise ValueError(
            f"width {width} does not fit {variant.width} channels in heads of {head}: "
            f"take a multiple of {head} that divides {variant.width}"
        )
    if mlp_ratio * width > variant.mlp_ratio * variant.width:
        raise ValueError(
            f"MLP ratio {mlp_ratio} at width {width} needs more hidden units than the "
            f"{variant.mlp_ratio * variant.width} of the wide network"
        )
    return replace(variant, width=width, heads=width // head, mlp_ratio=mlp_ratio)
