"""The tables of README and model card stand as the recorded figures say."""

import json
import shutil

import pytest
from conftest import ROOT

from restore.models import MODELS
from restore.weights import read_config
from train.evaluate import OPPONENTS
from train.report import TABLE, ReportError, write


@pytest.fixture
def copy(tmp_path):
    """README, the figures in assets and weights without their tensors, where figures may change."""
    for path in (*ROOT.glob("weights/*/*.json"), *ROOT.glob("weights/*.*"), ROOT / "README.md"):
        target = tmp_path / path.relative_to(ROOT)
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(path, target)
    (tmp_path / "assets").mkdir()
    for path in (ROOT / "assets").glob("*.json"):
        shutil.copy(path, tmp_path / "assets")
    return tmp_path


def renew(folder):
    return write(folder / "weights", (folder / "README.md", folder / "weights" / "README.md"))


def test_readme_and_card_carry_the_recorded_figures(copy):
    """Whoever changes weights or figures has to run `python -m train report`."""
    for path in renew(copy):
        original = ROOT / path.relative_to(copy)
        assert path.read_text() == original.read_text(), "run: python -m train report"
        assert TABLE.search(path.read_text()), "the text has tables"


def test_every_model_and_opponent_has_its_row(copy):
    (copy / "README.md").write_text("<!-- table seed -->\n<!-- /table -->")
    write(copy / "weights", (copy / "README.md",))
    table = (copy / "README.md").read_text()
    figures = json.loads((copy / "weights" / "unet-512" / "metrics.json").read_text())
    seed = figures["suites"]["seed"]
    gain = seed["psnr"] - seed["input_psnr"]
    assert f"| {seed['psnr']:.2f} | {seed['ssim']:.4f} | {gain:+.2f} |" in table
    for name in (*MODELS, *OPPONENTS, "the study's U-Net-1024"):
        assert name in table


def change(path, **parts):
    path.write_text(json.dumps({**json.loads(path.read_text()), **parts}))


@pytest.mark.parametrize(
    ("spoil", "sentence"),
    [
        (lambda m: change(m, sha256="0" * 64), "the figures of cnn are of other weights"),
        (lambda m: m.unlink(), "the figures of cnn are of other weights"),
        (
            lambda m: change(
                m,
                suites={
                    "seed": {
                        "photos": 1,
                        "psnr": 30.0,
                        "ssim": 0.9,
                        "input_psnr": 20.0,
                        "input_ssim": 0.5,
                    }
                },
            ),
            "the rows of the suite seed are of different photos",
        ),
    ],
)
def test_figures_that_do_not_fit_are_refused_and_the_text_is_left(copy, spoil, sentence):
    before = (copy / "README.md").read_text()
    spoil(copy / "weights" / "cnn" / "metrics.json")
    with pytest.raises(ReportError, match=f"(?i){sentence}"):
        renew(copy)
    assert (copy / "README.md").read_text() == before


def test_figures_with_shake_are_of_the_fusion_that_is_there(copy):
    metrics = copy / "weights" / "cnn" / "metrics.json"
    figures = json.loads(metrics.read_text())["suites"]
    shake = {"fusion": "0" * 64, "suites": {"motion": {**figures["motion"], "psnr": 31.25}}}
    change(metrics, shake=shake)
    with pytest.raises(ReportError, match="of cnn with shake are of other weights of the fusion"):
        renew(copy)
    shake["fusion"] = read_config(copy / "weights" / "fusion")["sha256"]
    change(metrics, shake=shake)
    renew(copy)
    text = (copy / "README.md").read_text()
    assert "| cnn, shake |" in text
    assert "| 31.25 |" in text


def test_an_unknown_table_is_named(copy):
    (copy / "README.md").write_text("<!-- table taste -->\n<!-- /table -->")
    with pytest.raises(ReportError, match="no table 'taste'"):
        renew(copy)
