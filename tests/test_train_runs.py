"""Runs that are killed, cut short, out of room or shared by two processes end as they should."""

import csv
import os
import resource
import signal
import subprocess
import sys
import time
from contextlib import contextmanager
from pathlib import Path

import pytest
import torch
from toy import toy

from restore.metrics import psnr
from restore.weights import load_model
from train import TrainingError, checkpoint, tiles
from train.fit import L1, Decibels, fit

RUNS = ("study-cnn", "gan")
"""Between them: both schedules, averaged weights and not, BatchNorm and a discriminator."""
SCRIPT = str(Path(__file__).with_name("toy.py"))


def environment(**more) -> dict:
    return {**os.environ, "OMP_NUM_THREADS": "1", **more}


def history(folder: Path) -> list[dict]:
    """The rows of history.csv as numbers, without those that time the machine."""
    with (folder / "history.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    return [{k: float(v) for k, v in row.items() if k != "images_per_s"} for row in rows]


def assert_same_run(one: Path, other: Path, tolerance: float = 1e-5) -> None:
    for row, twin in zip(history(one), history(other), strict=True):
        assert row == pytest.approx(twin, rel=tolerance, abs=tolerance)


@pytest.fixture(scope="module", autouse=True)
def one_thread():
    """As in the processes apart: sums are rounded in another order by another count of threads."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


@pytest.fixture(scope="module")
def whole(one_thread, tiled, tmp_path_factory) -> Path:
    """The folder of uninterrupted RUNS."""
    out = tmp_path_factory.mktemp("whole")
    for name in RUNS:
        fit(toy(name), name, tiled, out)
    return out


def assert_same_weights(one: Path, other: Path) -> None:
    cut, uncut = (checkpoint.load(run)["ema"] for run in (one, other))
    for key, value in uncut.items():
        assert torch.allclose(cut[key], value, atol=1e-6), key


def test_a_killed_run_ends_as_an_uninterrupted_one(whole, tiled, tmp_path):
    name = "study-cnn"
    with subprocess.Popen(
        [sys.executable, SCRIPT, str(tiled), str(tmp_path), "24", name], env=environment()
    ) as process:
        # Killed between its first checkpoint and its last.
        while not (tmp_path / name / checkpoint.LAST).exists() and process.poll() is None:
            time.sleep(0.005)
        process.kill()
    assert process.returncode == -signal.SIGKILL
    assert len(checkpoint.load(tmp_path / name)["history"]) < 3
    fit(toy(name), name, tiled, tmp_path, resume=True)
    assert_same_run(tmp_path / name, whole / name)
    assert_same_weights(tmp_path / name, whole / name)


def test_time_that_is_up_ends_a_run_with_weights_and_a_checkpoint(whole, tiled, tmp_path):
    weights = fit(toy("gan"), "gan", tiled, tmp_path, minutes=0)
    load_model("gan", weights)
    assert [row["step"] for row in history(tmp_path / "gan")] == [1]
    fit(toy("gan"), "gan", tiled, tmp_path, resume=True)
    rows, uncut = history(tmp_path / "gan"), history(whole / "gan")
    assert [row["step"] for row in rows] == [1, 2, 4, 6]
    assert rows[-1] == pytest.approx(uncut[-1], rel=1e-5, abs=1e-5)
    assert_same_weights(tmp_path / "gan", whole / "gan")


def damage(path: Path) -> None:
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 1
    path.write_bytes(data)


def test_a_damaged_checkpoint_gives_way_to_the_one_before(tmp_path):
    for images in (8, 16):
        checkpoint.save(tmp_path, {"images": images})
    assert checkpoint.load(tmp_path) == {"images": 16}
    damage(tmp_path / checkpoint.LAST)
    assert checkpoint.load(tmp_path) == {"images": 8}
    (tmp_path / checkpoint.PREVIOUS).write_bytes(b"")
    assert checkpoint.load(tmp_path) is None


def test_a_checkpoint_of_another_recipe_is_refused(whole, tiled, tmp_path):
    (tmp_path / "gan").symlink_to(whole / "study-cnn")
    with pytest.raises(TrainingError, match="does not fit the recipe gan"):
        fit(toy("gan"), "gan", tiled, tmp_path, resume=True)


@contextmanager
def little_room(size: int):
    """Files cannot grow beyond so many bytes: writing fails in the middle, as on a full disk."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


def test_a_full_disk_leaves_the_earlier_checkpoint_and_weights(tiled, tmp_path):
    folder = tmp_path / "cnn"
    fit(toy("cnn"), "cnn", tiled, tmp_path, minutes=0)
    before = checkpoint.load(folder)["history"]
    # Enough for the weights (170 kB) and the history, too little for a checkpoint (1.4 MB).
    with little_room(500_000), pytest.raises(TrainingError, match="Make room; the last checkpoint"):
        fit(toy("cnn"), "cnn", tiled, tmp_path, resume=True)
    assert checkpoint.load(folder)["history"] == before
    assert not list(folder.rglob("*.part"))
    load_model("cnn", folder / "weights")
    with little_room(100_000), pytest.raises(TrainingError, match="cannot be written"):
        fit(toy("cnn"), "cnn", tiled, tmp_path, resume=True)
    load_model("cnn", folder / "weights")
    assert not list(folder.rglob("*.part"))


def test_tiles_on_a_full_disk_get_a_sentence(photos, tmp_path):
    with little_room(100_000), pytest.raises(TrainingError, match="Make room"):
        tiles.make(photos, tmp_path / "tiles", train=20, val=4)
    assert not list((tmp_path / "tiles").iterdir())


def test_a_run_that_gets_no_better_ends_early(tiled, tmp_path):
    recipe = toy("gan", lr=0.0, validate_every=4, patience=2, schedule="plateau", ema=0.0)
    fit(recipe, "gan", tiled, tmp_path)
    assert len(history(tmp_path / "gan")) < 6


def test_a_run_that_breaks_down_leaves_what_was_good(tiled, tmp_path):
    with pytest.raises(TrainingError, match="After 16 tiles the loss is not a number"):
        fit(toy("cnn", lr=1e38, warmup=0), "cnn", tiled, tmp_path)
    assert checkpoint.load(tmp_path / "cnn")["history"][-1]["images"] == 8


def test_a_batch_that_processes_cannot_share_is_refused(tiled, tmp_path, monkeypatch):
    monkeypatch.setattr("train.fit.Accelerator.num_processes", 3)
    with pytest.raises(TrainingError, match="of 4 cannot be shared by 3 processes evenly"):
        fit(toy("cnn", batch=4), "cnn", tiled, tmp_path)


def test_the_spectrum_adds_to_the_loss():
    restored, clear = torch.rand(2, 1, 3, 32, 32)
    plain, _ = L1()(clear, restored, clear)
    more, logs = L1(0.1)(clear, restored, clear)
    assert more.item() == pytest.approx(plain.item() + 0.1 * logs["spectrum"].item())
    assert L1(0.1)(clear, clear, clear)[0] == 0
    rounded, logs = L1(charbonnier=0.5)(clear, restored, clear)
    assert rounded.item() == pytest.approx(((restored - clear) ** 2 + 0.25).sqrt().mean().item())
    assert logs["loss"] == plain, "what the curves show stays comparable"


def test_decibels_are_minus_what_is_scored():
    restored, clear = torch.rand(2, 2, 3, 32, 32)
    levels = [(tile * 255).round().byte().permute(1, 2, 0).numpy() for tile in (*restored, *clear)]
    scored = (psnr(levels[0], levels[2]) + psnr(levels[1], levels[3])) / 2
    assert Decibels(60)(clear, restored, clear)[0].item() == pytest.approx(-scored, abs=0.01)
    assert Decibels(35)(clear, clear, clear)[0].item() == pytest.approx(-35)


def test_frozen_statistics_stay_while_the_weights_learn(tiled, tmp_path):
    tuned = toy("gan", adversarial=False, decibels=35, frozen=True, start="gan")
    after = load_model("gan", fit(tuned, "tuned", tiled, tmp_path)).state_dict()
    before = load_model("gan").state_dict()
    same = {name for name in before if torch.equal(before[name], after[name])}
    statistics = ("running_mean", "running_var", "num_batches_tracked")
    assert same >= {name for name in before if name.endswith(statistics)}
    assert not any(name.endswith("weight") for name in same)


def test_two_processes_train_as_one(whole, tiled, tmp_path):
    command = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node=2"]
    command += [SCRIPT, str(tiled), str(tmp_path), "24", *RUNS]
    done = subprocess.run(command, env=environment(), capture_output=True, text=True, timeout=600)
    assert done.returncode == 0, done.stderr[-3000:]
    assert done.stdout.count("weights:") == len(RUNS)
    for name in RUNS:
        assert_same_run(tmp_path / name, whole / name, tolerance=1e-4)
    # Half a batch has other statistics: BatchNorm over each process would differ by 8 percent; and
    # where there is bf16, rounding alone by 2.
    two, one = (checkpoint.load(runs / "gan")["model"] for runs in (tmp_path, whole))
    for key in one:
        if key.endswith("running_var"):
            assert torch.allclose(two[key], one[key], rtol=0, atol=0.04 * one[key].max()), key
