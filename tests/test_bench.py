"""The benchmark, in its quick form: the figures are there and fit each other."""

import json
import time

import psutil
import pytest
import torch
from test_cli import call

from restore import MODELS, load
from restore.bench import flops_per_pixel, interleaved, peak_memory, photo_speed


def test_quick_bench_writes_figures_that_fit_each_other(tmp_path):
    out, before = tmp_path / "bench.json", psutil.Process().memory_info().rss
    result = call("bench", "--quick", "--models", "cnn", "--device", "cpu", "--out", out)
    assert result.exit_code == 0, result.output
    figures = json.loads(out.read_text())
    assert 0 < figures["import_seconds"] < 10
    model = figures["models"]["cnn"]
    for row in model["small"].values():
        assert row["ratio"] == pytest.approx(row["ours"] / row["eager fp32"])
    assert 1e4 < model["tile_pixels_per_second"] < 1e9
    for row in model["photos"].values():
        assert row["seconds"] > 0
        assert 1e8 < row["peak_bytes"] < before + 2.5e9
    for text in ("images/s", "eager fp32", "peak memory", "of matrix rate"):
        assert text in result.output


def test_unknown_model():
    result = call("bench", "--models", "cnn,magic")
    assert result.exit_code == 2
    assert "There is no model 'magic'" in result.output


def test_flops_are_those_of_the_layers():
    layers = ((3, 256, 9), (256, 64, 1), (64, 3, 5))
    assert flops_per_pixel(MODELS["cnn"].build()) == sum(2 * i * o * k * k for i, o, k in layers)
    assert flops_per_pixel(MODELS["unet-512"].build()) == pytest.approx(0.37e6, rel=0.02)


def test_what_takes_too_long_is_cut_short_or_left_out():
    restorer = load("cnn", device="cpu")
    restorer.tile = 128**2
    part = photo_speed(restorer, 0.2, rate=1e9, seconds=0.01)
    assert 0 < part["tiles_done"] < part["tiles"]
    assert part["seconds"] > 0.01
    assert "would take about" in photo_speed(restorer, 1, rate=1e3, seconds=1)["skipped"]


def test_repetitions_take_turns():
    calls = []
    functions = {name: lambda name=name: calls.append(name) for name in "ab"}
    spent = interleaved(functions, 0.01, torch.device("cpu"))
    assert calls[:6] == list("ababab")
    assert set(spent) == {"a", "b"}


def test_peak_memory_sees_what_was_held():
    with peak_memory(torch.device("cpu")) as low:
        time.sleep(0.1)
    with peak_memory(torch.device("cpu")) as high:
        held = torch.ones(50_000_000)
        time.sleep(0.1)
        del held
    assert high[0] - low[0] > 150e6
