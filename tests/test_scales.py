"""Which working size suits which blur: measured, written down, shown in the README."""

import json
import shutil

import numpy as np
import pytest
from PIL import Image

from restore.metrics import psnr
from restore.weights import BUNDLED
from restore.working_size import SMALLEST
from train import report, scales
from train.suites import EvaluationError, Suite, gaussian


@pytest.fixture
def measured(clear, tmp_path, monkeypatch):
    """The figures of one photo with hardly any and with very wide blur, and the file of them."""
    crop = np.ascontiguousarray(clear[:, :320])
    Image.fromarray(crop).save(tmp_path / "photo.png")
    blurs = (Suite("mild", "", gaussian(1.1)), Suite("wide", "", gaussian(8.0)))
    monkeypatch.setattr(scales, "BLURS", blurs)
    out = tmp_path / "scales.json"
    return scales.scales("gan", [tmp_path / "photo.png"], out), out, crop


def test_wide_blur_is_better_restored_small_and_auto_finds_out(measured):
    (mild, wide), _, crop = measured
    assert mild.auto == mild.sizes["100"] > mild.sizes["50"]
    assert wide.auto == max(wide.sizes.values()) > wide.sizes["100"]
    assert mild.chosen["100"] == wide.chosen["25"] + wide.chosen["50"] == 1
    assert min(crop.shape[:2]) >= SMALLEST
    blurred = scales.BLURS[1](crop, 0).distorted
    assert wide.input == pytest.approx(psnr(blurred, crop))


def test_figures_are_written_with_the_weights_that_made_them(measured):
    lines, out, _ = measured
    found = json.loads(out.read_text())
    assert list(found["sha256"]) == ["gan"]
    assert found["rows"][1]["sizes"] == lines[1].sizes
    head, mild, _ = report._lines(scales.table(found["rows"]))
    assert head[1:] == ["input", "100 %", "50 %", "25 %", "auto", "auto chose"]
    assert mild[0] == "mild"
    assert mild[-1] == "100 %: 1"


def test_figures_of_other_weights_are_no_table(tmp_path):
    (tmp_path / "scales.json").write_text('{"sha256": {"cnn": "other"}, "rows": []}')
    (tmp_path / "cnn").mkdir()
    shutil.copy(BUNDLED / "cnn" / "config.json", tmp_path / "cnn")
    with pytest.raises(report.ReportError, match="train scales"):
        report.TABLES["scales"](tmp_path)


def test_without_photos_it_says_so(tmp_path):
    with pytest.raises(EvaluationError, match="does not exist"):
        scales.scales("cnn", [tmp_path / "none"], tmp_path / "out.json")
