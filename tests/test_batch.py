"""Batches: archives looked into with distrust, names, the report, and the tab in a browser."""

import csv
import io
import stat
import sys
import zipfile

import gradio as gr
import numpy as np
import pytest
from conftest import EXAMPLES
from PIL import Image
from steps import cut_off, serious

from restore import load
from restore.page import archive
from restore.page.archive import BatchError, Item, gather, report, result_name
from restore.page.batch_tab import Batch, restore_batch
from restore.page.restoring import judged
from restore.page.results import Stopped
from restore.photo import PhotoError, decode
from restore.weights import WeightsError


@pytest.fixture
def small(tmp_path):
    """A photo of 48 x 32 pixels, blurred a little."""
    with Image.open(EXAMPLES / "cat-study.png") as image:
        image.resize((48, 32)).save(tmp_path / "small.jpg")
    return tmp_path / "small.jpg"


def packed(path, **members: bytes):
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as file:
        for name, data in members.items():
            file.writestr(name, data)
    return path


def members_of(path) -> dict[str, str]:
    """name -> error"""
    return {item.name: item.error for item in gather([(path, path.name)])}


def test_an_archive_s_photos_keep_their_folders_and_rubbish_is_left_out(small, tmp_path):
    photo = small.read_bytes()
    path = packed(
        tmp_path / "a.zip",
        **{"a/b/one.jpg": photo, "two.jpg": photo, "__MACOSX/a/._one.jpg": b"", ".DS_Store": b""},
    )
    items = gather([(path, "a.zip"), (small, "three.jpg")])
    assert [item.name for item in items] == ["a/b/one.jpg", "two.jpg", "three.jpg"]
    assert [item.megapixels() for item in items] == [48 * 32 / 1e6] * 3
    for item in items:
        assert item.fetch(tmp_path).read_bytes() == photo


@pytest.mark.parametrize(
    "name", ["../up.jpg", "/etc/up.jpg", "a/../../up.jpg", "C:/up.jpg", "..\\up.jpg"]
)
def test_a_path_that_leads_out_is_left_alone(name, small, tmp_path):
    path = packed(
        tmp_path / "slip.zip", **{name: small.read_bytes(), "fine.jpg": small.read_bytes()}
    )
    errors = members_of(path)
    assert errors.pop("fine.jpg") == ""
    assert "leads out of the archive" in errors.popitem()[1]


def test_what_is_no_photo_says_so_and_does_not_stop_the_rest(small, tmp_path):
    link = zipfile.ZipInfo("link.jpg")
    link.external_attr = (stat.S_IFLNK | 0o777) << 16
    path = packed(
        tmp_path / "mixed.zip",
        **{"notes.txt": b"notes", "inner.zip": b"PK", "fine.jpg": small.read_bytes()},
    )
    with zipfile.ZipFile(path, "a") as file:
        file.writestr(link, "/etc/passwd")
    errors = members_of(path)
    assert "not a photo; use JPEG" in errors["notes.txt"]
    assert "archive within the archive" in errors["inner.zip"]
    assert "it is a link" in errors["link.jpg"]
    assert errors["fine.jpg"] == ""


def forged(path, offset_local: int, offset_central: int, value: bytes):
    """Overwrite a field in both headers of the only member."""
    data = bytearray(path.read_bytes())
    for start, offset in ((0, offset_local), (data.index(b"PK\x01\x02"), offset_central)):
        data[start + offset : start + offset + len(value)] = value
    path.write_bytes(data)
    return path


def test_a_locked_archive_says_so(small, tmp_path):
    path = packed(tmp_path / "locked.zip", **{"one.jpg": small.read_bytes()})
    forged(path, 6, 8, b"\x01\x00")
    assert "locked with a password" in members_of(path)["one.jpg"]


