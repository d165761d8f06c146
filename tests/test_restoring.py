"""Restoring one photo: what is shown first, what stays, and under which name it is saved."""

from collections.abc import Iterator

import numpy as np
import pytest

from restore.page.restoring import as_far_as_it_goes, preview
from restore.page.work import suffix
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


def failing(sentence: str) -> Iterator:
    yield from ()
    raise ValueError(sentence)
