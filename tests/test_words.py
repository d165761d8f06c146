"""What is said of a result: right for real photos, and measured anew by a command."""

import numpy as np
import pytest

from restore import MODELS, load
from restore.page import verdicts, words
from restore.page.laboratory import distorted
from restore.page.work import sharpness_of


def judged(before: np.ndarray, after: np.ndarray, model: str) -> str:
    return words.VERDICTS[words.verdict(sharpness_of(before), sharpness_of(after), model)].key


@pytest.mark.slow
@pytest.mark.parametrize("model", ["unet-512", "unet-1024"])
@pytest.mark.parametrize(
    ("blurs", "key"),
    [
        ([], "verdict_sharp"),
        ([("study", 1)], "verdict_restored"),
        ([("gaussian", 2)], "verdict_restored"),
        ([("gaussian", 5), ("noise", 5)], "verdict_beyond"),
        ([("noise", 30)], "verdict_smoothed"),
    ],
)
def test_words_are_honest(clear, model, blurs, key):
    before = clear
    for kind, strength in blurs:
        before = distorted(before, kind, strength, 1, None)
    assert judged(before, load(model).restore(before), model) == key


def test_a_photo_too_small_to_judge_says_so():
    tiny = np.zeros((5, 5, 3), np.uint8)
    assert judged(tiny, tiny, "cnn") == "verdict_small"


def test_every_model_has_thresholds():
    for model in MODELS:
        assert 0 <= words.thresholds(model).lost < 0.1
        assert 0 < words.thresholds(model).gained < words.thresholds(model).sharp < 1


def gaining(least: float, most: float, count: int) -> list[tuple[float, float]]:
    """Sharpness before and after, of so many photos whose gains are spread evenly."""
    return [(0.5, 0.5 + gain / 2) for gain in np.linspace(least, most, count)]


def test_thresholds_tell_restored_from_beyond_however_many_there_are_of_each():
    sharp = [(before, before) for before in np.linspace(0.5, 0.7, 101)]
    for count in (20, 2000):
        photos = {"sharp": sharp, "restored": gaining(0.1, 0.4, 101)}
        found = verdicts.thresholds({**photos, "beyond": gaining(0.0, 0.2, count)})
        assert found.gained == pytest.approx(0.2, abs=0.01), "more would wrong the restored"
        found = verdicts.thresholds({**photos, "beyond": gaining(0.0, 0.05, count)})
        assert found.gained == pytest.approx(0.1, abs=0.01)
    assert found.sharp == 0.51
    assert [found.verdict(*one) for one in sharp].count("sharp") >= 95


def test_what_was_gained_says_which_verdict_is_right(clear, monkeypatch):
    monkeypatch.setattr(verdicts, "CASES", (("study", 1), ("shake", 31)))
    found = verdicts.measure("cnn", [np.ascontiguousarray(clear[100:228, 150:278])])
    assert {right: len(photos) for right, photos in found.items()} == {
        "sharp": 1,
        "restored": 1,
        "beyond": 1,
    }
    before, after = found["restored"][0]
    assert after > before


def test_crops_are_the_middles_of_photos_large_enough(photos):
    found = verdicts.crops(photos / "train")
    assert len(found) == 7
    assert {crop.shape for crop in found} == {(256, 256, 3)}