def test_a_member_that_is_larger_than_declared_is_damaged_not_unpacked(tmp_path):
    path = packed(tmp_path / "lies.zip", **{"one.jpg": bytes(5_000_000)})
    forged(path, 22, 24, (1000).to_bytes(4, "little"))
    (item,) = gather([(path, path.name)])
    with pytest.raises(PhotoError, match=r"one\.jpg: it is damaged"):
        item.fetch(tmp_path)
    assert not (tmp_path / "photo.jpg").exists() or (tmp_path / "photo.jpg").stat().st_size <= 1000


def test_an_unknown_packing_says_so(small, tmp_path):
    path = packed(tmp_path / "odd.zip", **{"one.jpg": small.read_bytes()})
    forged(path, 8, 10, (97).to_bytes(2, "little"))
    (item,) = gather([(path, path.name)])
    with pytest.raises(PhotoError, match="pack it as a plain zip"):
        item.fetch(tmp_path)


def test_bombs_are_refused_by_what_they_declare(tmp_path, monkeypatch):
    monkeypatch.setattr(archive, "MAX_BYTES", 2_000_000)
    monkeypatch.setattr(archive, "MAX_MEMBER_BYTES", 1_500_000)
    bomb = packed(tmp_path / "bomb.zip", **{f"{i}.png": bytes(900_000) for i in range(3)})
    assert bomb.stat().st_size < 10_000
    with pytest.raises(BatchError, match=r"^bomb\.zip: unpacked it would have .* Split it\.$"):
        gather([(bomb, bomb.name)])
    one = packed(tmp_path / "one.zip", **{"1.png": bytes(1_600_000)})
    assert "more than 1 MB" in members_of(one)["1.png"]


def test_too_many_are_refused(small, tmp_path, monkeypatch):
    monkeypatch.setattr(archive, "MAX_PHOTOS", 2)
    with pytest.raises(BatchError, match="These are 3 photos; at most 2"):
        gather([(small, f"{i}.jpg") for i in range(3)])
    monkeypatch.setattr(archive, "MAX_MEMBERS", 3)
    many = packed(tmp_path / "many.zip", **{f"{i}.txt": b"" for i in range(4)})
    with pytest.raises(BatchError, match="4 entries"):
        gather([(many, many.name)])
    monkeypatch.setattr(archive, "MAX_MEGAPIXELS", 0.001)
    with pytest.raises(BatchError, match="megapixels"):
        gather([(small, "a.jpg")])


def test_a_directory_that_would_fill_the_memory_is_not_read(tmp_path, monkeypatch):
    many = packed(tmp_path / "many.zip", **{f"{i}.txt": b"" for i in range(30)})
    monkeypatch.setattr(archive, "MAX_DIRECTORY", 1000)
    monkeypatch.setattr(archive.zipfile, "ZipFile", None)
    with pytest.raises(BatchError, match="too many entries"):
        gather([(many, many.name)])
    data = many.read_bytes()
    many.write_bytes(data[:-22] + b"PK\x06\x07" + bytes(16) + data[-22:])
    monkeypatch.setattr(archive, "MAX_DIRECTORY", 10**9)
    with pytest.raises(BatchError, match="too many entries"):
        gather([(many, many.name)])


@pytest.mark.parametrize("data", [b"", b"no zip", b"PK\x05\x06" + bytes(5)])
def test_a_broken_archive_gets_a_sentence(data, tmp_path):
    path = tmp_path / "broken.zip"
    path.write_bytes(data)
    with pytest.raises(BatchError, match=r"^broken\.zip: it is damaged, or no zip"):
        gather([(path, path.name)])


def test_a_broken_archive_stops_no_other_photo(small, tmp_path):
    path = tmp_path / "broken.zip"
    path.write_bytes(b"no zip")
    broken, photo = gather([(path, path.name), (small, small.name)])
    assert broken.error.startswith("broken.zip: it is damaged, or no zip")
    assert (photo.name, photo.error) == (small.name, "")


