"""The laboratory, its links and curves, and the study's tab."""

import re
import shutil
import time
from pathlib import Path

import numpy as np
import pytest
from conftest import EXAMPLES
from gradio_client import Client, handle_file
from PIL import Image
from steps import serious

from restore import MODELS
from restore.distort import DISTORTIONS, SEEDS
from restore.metrics import psnr
from restore.page import laboratory
from restore.page.laboratory_tab import KINDS
from restore.page.setting import Setting, from_query
from restore.page.study_tab import CURVES, POINTS, curve, figures, history
from restore.page.texts import TEXTS
from restore.photo import decode
from restore.weights import BUNDLED, measured

CAT = EXAMPLES / "cat.jpg"
LINK = "?kind=motion&strength=15&angle=30&seed=3&model=cnn"


def test_every_distortion_has_its_words():
    assert list(KINDS) == list(DISTORTIONS)


def test_a_link_brings_its_setting():
    query = {"kind": "shake", "strength": "12.5", "angle": "0", "seed": "7", "model": "gan"}
    assert from_query(query) == (Setting("shake", 12.5, 0, 7, "gan"), "")


def test_a_link_with_a_kind_alone_takes_its_usual_strength():
    assert from_query({"kind": "jpeg"}) == (Setting("jpeg", DISTORTIONS["jpeg"].default), "")


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("kind", "<script>"),
        ("kind", "__class__"),
        ("strength", "nan"),
        ("strength", "inf"),
        ("strength", "31"),
        ("strength", ""),
        ("strength", "9" * 400),
        ("angle", "-1"),
        ("angle", "181"),
        ("seed", "-1"),
        ("seed", "1.5"),
        ("seed", str(2**31)),
        ("model", "../../etc/passwd"),
        ("model", "org/repo"),
    ],
)
def test_a_forged_value_falls_back_with_a_sentence(name, value):
    setting, sentence = from_query({name: value})
    assert setting == Setting()
    assert sentence.endswith(f"used for: {name}.")


def test_half_a_time_of_the_studys_blur_is_none():
    setting, sentence = from_query({"kind": "study", "strength": "2.5"})
    assert setting == Setting("study", 1)
    assert sentence.endswith("used for: strength.")


@pytest.mark.parametrize(
    ("given", "nearest"),
    [
        (Setting("gaussian", 999, -4, 3), Setting("gaussian", 5, 0, 3)),
        (Setting("motion", -5, 181, 1.7), Setting("motion", 1, 180, 2)),
        (Setting("study", 2.4, None, None), Setting("study", 2, 0, 0)),
        (Setting("shake", None, 90, -3), Setting("shake", 1, 90, 0)),
        (Setting("noise", 8, 0, 1e20), Setting("noise", 8, 0, SEEDS - 1)),
        (Setting("jpeg", 30.5, 12.5, 7), Setting("jpeg", 30.5, 12.5, 7)),
    ],
)
def test_what_stands_in_the_fields_is_put_right(given, nearest):
    assert given.nearest() == nearest


def test_all_that_is_forged_is_named():
    _, sentence = from_query({"kind": "a", "seed": "b", "angle": "c"})
    assert "kind, angle, seed" in sentence


def test_a_large_photo_is_worked_on_small_and_the_page_says_so(tmp_path):
    with Image.open(CAT) as image:
        image.resize((1100, 700)).save(tmp_path / "large.png")
    upload = {"path": str(tmp_path / "large.png"), "orig_name": "large.png"}
    sizes, said = [], []
    for view, _, _, _, words in laboratory.explore(upload, "gaussian", 2, 0, 0, "cnn"):
        sizes += [decode(path).size for path, _ in view]
        said.append(str(words))
    assert set(sizes) == {(512, 326)}
    assert "laboratory_small" in said[-1]


def test_the_curves_hold_what_the_models_gain_and_come_one_point_at_a_time(monkeypatch):
    monkeypatch.setattr(laboratory, "MODELS", {"cnn": MODELS["cnn"]})
    monkeypatch.setattr(laboratory, "STRENGTHS", 2)
    plots = list(laboratory.gain_curves({"path": str(CAT)}, "noise", 0, 5))
    assert [len(plot.value["data"]) for plot in plots] == [0, 1], "no gain over an untouched photo"
    (name, strength, gain) = plots[-1].value["data"][0]
    assert (name, strength) == ("cnn", DISTORTIONS["noise"].high)
    levels = decode(CAT).levels()
    top, left = (levels.shape[0] - 128) // 2, (levels.shape[1] - 128) // 2
    clear = levels[top : top + 128, left : left + 128]
    soft = laboratory.distorted(clear, "noise", strength, 5, 0)
    after = laboratory.restored(laboratory.Photo(soft), "cnn").colours
    assert gain == pytest.approx(psnr(after, clear) - psnr(soft, clear), abs=1e-3)


