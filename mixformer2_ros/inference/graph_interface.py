# Copyright 2026 mixformer2_ros contributors
# SPDX-License-Identifier: Apache-2.0
"""Names of the graphs' inputs and outputs, for who runs them without being able to write them."""

from __future__ import annotations

from mixformer2_ros.model.variants import Variant

TEMPLATE_INPUTS = ("template", "online_template")
CROP_INPUT = "crop"
LOCATE_OUTPUTS = ("boxes", "scores", "edges")


def memory_names(variant: Variant) -> tuple[str, ...]:
    """Return the names of what is kept of encoded templates.

    They are outputs of `template_graph` and inputs of `locate_graph`: keys and values of every
    block but the last, each (N, heads, 2 * template_tokens, width / heads), then the last block's
    normalised tokens (N, 2 * template_tokens, width).
    """
    blocks = range(variant.depth - 1)
    return (*(f"{kind}_{i}" for i in blocks for kind in ("keys", "values")), "tokens")
