# Copyright 2026 mixformer2_ros contributors
# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import json
import zipfile
from pathlib import Path

import numpy as np
import pytest

from mixformer2_ros.cli import main
from mixformer2_ros.evaluation import trackers
from mixformer2_ros.evaluation.results import ResultStore

SQUARE = "square_tracker:SquareTracker"
STILL = "square_tracker:StillTracker"


@pytest.fixture(autouse=True)
def _own_engines():
    """Engines are kept between sequences; none may outlive a test."""
    yield
    trackers._engine.cache_clear()


@pytest.fixture
def evaluate(squares_dir, tmp_path, monkeypatch, capsys):
    """Return a function that runs the command on the squares: exit code, stdout, stderr."""
    monkeypatch.syspath_prepend(str(Path(__file__).parent))
    monkeypatch.chdir(tmp_path)

    def run(*arguments, dataset=("--dataset", "folder", str(squares_dir)), workers="1"):
        code = main(["evaluate", *dataset, "--workers", workers, *arguments])
        out, err = capsys.readouterr()
        return code, out, err

    return run


def test_trackers_are_compared_with_their_conventions(evaluate):
    code, out, err = evaluate("--tracker", SQUARE, "--tracker", STILL)
    assert code == 0
    assert "3 sequences, 40 frames" in out
    assert "square_tracker-SquareTracker" in out.splitlines()[2]
    row = next(line for line in out.splitlines() if line.startswith("success_auc,"))
    square, still = map(float, row.split()[-2:])
    assert square == pytest.approx((100 + 100 + 100 * 10 / 12) / 3 * 20 / 21, abs=0.06)
    assert still < square
    assert "success_auc: success AUC, mean of 21" in out
    assert "3 sequences run, 0 finished before" in err


def test_json_holds_every_number(evaluate):
    code, out, _ = evaluate("--tracker", SQUARE, "--json")
    data = json.loads(out)
    assert code == 0
    assert data["dataset"]["frames"] == 40
    (tracker,) = data["trackers"]
    assert set(tracker["sequences"]) == {"short", "middle", "long"}
    assert tracker["overall"]["missed_loss_rate"] == 0
    assert tracker["overall"]["time_to_reacquire"] == 0
    assert "mean of 21" in data["conventions"]["success_auc"]


def test_a_second_run_only_scores(evaluate):
    evaluate("--tracker", SQUARE)
    code, _, err = evaluate("--tracker", SQUARE)
    assert code == 0
    assert "0 sequences run, 3 finished before" in err


def test_results_of_another_tracker_are_never_taken_for_these(evaluate):
    evaluate("--tracker", SQUARE, "--name", "mine")
    code, _, err = evaluate("--tracker", STILL, "--name", "mine")
    assert code == 2
    assert "holds results of other settings (tracker" in err


def test_latency_is_judged_by_running_again_or_by_shifting(evaluate):
    arguments = ("--tracker", SQUARE, "--latency", "0", "--latency", "100ms", "--json")
    curves = json.loads(evaluate(*arguments)[1])["latency_curves"]
    offline, zero, late = curves["square_tracker-SquareTracker"]
    assert (offline["how"], zero["how"], late["how"]) == ("offline", "run", "run")
    assert zero["success_auc"] == offline["success_auc"]
    assert late["success_auc"] < zero["success_auc"]
    assert late["frame_rate"] == pytest.approx(10)
    shifted = json.loads(evaluate(*arguments, "--pipelined")[1])["latency_curves"]
    assert shifted["square_tracker-SquareTracker"][2]["how"] == "pipelined"
    assert shifted["square_tracker-SquareTracker"][2]["frame_rate"] == pytest.approx(30)
    replayed = json.loads(evaluate(*arguments, "--replay")[1])["latency_curves"]
    # only in the frame that hides the square does it matter what the tracker has seen before
    estimate = replayed["square_tracker-SquareTracker"][2]
    assert estimate["how"] == "replayed"
    assert estimate["success_auc"] == pytest.approx(late["success_auc"], abs=0.02)