def test_nothing_given_gets_a_sentence(tmp_path):
    for files in ([], [(packed(tmp_path / "empty.zip"), "empty.zip")]):
        with pytest.raises(BatchError, match="There is no photo"):
            gather(files)


def test_results_have_own_names_and_never_collide(tmp_path):
    taken: set[str] = set()
    names = [
        result_name(Item(name, tmp_path), "cnn", ending, taken)
        for name, ending in [
            ("a/one.jpg", ".jpg"), ("a/ONE.JPG", ".jpg"), ("one.jpg", ".jpg"),
            ("one.jpg", ".jpg"), ("one.png", ".png"), ("名前.jpg", ".jpg"), ('a:b/"x".jpg', ".jpg"),
        ]
    ]  # fmt: skip
    assert names == [
        "a/one-cnn.jpg", "a/ONE-cnn (2).jpg", "one-cnn.jpg", "one-cnn (2).jpg", "one-cnn.png",
        "名前-cnn.jpg", "a_b/_x_-cnn.jpg",
    ]  # fmt: skip


def test_the_report_is_a_table_of_all(tmp_path):
    done = Item("a, b.jpg", tmp_path, row={"width": 3, "height": 2})
    failed = Item("c.jpg", tmp_path, error="c.jpg: it is damaged.")
    text = report([done, failed, Item("d.jpg", tmp_path)], "not reached").decode("utf-8-sig")
    rows = list(csv.DictReader(io.StringIO(text)))
    assert [row["file"] for row in rows] == ["a, b.jpg", "c.jpg", "d.jpg"]
    assert (rows[0]["width"], rows[0]["error"]) == ("3", "")
    assert [row["error"] for row in rows[1:]] == ["c.jpg: it is damaged.", "not reached"]


def restored_batch(files: list[dict], folder=None) -> tuple[list[str], list[dict]]:
    """Names in the archive, and the lines of its report; unpacked into `folder`."""
    answers = restore_batch(files, "cnn", "keep", lambda share, desc=None: None)
    packed = next(last.value for *_, last in answers if isinstance(last, gr.DownloadButton))
    with zipfile.ZipFile(packed["path"]) as file:
        if folder:
            file.extractall(folder)
        text = file.read("report.csv").decode("utf-8-sig")
        return file.namelist(), list(csv.DictReader(io.StringIO(text)))


def test_a_shaken_photo_among_others_comes_back_without_its_shake(tmp_path):
    shaken, sharp = EXAMPLES / "wren-motion.png", EXAMPLES / "coffee.jpg"
    files = [{"path": str(path)} for path in (shaken, sharp)]
    _, rows = restored_batch(files, tmp_path)
    with Image.open(tmp_path / "wren-motion-cnn.png") as image:
        found = np.asarray(image)
    assert np.array_equal(found, load("cnn").restore(decode(shaken), scale="shake").colours)
    assert [row["scale"] for row in rows] == ["shake", "1.0"]


@pytest.mark.parametrize(
    ("error", "said"),
    [(Stopped(), ["", "stopped"]), (WeightsError("fusion is damaged."), ["damaged"] * 2)],
    ids=["stopped", "failed"],
)
def test_what_the_model_made_outlives_the_search_for_shake(error, said, small, monkeypatch):
    def broken_off(*given):
        yield next(judged(*given))
        raise error

    monkeypatch.setattr(sys.modules[Batch.__module__], "judged", broken_off)
    files = [{"path": str(small)}, {"path": str(EXAMPLES / "cat-study.png")}]
    names, rows = restored_batch(files)
    made = ["small-cnn.jpg", "cat-study-cnn.png"][: 1 if said[0] == "" else 2]
    assert sorted(names) == sorted([*made, "report.csv"])
    assert [row["result"] for row in rows] == [*made, ""][:2]
    assert [word in row["error"] for word, row in zip(said, rows, strict=True)] == [True, True]


