"""The command lines, called as a person calls them."""

import csv
import errno
import json
import os
import shutil
import signal
import subprocess
import sys
import time

import numpy as np
import pytest
from conftest import EXAMPLES, ROOT
from typer.testing import CliRunner

from restore import batch
from restore.__main__ import app
from restore.claims import Claims
from restore.metrics import psnr
from restore.photo import decode
from restore.restorer import NOT_STEADIED, STEADIED
from train.__main__ import app as train_app

FAST = ["--model", "cnn"]


def call(*arguments, program=app):
    return CliRunner().invoke(program, [str(a) for a in arguments], env={"COLUMNS": "200"})


@pytest.fixture
def photos(tmp_path):
    """A folder of blurred photos, one of them in a folder below, and one that is none."""
    folder = tmp_path / "photos"
    (folder / "below").mkdir(parents=True)
    shutil.copy(EXAMPLES / "cat-study.png", folder / "cat.png")
    shutil.copy(EXAMPLES / "coffee-defocus.png", folder / "below" / "coffee.png")
    return folder


def test_run_restores_a_folder_and_keeps_its_shape(photos, tmp_path, clear, blurred):
    out = tmp_path / "out"
    result = call("run", photos, "--out", out, *FAST)
    assert result.exit_code == 0, result.output
    assert (out / "below" / "coffee.png").exists()
    assert psnr(decode(out / "cat.png").levels(), clear) > psnr(blurred, clear) + 1


def test_run_scores_against_references(photos, tmp_path):
    (tmp_path / "clear").mkdir()
    encoded = decode(EXAMPLES / "cat.jpg").to_image()
    encoded.save(tmp_path / "clear" / "cat.png")
    result = call("run", photos, "--out", tmp_path / "o", "--reference", tmp_path / "clear", *FAST)
    assert result.exit_code == 0
    assert "PSNR 33.1" in result.output


def test_one_bad_photo_fails_and_the_others_are_done(photos, tmp_path):
    (photos / "bad.jpg").write_text("no photo")
    result = call("run", photos, "--out", tmp_path / "out", *FAST)
    assert result.exit_code == 1
    assert "bad.jpg: it is not a photo" in result.output
    assert (tmp_path / "out" / "cat.png").exists()
    assert not list((tmp_path / "out").glob("*.part"))


def test_results_are_not_overwritten_unless_told(photos, tmp_path):
    out = tmp_path / "out"
    out.mkdir()
    (out / "cat.png").write_text("mine")
    assert call("run", photos, "--out", out, *FAST).exit_code == 0
    assert (out / "cat.png").read_text() == "mine"
    assert call("run", photos, "--out", out, "--overwrite", *FAST).exit_code == 0
    assert decode(out / "cat.png").size == (451, 300)


def test_two_photos_with_one_result_are_a_wrong_call(photos, tmp_path):
    (photos / "cat.png").rename(photos / "coffee.png")
    both = [photos / "coffee.png", photos / "below"]
    result = call("run", *both, "--out", tmp_path / "out", *FAST)
    assert result.exit_code == 2
    assert "would both become" in result.output
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize("wish", [[], ["--overwrite"]])
@pytest.mark.parametrize("given", ["", "cat.png"])
def test_a_photo_is_not_replaced_by_its_own_result(photos, given, wish):
    before = (photos / "cat.png").read_bytes()
    result = call("run", photos / given, "--out", photos, *wish, *FAST)
    assert result.exit_code == 2
    assert "its own result" in result.output
    assert (photos / "cat.png").read_bytes() == before


def test_results_within_the_folder_are_not_restored_again(photos):
    assert call("run", photos, "--out", photos / "done", *FAST).exit_code == 0
    result = call("run", photos, "--out", photos / "done", *FAST)
    assert result.exit_code == 0
    assert sorted(p.name for p in photos.rglob("*.png")) == 2 * ["cat.png"] + 2 * ["coffee.png"]
    assert result.output.count("is there already") == 2


