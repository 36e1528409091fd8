# Copyright 2026 mixformer2_ros contributors
# SPDX-License-Identifier: Apache-2.0
"""The way from weights to boxes through TensorRT, on a stand-in of it (gpu_fakes.py).

None of this has run on a GPU: what is proven is everything up to the calls into TensorRT and the
CUDA driver, with the graphs' own numbers, on releases that differ.
"""

from __future__ import annotations

import importlib
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

pytest.importorskip("onnx")
onnxruntime = pytest.importorskip("onnxruntime", reason="onnxruntime is not installed")

sys.path.insert(0, str(Path(__file__).parent))

import gpu_fakes  # noqa: E402

from mixformer2_ros.inference import Locations, ModelError, cuda_driver, graph  # noqa: E402
from mixformer2_ros.inference.artefact import Artefact, Recipe  # noqa: E402
from mixformer2_ros.inference.cuda_driver import Cuda  # noqa: E402
from mixformer2_ros.model.state import expected_shapes  # noqa: E402
from mixformer2_ros.model.variants import VARIANTS, Variant  # noqa: E402

TINY = Variant(
    "tiny",
    search_size=64,
    template_size=32,
    search_factor=4.5,
    depth=3,
    mlp_ratio=2,
    width=48,
    heads=3,
    bins=32,
)
MODULES = ("tensorrt_build", "tensorrt_engine", "tensorrt_artefact")
RELEASES = ("8.5.2", "8.6.2", "10.3.0", "11.4.0")
all_releases = pytest.mark.parametrize("version", RELEASES)


@pytest.fixture
def machine(monkeypatch, tmp_path):
    """A machine with a GPU and a release of TensorRT; returns its modules."""

    def pretend(version: str = "10.3.0", wrong: float = 0.0, **gpu: object) -> SimpleNamespace:
        driver = gpu_fakes.Driver(**gpu)
        trt = gpu_fakes.tensorrt(version, driver, wrong)
        monkeypatch.setenv("MIXFORMER2_CACHE", str(tmp_path / "cache"))
        monkeypatch.setattr(cuda_driver, "load_driver", lambda: driver)
        monkeypatch.setitem(VARIANTS, "tiny", TINY)
        monkeypatch.setitem(sys.modules, "tensorrt", trt)
        for name in MODULES:
            monkeypatch.delitem(sys.modules, f"mixformer2_ros.inference.{name}", raising=False)
        build, engine, artefact = (
            importlib.import_module(f"mixformer2_ros.inference.{name}") for name in MODULES
        )
        return SimpleNamespace(
            driver=driver, trt=trt, build=build, engine=engine, artefact=artefact, cuda=Cuda()
        )

    yield pretend
    for name in MODULES:
        sys.modules.pop(f"mixformer2_ros.inference.{name}", None)


@pytest.fixture(scope="module")
def state(rule_weights):
    return {name: rule_weights(name, shape) for name, shape in expected_shapes(TINY).items()}


def make(machine: SimpleNamespace, state, folder: Path, precision: str = "fp16", batch: int = 1):
    build(machine, state, folder, precision, batch)
    return load(machine, folder, precision, batch)


def build(machine: SimpleNamespace, state, folder: Path, precision: str = "fp16", batch: int = 1):
    fixed = 1 if batch == 1 else None
    graphs = machine.build.Graphs(
        graph.template_graph(TINY, state, batch=fixed), graph.locate_graph(TINY, state, batch=fixed)
    )
    recipe = recipe_for(precision, batch)
    machine.artefact.write_plans(
        folder, recipe, TINY, graphs, graphs, machine.cuda, lambda step: None
    )


def load(machine: SimpleNamespace, folder: Path, precision: str = "fp16", batch: int = 1):
    return machine.engine.open_engine(Artefact(folder, recipe_for(precision, batch), TINY))


def recipe_for(precision: str, batch: int) -> Recipe:
    return Recipe("tiny", "", "tensorrt", precision, batch, runtime="")


def exact(state, crops):
    """What the float32 graphs say on the processor."""
    template, locate = (
        onnxruntime.InferenceSession(write(TINY, state).SerializeToString())
        for write in (graph.template_graph, graph.locate_graph)
    )
    names = graph.memory_names(TINY)
    images = dict(zip(graph.TEMPLATE_INPUTS, crops[:2], strict=True))
    memory = dict(zip(names, template.run(names, images), strict=True))
    return Locations(*locate.run(graph.LOCATE_OUTPUTS, {graph.CROP_INPUT: crops[2], **memory}))


def crops(count: int, seed: int = 5) -> list[np.ndarray]:
    rng = np.random.default_rng(seed)
    sides = (TINY.template_size, TINY.template_size, TINY.search_size)
    return [rng.integers(0, 256, (count, side, side, 3), dtype=np.uint8) for side in sides]