def test_the_share_done_never_falls(tmp_path):
    batch = Batch([Item("a.png", tmp_path), Item("b.png", tmp_path)], "cnn", "keep", tmp_path)
    batch.sizes = [1.0, 1.0]
    shares, words = zip(
        *(batch.told(share, "looking for camera shake, 3 s left") for share in (0, 0.5, 0.9, 0.2)),
        strict=True,
    )
    assert shares == (0, 0.25, 0.45, 0.45)
    assert words[-1] == "photo 1 of 2: looking for camera shake, 3 s left"
    batch.at = 1
    assert batch.told()[0] == 0.5


def start(page, *photos, model: str) -> None:
    page.get_by_role("tab", name="Batch").click()
    page.get_by_role("radio", name=model).locator("visible=true").check()
    page.set_input_files("#batch-files input[type=file]", [str(photo) for photo in photos])
    page.locator("#batch-files").get_by_text(photos[0].name.split(".")[0]).first.wait_for()
    page.get_by_role("button", name="Restore all").click()


def results(page) -> zipfile.ZipFile:
    with page.expect_download() as started:
        page.get_by_role("button", name="Download all results").click()
    return zipfile.ZipFile(started.value.path())


@pytest.mark.browser
@pytest.mark.slow
def test_many_photos_and_an_archive_become_one_archive(page, small, tmp_path):
    photo = small.read_bytes()
    trip = packed(tmp_path / "trip.zip", **{"day 1/one.jpg": photo, "../up.jpg": photo})
    (tmp_path / "broken.png").write_text("no photo")
    start(page, small, tmp_path / "broken.png", trip, model="cnn")
    page.locator("#batch-status").get_by_text("Restored: 2 / 4").wait_for()
    for said in ("it is not a photo", "leads out of the archive"):
        page.locator("#batch-table [role=gridcell]").get_by_text(said).first.wait_for()
    assert serious(page) == []
    for width in (1280, 390):
        page.set_viewport_size({"width": width, "height": 844})
        assert cut_off(page, "#batch-table *") == [], "it can be read"
    with results(page) as archive:
        names = ["day 1/one-cnn.jpg", "report.csv", "small-cnn.jpg"]
        assert sorted(archive.namelist()) == names
        with Image.open(archive.open("small-cnn.jpg")) as image:
            assert (image.format, image.size) == ("JPEG", (48, 32))
        rows = list(csv.DictReader(io.StringIO(archive.read("report.csv").decode("utf-8-sig"))))
    assert [row["file"] for row in rows] == [
        "small.jpg",
        "broken.png",
        "day 1/one.jpg",
        "../up.jpg",
    ]
    assert [row["result"] for row in rows] == ["small-cnn.jpg", "", "day 1/one-cnn.jpg", ""]
    assert rows[0]["width"] == "48"
    assert float(rows[0]["sharpness_after"]) > float(rows[0]["sharpness_before"])
    assert [bool(row["error"]) for row in rows] == [False, True, False, True]


@pytest.mark.browser
@pytest.mark.slow
def test_stop_stops_and_keeps_what_is_done(page, small):
    large = [EXAMPLES / f"{name}.jpg" for name in ("cat", "coffee", "rocket", "astronaut")]
    start(page, small, *large, model="unet-1024")
    page.locator("#batch-results img").first.wait_for()
    page.get_by_role("button", name="Stop").locator("visible=true").click()
    page.locator("#batch-status").get_by_text("Stopped.").wait_for()
    with results(page) as archive:
        names = archive.namelist()
    assert "small-unet-1024.jpg" in names
    assert "report.csv" in names
    assert len(names) < 2 + len(large)


@pytest.mark.browser
@pytest.mark.slow
def test_nothing_given_gets_a_sentence_on_the_page(page):
    page.get_by_role("tab", name="Batch").click()
    page.get_by_role("button", name="Restore all").click()
    page.get_by_text("There is no photo in what you gave").first.wait_for()