def test_nothing_is_measured_on_what_is_hardly_touched(monkeypatch):
    monkeypatch.setattr(laboratory, "MODELS", {"cnn": MODELS["cnn"]})
    told: list[str] = []
    plots = list(
        laboratory.gain_curves(
            {"path": str(CAT)}, "gaussian", 0, 5, lambda share, words: told.append(words)
        )
    )
    assert all(re.fullmatch(r"measuring cnn, \d+ s left", words) for words in told)
    strengths = [strength for _, strength, _ in plots[-1].value["data"]]
    assert strengths == laboratory.ladder("gaussian")[1:]
    assert min(gain for _, _, gain in plots[-1].value["data"]) > 0


def test_figures_of_other_weights_are_not_shown(tmp_path):
    shutil.copytree(BUNDLED / "cnn", tmp_path / "cnn")
    ours = measured("cnn", tmp_path)["seed"]["psnr"]
    assert ours > 28
    assert f"| {ours:.2f} |" in figures(str(tmp_path))[0]
    path = tmp_path / "cnn" / "metrics.json"
    path.write_text(path.read_text().replace('"sha256": "', '"sha256": "0'))
    assert measured("cnn", tmp_path) == {}
    table = figures(str(tmp_path))[0]
    assert "| cnn | 24.84 | – | – | – | – |" in table


def test_a_record_of_training_becomes_curves(tmp_path):
    columns = ["step", "images", "loss", "val_loss", "val_psnr", "val_study_psnr", "val_study_ssim"]
    rows = [",".join(columns)]
    rows += [f"{i},{16 * i},0.05,0.04,{20 + i / 100},{21 + i / 100}," for i in range(1, 501)]
    (tmp_path / "history.csv").write_text("\n".join(rows))
    found = history(tmp_path)
    assert len(found) <= POINTS
    assert found[-1]["images"] == 8000
    points = curve(*CURVES["psnr"], {"cnn": found}).value["data"]
    assert points[-1] == ["cnn", 8, 26]
    assert not curve(*CURVES["ssim"], {"cnn": found}).visible, "that column is empty"
    (tmp_path / "history.csv").write_text("step,images\n1,what\n")
    assert history(tmp_path) == []


def test_distorting_a_large_photo_tells_the_time_left(tmp_path, monkeypatch):
    whole = laboratory.distorted

    def slowly(*setting):
        time.sleep(0.1 if setting[0].shape[0] <= laboratory.CROP else 0.7)
        return whole(*setting)

    monkeypatch.setattr(laboratory, "distorted", slowly)
    told: list[tuple[float, str]] = []
    upload = {"path": str(CAT), "orig_name": "cat.jpg"}
    (path,) = laboratory.distort_photo(
        upload, "gaussian", 2, progress=lambda share, desc: told.append((share, desc))
    )
    assert Path(path).name == "cat-gaussian.png"
    assert len(told) >= 2
    assert 0 < told[0][0] < told[-1][0] < 1
    assert all(re.fullmatch(r"distorting, \d+ s left", words) for _, words in told)


@pytest.mark.slow
def test_distort_takes_an_angle_and_draws_one_where_there_is_none(page_url, tmp_path):
    client = Client(page_url, verbose=False, download_files=str(tmp_path))

    def distort(*setting) -> np.ndarray:
        return decode(client.predict(handle_file(CAT), *setting, api_name="/distort")).levels()

    turned = distort("motion", 11, 4, 90)
    assert np.array_equal(turned, laboratory.distorted(decode(CAT).levels(), "motion", 11, 0, 90))
    assert not np.array_equal(turned, distort("motion", 11, 4))
    with pytest.raises(Exception, match="angle must lie between 0 and 180"):
        distort("motion", 11, 4, 200)


@pytest.mark.browser
@pytest.mark.slow
def test_the_study_stands_beside_ours_in_the_visitor_s_language(browser, page_url):
    context = browser.new_context(locale="de-DE")
    page = context.new_page()
    page.goto(page_url)
    page.get_by_role("tab", name=TEXTS["de"]["study_tab"]).click()
    row = page.locator("#study-table tr").filter(has_text="unet-512")
    row.wait_for()
    cells = row.locator("td").all_inner_texts()
    assert cells[1:3] == ["30.85", "0.9229"]
    ours = measured("unet-512").get("seed")
    assert serious(page) == []
    assert cells[3] == (f"{ours['psnr']:.2f}" if ours else "–")
    context.close()
