# Copyright 2026 mixformer2_ros contributors
# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

from argparse import Namespace
from dataclasses import replace

import pytest

torch = pytest.importorskip("torch")

from mixformer2_ros.benchmark import generator  # noqa: E402

pytestmark = pytest.mark.usefixtures("one_thread")


def test_samples_are_counted_and_their_traffic_is_plausible(monkeypatch: pytest.MonkeyPatch):
    few = replace(generator._MATERIAL, sprites=3, backgrounds=2, scene_clips=1)
    monkeypatch.setattr(generator, "_MATERIAL", few)
    arguments = Namespace(
        device="cpu", corpus=None, model="small", samples=2, searches=[1, 2], batches=1
    )
    (table,) = generator.measure_generator(arguments)
    assert [row[0] for row in table.rows] == [1, 2]
    for searches, samples_rate, crops_rate, traffic, _ in table.rows:
        assert crops_rate == pytest.approx(searches * samples_rate)
        # At least each pixel of the crops is written once, as three floats.
        assert traffic > (224**2 * searches + 2 * 112**2) * 12 / 1e6