@all_releases
@pytest.mark.parametrize(("precision", "tolerance"), [("fp32", 1e-5), ("fp16", 5e-3)])
def test_weights_become_boxes_on_every_release(
    machine, state, tmp_path, version, precision, tolerance
):
    engine = make(machine(version), state, tmp_path, precision)
    images = crops(1)
    found = engine.locate(engine.encode_templates(*images[:2]), images[2])
    expected = exact(state, images)
    for name in ("boxes", "scores", "edges"):
        np.testing.assert_allclose(
            getattr(found, name), getattr(expected, name), rtol=0, atol=tolerance
        )
    assert (found.boxes.dtype, found.edges.dtype) == (np.float64, np.float32)
    release = ".".join(version.split(".")[:2])
    kind = {"fp32": "float32", "fp16": "float16"}[precision]
    assert engine.description == f"MixFormerV2-T, TensorRT {release} on Orin, {kind}"


@all_releases
def test_float16_spares_softmax_normalisations_and_heads(machine, state, tmp_path, version):
    here = machine(version)
    make(here, state, tmp_path, "fp16")
    for network, config in here.trt.builds:
        assert "TF32" not in config.flags
        inside = {layer.name: layer for layer in network.layers}
        if version.startswith("8."):
            assert {"FP16", "OBEY_PRECISION_CONSTRAINTS"} <= config.flags
            held = {name for name, layer in inside.items() if layer.precision is not None}
            for name in held:
                assert set(inside[name].output_types.values()) == {here.trt.float32}
            assert any(name.startswith("Softmax") for name in held)
            assert any("norm1" in name for name in held)
            assert not any(name.endswith(("mlp.fc1", "attn.query")) for name in held)
            if "box_head.layers.0.0" in inside:
                assert {"box_head.layers.0.0", "score_head.layers.1"} <= held
        else:
            assert not config.flags - {"TF32"}
            types = {name: {layer.get_output(0).dtype.name} for name, layer in inside.items()}
            assert types["backbone.blocks.0.mlp.fc1"] == {"HALF"}
            assert types["backbone.blocks.0.norm2"] == {"FLOAT"}
            assert types.get("box_head.layers.0.0", {"FLOAT"}) == {"FLOAT"}
        memory = [tensor for tensor in network.tensors() if tensor.name.startswith("keys")]
        assert {tensor.dtype.name for tensor in memory} == {"HALF"}


def test_a_network_for_one_target_has_fixed_shapes(machine, state, tmp_path):
    here = machine()
    make(here, state, tmp_path, batch=1)
    assert not any(network.dynamic for network, _ in here.trt.builds)


@pytest.mark.parametrize("batch", [1, 2, 4])
@pytest.mark.parametrize("integrated", [False, True], ids=["card", "jetson"])
def test_targets_of_any_number_and_order(machine, state, tmp_path, batch, integrated):
    engine = make(machine(integrated=integrated), state, tmp_path, "fp32", batch)
    images = crops(5)
    expected = exact(state, images)
    memories = engine.encode_templates(*images[:2])
    for order in ([0], [0, 1, 2, 3, 4], [3, 1], [4, 2, 0], [1]):
        found = engine.locate([memories[i] for i in order], images[2][order])
        np.testing.assert_allclose(found.boxes, expected.boxes[order], atol=1e-5)
        np.testing.assert_allclose(found.edges, expected.edges[order], atol=1e-5)


@pytest.mark.parametrize("integrated", [False, True], ids=["card", "jetson"])
def test_a_frame_is_one_graph_and_moves_nothing_but_crop_and_results(
    machine, state, tmp_path, integrated
):
    here = machine(integrated=integrated)
    engine = make(here, state, tmp_path)
    images = crops(1)
    memories = engine.encode_templates(*images[:2])
    engine.locate(memories, images[2])
    here.driver.calls.clear()
    engine.locate(memories, images[2])
    assert here.driver.calls == ["cuCtxSetCurrent", "cuGraphLaunch", "cuStreamSynchronize"]
    copies = [name for name in here.driver.recorded if name.startswith("cuMemcpy")]
    assert bool(copies) != integrated


def test_kernels_that_cannot_be_captured_are_launched_one_by_one(machine, state, tmp_path):
    here = machine(captures=False)
    engine = make(here, state, tmp_path, "fp32")
    images = crops(1)
    found = engine.locate(engine.encode_templates(*images[:2]), images[2])
    np.testing.assert_allclose(found.boxes, exact(state, images).boxes, atol=1e-5)
    assert "cuGraphLaunch" not in here.driver.calls


