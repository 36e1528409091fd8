# Copyright 2026 mixformer2_ros contributors
# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import pytest

from mixformer2_ros.inference import processor


def test_flags_are_read_on_intel_and_arm(tmp_path):
    path = tmp_path / "cpuinfo"
    path.write_text("processor : 0\nflags\t\t: fpu avx2 avx512_vnni\n\nprocessor : 1\n")
    assert processor.processor_flags(path) == {"fpu", "avx2", "avx512_vnni"}
    path.write_text("processor : 0\nFeatures : fp asimd\n")
    assert processor.processor_flags(path) == {"fp", "asimd"}
    assert processor.processor_flags(tmp_path / "none") == set()


@pytest.mark.parametrize(
    ("flags", "bfloat16", "int8", "words"),
    [
        ({"fpu", "avx2"}, False, False, "avx2"),
        ({"avx512f", "avx512_vnni"}, False, True, "avx512_vnni, avx512f"),
        ({"avx512_bf16", "avx512_vnni"}, True, True, "avx512_bf16, avx512_vnni"),
        ({"amx_bf16", "amx_int8"}, True, True, "amx_bf16, amx_int8"),
        ({"asimd", "asimddp"}, False, True, "asimd, asimddp"),
        ({"asimd", "bf16", "i8mm"}, True, True, "asimd, bf16, i8mm"),
        (set(), False, False, "none that help"),
    ],
)
def test_what_a_processor_can_do_follows_from_its_flags(monkeypatch, flags, bfloat16, int8, words):
    monkeypatch.setattr(processor, "processor_flags", lambda: frozenset(flags))
    assert processor.has_bfloat16() == bfloat16
    assert processor.has_int8() == int8
    assert processor.describe_features() == words
