# Copyright 2026 mixformer2_ros contributors
# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import numpy as np

from mixformer2_ros.scenes.batched.tape import Tape


def test_a_sample_reads_the_same_whoever_is_drawn_beside_it():
    whole, part = Tape(3, 7, np.arange(8)), Tape(3, 7, np.array([5, 2]))
    for _ in range(2):
        np.testing.assert_array_equal(whole.normal(4, 2)[[5, 2]], part.normal(4, 2))


def test_seed_index_and_sample_all_count():
    first = Tape(0, 0, np.arange(2)).uniform(6)
    others = [Tape(1, 0, np.arange(2)).uniform(6), Tape(0, 1, np.arange(2)).uniform(6), first[::-1]]
    assert all((first != other).all() for other in others)


def test_distributions():
    tape = Tape(0, 0, np.arange(2000))
    uniform, normal = tape.uniform(20, low=-1, high=3), tape.normal(20)
    assert uniform.min() >= -1
    assert uniform.max() < 3
    np.testing.assert_allclose([uniform.mean(), uniform.std()], [1, 4 / 12**0.5], atol=0.02)
    np.testing.assert_allclose([normal.mean(), normal.std()], [0, 1], atol=0.02)
    # Neither neighbours on a tape nor neighbouring tapes go together.
    assert abs(np.mean(normal[:, 1:] * normal[:, :-1])) < 0.02
    assert abs(np.mean(normal[1:] * normal[:-1])) < 0.02


def test_picks_follow_the_weights():
    picked = Tape(0, 0, np.arange(500)).pick(np.array([0.0, 3.0, 1.0, 0.0]), 20)
    np.testing.assert_allclose(np.bincount(picked.ravel()) / 10_000, [0, 0.75, 0.25], atol=0.02)


def test_integers_and_choices_reach_every_value():
    tape = Tape(0, 0, np.arange(300))
    assert set(tape.integers(5, 2).ravel()) == set(range(5))
    assert set(tape.choose((0.5, 2.0), 1).ravel()) == {0.5, 2.0}
    assert tape.log_uniform(2, 8).min() >= 2