def test_results_and_memories_survive_what_comes_after(machine, state, tmp_path):
    engine = make(machine(), state, tmp_path)
    images, others = crops(1), crops(1, seed=6)
    old = engine.encode_templates(*images[:2])
    first = engine.locate(old, images[2])
    kept = first.edges.copy()
    new = engine.encode_templates(*others[:2])
    assert np.abs(engine.locate(new, images[2]).edges - kept).max() > 1e-3
    np.testing.assert_array_equal(first.edges, kept)
    np.testing.assert_array_equal(engine.locate(old, images[2]).edges, kept)


def test_another_thread_may_use_the_engine(machine, state, tmp_path):
    engine = make(machine(), state, tmp_path)
    images = crops(1)
    here = engine.locate(engine.encode_templates(*images[:2]), images[2])
    with ThreadPoolExecutor(1) as worker:
        memory = worker.submit(engine.encode_templates, *images[:2]).result()
        there = worker.submit(engine.locate, memory, images[2]).result()
    np.testing.assert_array_equal(there.edges, here.edges)


def test_everything_on_the_gpu_is_given_back(machine, state, tmp_path):
    here = machine()
    engine = make(here, state, tmp_path)
    engine.locate(engine.encode_templates(*crops(2)[:2]), crops(2)[2])
    assert here.driver.memory
    del engine
    assert not here.driver.memory
    assert here.driver.calls.count("cuGraphExecDestroy") == len(here.driver._graphs)


def test_wrong_crops_are_refused(machine, state, tmp_path):
    engine = make(machine(), state, tmp_path)
    images = crops(2)
    memories = engine.encode_templates(*images[:2])
    with pytest.raises(ValueError, match="2 template memories for 1 search crops"):
        engine.locate(memories, images[2][:1])
    with pytest.raises(ValueError, match="crops must be"):
        engine.locate(memories, images[0])
    with pytest.raises(ValueError, match="2 templates, 1 online ones"):
        engine.encode_templates(images[0], images[1][:1])


def test_a_plan_that_says_something_else_is_not_kept(machine, state, tmp_path):
    here = machine(wrong=0.05)
    with pytest.raises(
        ModelError, match=r"is wrong: edges lie .* of the crop .* 0\.01 is the most"
    ):
        make(here, state, tmp_path)
    assert not list(tmp_path.glob("*.plan"))
    with pytest.raises(ModelError, match="is wrong: edges lie nan"):
        make(machine(wrong=float("nan")), state, tmp_path)


def test_the_comparison_needs_no_onnxruntime(machine, state, tmp_path, monkeypatch):
    here = machine()
    monkeypatch.setitem(sys.modules, "onnxruntime", None)
    build(here, state, tmp_path, "fp32")
    assert sorted(path.name for path in tmp_path.glob("*.plan")) == [
        "encode_templates.plan",
        "locate.plan",
    ]


def test_times_of_kernels_are_kept_for_the_next_build(machine, state, tmp_path):
    here = machine()
    make(here, state, tmp_path)
    make(here, state, tmp_path, "fp32")
    assert [config.timing.count(b"timed;") for _, config in here.trt.builds] == [0, 1, 2, 3]
    other = machine(name="Xavier")
    make(other, state, tmp_path)
    assert other.trt.builds[0][1].timing == b""


def test_a_plan_is_tied_to_the_gpu_and_the_release(machine, state, tmp_path):
    here = machine("10.3.0")
    assert here.engine.runtime_name(here.cuda) == "10.3.0 on Orin, compute capability 8.7"
    make(here, state, tmp_path)
    other = machine("10.7.0")
    with pytest.raises(ModelError, match=r"10\.7\.0 does not take the plan: plan of version 10\.3"):
        load(other, tmp_path)


def test_from_a_checkpoint_to_an_engine_that_is_built_once(machine, rule_checkpoint, tmp_path):
    from mixformer2_ros.inference import export, load_engine

    checkpoint = rule_checkpoint("small")
    here = machine("10.3.0")
    engine = load_engine("small", checkpoint, "tensorrt")
    assert engine.description == "MixFormerV2-S, TensorRT 10.3 on Orin, float16"
    assert len(here.trt.builds) == 2
    load_engine("small", checkpoint, "tensorrt", "cuda", "fp16")
    assert len(here.trt.builds) == 2
    with pytest.raises(ModelError, match=r"first GPU: .* with CUDA_VISIBLE_DEVICES=1"):
        load_engine("small", checkpoint, "tensorrt", "cuda:1")

    recipe = export.make_recipe("small", checkpoint, "tensorrt", "fp16")
    folder = export.obtain(recipe, checkpoint).folder
    assert load_engine("small", folder).description == engine.description
    for version, name in (("10.7.0", "Orin"), ("10.3.0", "Xavier")):
        machine(version, name=name)
        with pytest.raises(
            ModelError, match=r"its runtime is '10\.3\.0 on Orin.*mixformer2 export"
        ):
            load_engine("small", folder)