@pytest.mark.parametrize("suffix", [".csv", ".json"])
def test_the_report_says_what_was_done_and_survives_a_second_run(photos, tmp_path, suffix):
    (photos / "bad.jpg").write_text("no photo")
    path = tmp_path / f"report{suffix}"
    clear = tmp_path / "clear" / "below"
    clear.mkdir(parents=True)
    shutil.copy(EXAMPLES / "coffee.jpg", clear / "coffee.png")

    def read():
        text = path.read_text()
        rows = json.loads(text) if suffix == ".json" else csv.DictReader(text.splitlines())
        return {row["photo"]: row for row in rows}

    arguments = ["run", photos, "--out", tmp_path / "out", "--report", path, *FAST]
    arguments += ["--reference", clear.parent]
    assert call(*arguments).exit_code == 1
    first = read()
    coffee = first[str(photos / "below" / "coffee.png")]
    assert [float(coffee[key]) for key in ("width", "height", "scale")] == [448, 299, 1]
    assert 0 < float(coffee["sharpness_before"]) < float(coffee["sharpness_after"]) < 1
    assert 20 < float(coffee["psnr_before"]) < float(coffee["psnr_after"]) < 45
    assert first[str(photos / "bad.jpg")]["status"] == "failed"
    (photos / "bad.jpg").unlink()
    assert call(*arguments).exit_code == 0
    assert read()[str(photos / "below" / "coffee.png")] == coffee


def test_a_report_s_folder_is_made_and_a_failure_to_write_it_is_said(photos, tmp_path, monkeypatch):
    report = tmp_path / "new" / "report.CSV"
    assert call("run", photos, "--out", tmp_path / "out", "--report", report, *FAST).exit_code == 0
    assert len(list(csv.DictReader(report.open()))) == 2

    def full(*_):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(batch.os, "replace", full)
    result = call("run", photos, "--out", tmp_path / "out", "--report", report, *FAST)
    assert result.exit_code == 1
    assert "cannot be written (No space left on device)" in result.output


def test_a_foreign_report_is_left_alone(photos, tmp_path):
    (tmp_path / "mine.json").write_text("[1, 2]")
    report = tmp_path / "mine.json"
    result = call("run", photos, "--out", tmp_path / "out", "--report", report, *FAST)
    assert result.exit_code == 2
    assert "is no report of ours" in result.output
    assert report.read_text() == "[1, 2]"


def test_stopping_keeps_what_is_done(photos, tmp_path, monkeypatch):
    out, restore = tmp_path / "out", batch.Batch._restore

    def interrupted(self, job, *rest):
        if job.source.name == "coffee.png":
            signal.raise_signal(signal.SIGINT)
        return restore(self, job, *rest)

    (photos / "a.png").write_bytes((photos / "cat.png").read_bytes())
    monkeypatch.setattr(batch.Batch, "_restore", interrupted)
    # a shell starts what runs in the background with this signal ignored
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    result = call("run", photos, "--out", out, *FAST)
    signal.signal(signal.SIGINT, before)
    assert result.exit_code == 130
    assert "goes on where it was stopped" in result.output
    assert [p.name for p in out.rglob("*") if p.is_file()] == ["a.png"]
    monkeypatch.undo()
    assert call("run", photos, "--out", out, *FAST).exit_code == 0
    assert len([p for p in out.rglob("*") if p.is_file()]) == 3


def test_working_size_is_said(photos, tmp_path):
    result = call("run", photos / "cat.png", "--out", tmp_path, "--scale", "50", *FAST)
    assert "at 50%" in result.output


def test_camera_shake_is_looked_for_and_said(shaken, tmp_path):
    report = tmp_path / "report.csv"
    photos = shaken, EXAMPLES / "coffee.jpg"
    result = call("run", *photos, "--out", tmp_path, "--scale", "shake", "--report", report, *FAST)
    assert STEADIED in result.output
    assert NOT_STEADIED in result.output
    assert report.read_text().count(",shake,") == 2


def test_processes_share_a_folder_and_one_may_die(tmp_path):
    photos, out = tmp_path / "photos", tmp_path / "out"
    photos.mkdir()
    small = decode(EXAMPLES / "cat-study.png").to_image().crop((0, 0, 128, 128))
    for i in range(12):
        small.save(photos / f"{i}.png")
    (photos / "broken.png").write_text("no photo")  # must not end the others' work

    def rank(number: int, name: str) -> subprocess.Popen:
        command = [sys.executable, "-m", "restore", "run", photos, "--out", out, *FAST]
        command += ["--report", tmp_path / f"{name}.json"]
        environment = {**os.environ, "RANK": str(number), "WORLD_SIZE": "2", "LOCAL_RANK": "0"}
        return subprocess.Popen(command, cwd=ROOT, env=environment, stderr=subprocess.DEVNULL)

    victim = rank(0, "victim")
    while not list(out.glob(".*.claim")):
        assert victim.poll() is None
        time.sleep(0.01)
    victim.kill()
    victim.wait()
    assert list(out.glob(".*.claim"))
    done = {p.name for p in out.glob("*.png")}
    ranks = [rank(0, "after"), rank(1, "after")]
    assert [process.wait(120) for process in ranks] == [0, 0]
    rows = [r for i in (0, 1) for r in json.loads((tmp_path / f"after-{i}.json").read_text())]
    restored = [os.path.basename(row["photo"]) for row in rows if row["status"] == "restored"]
    assert sorted([*done, *restored]) == sorted(f"{i}.png" for i in range(12))
    assert sorted(p.name for p in out.iterdir()) == sorted(f"{i}.png" for i in range(12))


