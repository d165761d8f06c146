"""The page's three endpoints, through gradio_client."""

import httpx
import numpy as np
import pytest
from conftest import EXAMPLES
from gradio_client import Client, handle_file
from PIL import Image, ImageFilter
from steps import alike

from restore import MODELS, load
from restore.page.guard import WRONG_CALL
from restore.photo import decode
from restore.working_size import WAYS

pytestmark = pytest.mark.slow
BLURRED, CLEAR = str(EXAMPLES / "cat-study.png"), str(EXAMPLES / "cat.jpg")


@pytest.fixture(scope="module")
def client(page_url, tmp_path_factory):
    return Client(page_url, verbose=False, download_files=str(tmp_path_factory.mktemp("files")))


def picture(value) -> np.ndarray:
    return decode(value["path"] if isinstance(value, dict) else value).levels()


def test_only_the_three_endpoints_are_public(client):
    endpoints = client.view_api(return_format="dict")["named_endpoints"]
    assert set(endpoints) == {"/restore", "/compare", "/distort"}


@pytest.mark.parametrize("model", MODELS)
def test_restore_gives_what_the_library_gives(client, cat, model):
    pair, scores, download = client.predict(
        handle_file(cat.blurred), model, handle_file(cat.clear), api_name="/restore"
    )
    before, after = (picture(half) for half in pair)
    assert np.array_equal(before, picture(cat.blurred))
    assert alike(after, load(model).restore(picture(cat.blurred)))
    assert np.array_equal(picture(download), after)
    assert scores["headers"] == ["", "PSNR", "SSIM", "Sharpness"]
    assert [row[0] for row in scores["data"]] == ["before", "after"]
    assert float(scores["data"][1][1]) > float(scores["data"][0][1])


def test_restore_without_a_reference_invents_no_score(client):
    _, scores, _ = client.predict(handle_file(BLURRED), "cnn", None, api_name="/restore")
    assert scores["data"][1][1:3] == ["–", "–"]


def test_the_working_size_is_the_callers_or_chosen(client, cat, tmp_path):
    with Image.open(cat.blurred) as image:
        image.filter(ImageFilter.GaussianBlur(9)).save(tmp_path / "wide.png")
    photo, restorer = picture(str(tmp_path / "wide.png")), load("gan")
    results = {}
    for percent, scale in WAYS.items():
        *_, download = client.predict(
            handle_file(tmp_path / "wide.png"), "gan", None, percent, api_name="/restore"
        )
        results[percent] = picture(download)
        assert alike(results[percent], restorer.restore(photo, scale=scale))
    assert np.array_equal(results["auto"], results["25"])
    assert not np.array_equal(results["auto"], results["100"])


def test_whoever_writes_the_call_by_hand_leaves_out_what_is_optional(page_url, cat):
    """As curl would: the list of version 1, and the names of version 2, of Gradio's API."""
    with httpx.Client(base_url=f"{page_url}gradio_api/", timeout=60) as web:
        path = web.post("upload", files={"files": cat.blurred.read_bytes()}).json()[0]
        photo = {"path": path, "meta": {"_type": "gradio.FileData"}}
        named = {"photo": photo, "model": "cnn"}
        for address, body in {
            "call/restore": {"data": [photo, "cnn"]},
            "call/v2/restore": named,
        }.items():
            event = web.post(address, json=body).json()["event_id"]
            assert "event: complete" in web.get(f"call/restore/{event}").text, address
        for address, body in {
            "call/nothing": {"data": []},
            "call/v2/nothing": {},
            "call/v2/restore": {**named, "sharper": True},
            "queue/join": {"data": [], "session_hash": "a", "fn_index": 99_999},
        }.items():
            answer = web.post(address, json=body)
            assert (answer.status_code, answer.json()["detail"]) == (400, WRONG_CALL), address


def test_compare_gives_each_result_as_it_is_ready(client):
    job = client.submit(
        handle_file(BLURRED), ["cnn", "gan"], handle_file(CLEAR), api_name="/compare"
    )
    gallery, scores = job.result()
    assert [item["caption"] for item in gallery] == ["input", "cnn", "gan"]
    assert picture(gallery[1]["image"]).shape == picture(BLURRED).shape
    decibels = {row[0]: float(row[1]) for row in scores["data"]}
    assert set(decibels) == {"input", "cnn", "gan"}
    assert list(decibels.values()) == sorted(decibels.values(), reverse=True), "the best first"
    assert sorted({len(output[0]) for output in job.outputs()}) == [1, 2, 3]


def test_programs_are_told_what_goes_in_and_out(client):
    told = client.view_api(return_format="dict")["named_endpoints"]
    assert set(told) == {"/restore", "/compare", "/distort"}
    for endpoint in told.values():
        for one in [*endpoint["parameters"], *endpoint["returns"]]:
            assert len(str(one["label"]).split()) > 4, one["label"]
            assert "translation" not in str(one["label"])
    angle = told["/distort"]["parameters"][-1]
    assert "degrees above the horizontal" in angle["label"]


def test_distort_is_repeatable(client):
    call = [handle_file(CLEAR), "motion", 11, 4]
    first, second = (picture(client.predict(*call, api_name="/distort")) for _ in range(2))
    other = picture(client.predict(*call[:-1], 5, api_name="/distort"))
    assert np.array_equal(first, second)
    assert not np.array_equal(first, other)


@pytest.mark.parametrize(
    ("endpoint", "arguments", "sentence"),
    [
        ("/restore", (CLEAR, "magic", None), "There is no model 'magic'"),
        ("/restore", (CLEAR, "cnn", None, "33"), "There is no working size '33'"),
        ("/compare", (CLEAR, [], None), "Tick at least one model"),
        ("/distort", (CLEAR, "smear", 1, 0), "There is no distortion 'smear'"),
        ("/distort", (CLEAR, "gaussian", 1000, 0), "takes a strength from 0.3 to 5"),
        ("/distort", (__file__, "gaussian", 1, 0), "test_api.py: it is not a photo"),
    ],
)
def test_wrong_calls_get_a_sentence(client, endpoint, arguments, sentence):
    photo, *others = arguments
    with pytest.raises(Exception, match=sentence):
        client.predict(handle_file(photo), *others, api_name=endpoint)
