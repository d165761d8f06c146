"""Restoring one photo: what is shown first, what stays, and under which name it is saved."""

from collections.abc import Iterator

import numpy as np
import pytest
from PIL import Image

from restore.page import results
from restore.page.kept import Restored
from restore.page.restoring import Shown, adjusted, as_far_as_it_goes, preview
from restore.page.work import opened, suffix
from restore.photo import Photo


def test_preview_is_small_and_keeps_the_shape():
    small = preview(Photo(np.zeros((1500, 3000, 3), np.uint8)))
    assert small.size == (800, 400)


@pytest.mark.parametrize(
    ("name", "kind", "expected"),
    [("a.JPG", "JPEG", ".jpg"), ("a.png", "JPEG", ".jpg"), ("image", "WEBP", ".webp")],
)
def test_the_download_ends_as_the_photo_does(name, kind, expected):
    upload = {"path": f"/tmp/{name}", "orig_name": name}
    assert suffix(upload, Photo(np.zeros((2, 2), np.uint8), format=kind)) == expected


def test_what_fails_after_a_result_is_a_warning_and_the_result_stays(monkeypatch):
    def fails():
        yield "result"
        raise ValueError("The fusion is damaged.")

    said = []
    monkeypatch.setattr("gradio.Warning", said.append)
    assert list(as_far_as_it_goes(fails())) == ["result"]
    assert said == ["The fusion is damaged."]
    with pytest.raises(ValueError, match="nothing came"):
        list(as_far_as_it_goes(failing("nothing came")))


def test_strength_blends_the_result_that_is_shown_and_no_other_that_is_kept(tmp_path):
    upload = {"path": str(tmp_path / "grey.png"), "orig_name": "grey.png"}
    Image.new("RGB", (16, 16), (100, 100, 100)).save(upload["path"])
    photo = opened(upload)
    for size, level in ((1.0, 120), ("shake", 140)):
        made = Restored(np.full_like(photo.colours, level), 1.0, size)
        results.KEPT.keep(results._key(photo, "cnn", size), made)
    wish = upload["path"], "cnn", "auto"
    assert (adjusted(upload, Shown(*wish, 1.0), 50)[1].colours == 110).all()
    assert (adjusted(upload, Shown(*wish, "shake"), 50)[1].colours == 120).all()
    assert adjusted(upload, Shown(*wish, 0.5), 50) is None, "no longer kept"
    assert adjusted(upload, Shown(*wish, None), 50) is None, "a preview"
    assert adjusted({**upload, "path": "other.png"}, Shown(*wish, 1.0), 50) is None
    assert adjusted(upload, None, 50) is None


def failing(sentence: str) -> Iterator:
    yield from ()
    raise ValueError(sentence)