def test_a_claim_holds_while_its_owner_lives(tmp_path):
    target = tmp_path / "photo.png"
    with Claims() as first, Claims() as second:
        assert first.take(target)
        assert not second.take(target)
        first.release(target)
        assert second.take(target)
    assert not list(tmp_path.iterdir())


def test_a_claim_of_a_silent_machine_is_taken_over(tmp_path):
    target, claim = tmp_path / "photo.png", tmp_path / ".photo.png.claim"
    claim.write_text("elsewhere 1 token")
    with Claims() as claims:
        assert not claims.take(target)
        os.utime(claim, (time.time() - 500,) * 2)
        assert claims.take(target)


def test_a_claim_whose_owner_died_before_it_wrote_its_name_is_taken_over(tmp_path):
    target, claim = tmp_path / "photo.png", tmp_path / ".photo.png.claim"
    claim.touch()
    with Claims() as claims:
        assert not claims.take(target), "its owner may be about to write"
        os.utime(claim, (time.time() - 10,) * 2)
        assert claims.take(target)


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (["nowhere.png", "--weights", "/nowhere"], "Name a folder or a Hub repo"),
        (["nowhere.png", "--device", "cuda:9"], "is not one of"),
        (["nowhere.png", "--model", "magic"], "is not one of"),
        (["nowhere.png", "--reference", "/nowhere"], "/nowhere is not a folder"),
        (["nowhere.png", "--reference", __file__], "Name the one that the clear photos are in"),
        (["nowhere.png", "--out", __file__], "is a file, not a folder"),
        (["nowhere.png", "--report", f"{__file__}/report.csv"], "is a file, not a folder"),
        (["nowhere.png", "--report", "report.txt"], "must end in .csv or .json"),
        (["nowhere.png", "--scale", "33"], "is not one of"),
    ],
)
def test_a_wrong_call_exits_with_two(arguments, sentence, tmp_path):
    result = call("run", "--out", tmp_path, *arguments)
    assert result.exit_code == 2
    assert sentence in result.output


def test_empty_folder(tmp_path):
    result = call("run", tmp_path, "--out", tmp_path / "out")
    assert result.exit_code == 2
    assert "There are no photos in" in result.output


def test_missing_photo(tmp_path):
    result = call("run", tmp_path / "gone.png", "--out", tmp_path / "out", *FAST)
    assert result.exit_code == 1
    assert "gone.png: there is no such file" in result.output


def test_models_lists_all(tmp_path):
    result = call("models")
    assert result.exit_code == 0
    for text in ("unet-512", "7,766,051", "unet-1024", "31,043,651", "cnn", "83,715", "gan"):
        assert text in result.output
    assert "none" in call("models", "--weights", tmp_path).output


def test_metadata_is_stripped_on_wish(photos, tmp_path):
    image = decode(EXAMPLES / "cat.jpg").to_image()
    image.save(photos / "dpi.jpg", dpi=(300, 300))
    call("run", photos / "dpi.jpg", "--out", tmp_path / "a", *FAST)
    call("run", photos / "dpi.jpg", "--out", tmp_path / "b", "--strip-metadata", *FAST)
    kept, stripped = (decode(tmp_path / folder / "dpi.jpg") for folder in "ab")
    assert kept.dpi == (300, 300)
    assert stripped.dpi != (300, 300)
    assert np.array_equal(kept.levels(), stripped.levels())


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (["fit", "nonsense"], "There is no recipe 'nonsense'. Choose one of: cnn, "),
        (["fit", "cnn", "--tiles", "/nowhere"], "Make them with: python -m train tiles"),
        (["tiles", "--photos", "/nowhere"], "There is no folder /nowhere"),
    ],
)
def test_train_says_what_is_wrong(arguments, sentence):
    result = call(*arguments, program=train_app)
    assert result.exit_code == 2
    assert sentence in result.output