def test_mixformer_itself(evaluate, rule_model, tmp_path):
    from safetensors.torch import save_file

    state = {name: value.contiguous() for name, value in rule_model("small").state_dict().items()}
    save_file(state, tmp_path / "weights.safetensors")
    code, out, _ = evaluate(
        *("--checkpoint", "weights.safetensors", "--backend", "torch", "--threads", "1"),
        "--paper",
        *("--sequence", "short", "--latency", "0", "--json"),
    )
    assert code == 0
    offline, zero = json.loads(out)["trackers"]
    assert offline["tracker"] == "mixformerv2-small-paper"
    assert zero["overall"]["success_auc"] == offline["overall"]["success_auc"]
    meta = ResultStore(tmp_path / "results").meta("mixformerv2-small-paper", "short")
    assert "MixFormerV2-S" in meta["engine"]
    assert meta["recipe"]["weights"].startswith("weights.safetensors sha256 ")
    assert meta["recipe"]["tracker.robust"] is False


def test_supervised_runs_count_restarts(evaluate):
    data = json.loads(evaluate("--tracker", STILL, "--supervised", "--json")[1])
    assert data["trackers"][0]["overall"]["restarts"] == 2  # in "long" and "middle"


def test_shards_are_merged(evaluate, tmp_path):
    for part in ("1/2", "2/2"):
        code, out, _ = evaluate("--tracker", SQUARE, "--shard", part, "--results", part[0])
        assert code == 0
        assert f"ONLY shard {part}" in out
    code, out, _ = evaluate("--merge", "1", "--merge", "2", "--results", "all")
    assert code == 0
    assert "3 sequences, 40 frames" in out
    assert ResultStore(tmp_path / "all").sequences("square_tracker-SquareTracker") == [
        "long",
        "middle",
        "short",
    ]


def test_results_of_other_toolkits_are_imported(evaluate, tmp_path):
    folder = tmp_path / "ostrack_000"
    folder.mkdir()
    for name, count in (("short", 8), ("Middle", 12), ("nfs_long", 20)):
        np.savetxt(folder / f"{name}.txt", np.tile([2, 4, 8, 10], (count, 1)), "%d", "\t")
    code, out, _ = evaluate("--import", f"ostrack={folder}", "--tracker", STILL, "--json")
    assert code == 0
    imported, still = json.loads(out)["trackers"]
    assert imported["tracker"] == "ostrack"
    assert imported["overall"]["success_auc"] == still["overall"]["success_auc"]


def test_a_failed_sequence_is_reported_and_the_others_are_scored(evaluate, squares_dir):
    (squares_dir / "middle" / "img" / "0003.png").write_bytes(b"not an image")
    code, out, err = evaluate("--tracker", SQUARE)
    assert code == 1
    assert "middle is not scored" in out
    assert "cannot be read as an image" in out
    assert "1 failed" in err


def test_submissions_are_packed(evaluate, squares_dir, tmp_path):
    got10k = tmp_path / "GOT-10k" / "test"
    for name in ("short", "long"):
        images = sorted((squares_dir / name / "img").iterdir())
        (got10k / name).mkdir(parents=True)
        for image in images:
            image.rename(got10k / name / image.name)
        (got10k / name / "groundtruth.txt").write_text("2,4,8,10\n")
    (got10k / "list.txt").write_text("short\nlong\n")
    code, out, _ = evaluate("--tracker", SQUARE, dataset=("--dataset", "got10k", str(got10k)))
    assert code == 0
    assert "the truth of 2 sequences is not known here" in out
    with zipfile.ZipFile(tmp_path / "results/square_tracker-SquareTracker.zip") as archive:
        assert "short/short_001.txt" in archive.namelist()
        assert len(archive.read("long/long_001.txt").splitlines()) == 20


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("--tracker", "dimp"), "module:callable"),
        (("--sequence", "none"), "has no sequence none"),
        (("--name", "x", "--tracker", SQUARE, "--tracker", STILL), "--name names one tracker"),
        (("--bag", "x"), "not both"),
        (("--tracker", SQUARE, "--fps", "0"), "--fps is 0"),
        (("--tracker", SQUARE, "--shard", "3/2"), "shard 3/2"),
        (("--import", "x=nowhere"), "no such folder"),
    ],
)
def test_what_does_not_fit_is_refused(evaluate, arguments, message):
    code, _, err = evaluate(*arguments)
    assert code == 2
    assert message in err


def test_without_data_there_is_nothing_to_do(evaluate):
    code, _, err = evaluate(dataset=())
    assert code == 2
    assert "--dataset KIND and PATH" in err
