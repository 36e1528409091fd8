# Copyright 2026 mixformer2_ros contributors
# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import subprocess
import sys

import pytest

from mixformer2_ros.model.variants import BASE, SMALL, get_variant, narrowed


def test_token_counts():
    assert (SMALL.search_tokens, SMALL.template_tokens) == (196, 49)
    assert (BASE.search_tokens, BASE.template_tokens) == (324, 64)


def test_an_unknown_variant_names_the_choices():
    with pytest.raises(ValueError, match="'tiny': choose one of base, small"):
        get_variant("tiny")


def test_variants_need_no_torch():
    code = "import sys, mixformer2_ros.model.variants; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


def test_widths_that_cannot_be_widened_are_refused():
    with pytest.raises(ValueError, match="width 200 does not fit 768"):
        narrowed(SMALL, 200, 1)
    with pytest.raises(ValueError, match="MLP ratio 4 at width 256"):
        narrowed(SMALL, 256, 4)
