# Copyright 2026 mixformer2_ros contributors
# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import mmap
import os

import pytest

from mixformer2_ros.benchmark import machine


@pytest.fixture
def counters(tmp_path):
    """A package with one part, as the kernel shows them."""
    for name, start in {"intel-rapl:0": 100, "intel-rapl:0:0": 5, "dtpm": 7}.items():
        zone = tmp_path / name
        zone.mkdir()
        (zone / "energy_uj").write_text(f"{start}\n")
        (zone / "max_energy_range_uj").write_text("1000000\n")
    return tmp_path


def test_energy_is_that_of_whole_packages(counters):
    meter = machine.EnergyMeter(counters)
    before = meter.read()
    assert before == [100]
    (counters / "intel-rapl:0" / "energy_uj").write_text("500100\n")
    assert meter.since(before) == pytest.approx(0.5)


def test_a_counter_that_went_round_is_understood(counters):
    meter = machine.EnergyMeter(counters)
    before = meter.read()
    (counters / "intel-rapl:0" / "energy_uj").write_text("50\n")
    assert meter.since(before) == pytest.approx(0.99995)


def test_without_counters_there_is_no_energy(tmp_path):
    meter = machine.EnergyMeter(tmp_path / "nowhere")
    assert meter.read() is None
    assert meter.since(None) is None


def test_memory_grows_with_what_is_held():
    # Mapped, because what is allocated may come out of memory that was freed before.
    with mmap.mmap(-1, 40 << 20) as held:
        before = machine.resident_memory()
        held.write(bytes(len(held)))
        assert machine.resident_memory(os.getpid()) >= before + (30 << 20)
        assert machine.resident_memory(peak=True) >= machine.resident_memory()


def test_memory_of_a_process_that_is_not_there_is_unknown():
    with pytest.raises(RuntimeError, match="VmRSS"):
        machine.resident_memory("no process")


def test_caches_are_empty_and_come_back(monkeypatch):
    monkeypatch.setenv("MIXFORMER2_CACHE", "/own")
    with machine.empty_cache() as folder:
        assert os.environ["MIXFORMER2_CACHE"] == str(folder)
        assert list(folder.iterdir()) == []
    assert os.environ["MIXFORMER2_CACHE"] == "/own"
    assert not folder.exists()


def test_the_machine_is_named_by_its_features():
    features = machine.describe()
    assert int(features["cores"]) >= 1
    assert set(features) >= {"processor", "memory", "system", "numpy"}
    assert os.uname().nodename not in features.values()
