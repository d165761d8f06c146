"""Sources of photos, against a server on this machine that speaks Pexels' API and serves files."""

import csv
import errno
import hashlib
import signal
import subprocess
import sys
import time
from collections import Counter
from pathlib import Path

import pytest
from photo_server import KEY, Site, picture, serving

from restore.photo import decode
from train import pexels, photos
from train.album import SourceError

ROOT = Path(__file__).parent.parent
FAST = {"pause": 0.001}
HOUR = 3600


@pytest.fixture
def site(monkeypatch):
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    monkeypatch.setenv("PEXELS_API_KEY", KEY)
    with serving() as site:
        yield site


def fetch(site: Site, out: Path, *keywords: str, **options) -> photos.Report:
    return pexels.fetch(out, keywords or tuple(site.found), base_url=site.url, **FAST, **options)


def manifest(out: Path) -> dict[str, dict]:
    with (out / "manifest.csv").open(newline="", encoding="utf-8") as file:
        return {row["file"]: row for row in csv.DictReader(file)}


def assert_whole(out: Path) -> None:
    """The manifest names exactly the photos that are there, all whole; nothing else lies about."""
    rows = manifest(out)
    visible = (p for p in out.rglob("*") if p.is_file() and ".searches" not in p.parts)
    assert {p.relative_to(out).as_posix() for p in visible} == {*rows, "manifest.csv"}
    for file, row in rows.items():
        assert hashlib.sha256((out / file).read_bytes()).hexdigest() == row["sha256"]
        decode(out / file)


def test_pexels_brings_each_photo_once_with_its_author(site, tmp_path):
    for index, keyword in enumerate(pexels.KEYWORDS):
        site.put(keyword, *range(10 * index, 10 * index + 12))
    report = pexels.fetch(tmp_path, base_url=site.url, **FAST)
    assert (report.came, report.duplicates, report.failed) == (112, 20, 0)
    assert {keyword for keyword, _, _ in site.searches} == set(pexels.KEYWORDS)
    assert len(pexels.KEYWORDS) == 11
    assert set(site.downloads.values()) == {1}
    assert not site.leaked, "the key is for the API alone"
    assert_whole(tmp_path)
    row = manifest(tmp_path)["pexels-7.jpeg"]
    assert row["id"] == "7"
    assert row["photographer"] == "Zoë, no. 7"
    assert row["page"] == "https://www.pexels.com/photo/7/"
    assert row["sha256"] == hashlib.sha256(picture(7)).hexdigest()


def test_pexels_turns_pages_as_far_as_asked(site, tmp_path):
    site.put("Cat", *range(100))
    site.put("Dog", *range(200, 230))
    assert fetch(site, tmp_path, per_keyword=90).came == 90 + 30
    assert [search[:2] for search in site.searches] == [("Cat", 1), ("Cat", 2), ("Dog", 1)]
    assert fetch(site, tmp_path, per_keyword=100).came == 10
    assert len(site.searches) == 3


def test_pexels_outlasts_busy_and_broken_servers(site, tmp_path):
    site.put("Cat", 1, 2, 3, 4, 5)
    site.wrongs["Cat"] = [429, 500, "drop", 429, 429, "truncate"]
    site.wrongs["/photos/1.jpeg"] = ["truncate", "truncate", 500]
    site.wrongs["/photos/2.jpeg"] = [429] * 7
    site.wrongs["/photos/3.jpeg"] = ["drop", 503]
    report = fetch(site, tmp_path)
    assert (report.came, report.failed) == (5, 0)
    assert_whole(tmp_path)


def test_pexels_leaves_out_what_is_broken_or_twice(site, tmp_path):
    site.put("Cat", *range(1, 8))
    site.files["/photos/2.jpeg"] = site.files["/photos/1.jpeg"]
    site.files["/photos/3.jpeg"] = picture(3)[:400]
    site.files["/photos/4.jpeg"] = b"<html>not here</html>"
    site.files["/photos/5.jpeg"] = b""
    site.wrongs["/photos/6.jpeg"] = ["truncate"] * 99
    del site.files["/photos/7.jpeg"]
    report = fetch(site, tmp_path)
    assert (report.came, report.duplicates, report.failed) == (1, 1, 5)
    assert_whole(tmp_path)
    text = str(report)
    assert f"{tmp_path}: 1; there before: 0; duplicates skipped: 1; failed: 5." in text
    for reason in ("damaged or cut off", "not a photo", "empty", "breaks off", "404 Not Found"):
        assert reason in text
    assert site.downloads["/photos/6.jpeg"] == photos.TRIES
    assert site.downloads["/photos/7.jpeg"] == 1

    site.files["/photos/7.jpeg"] = picture(7)
    again = fetch(site, tmp_path)
    assert (again.came, again.there) == (1, 1)


def test_pexels_waits_as_the_headers_say(site, tmp_path):
    site.put("Cat", 1)
    site.put("Dog", 2)
    reset = int(time.time()) + 2
    site.limit = [(0, reset), (200, reset + HOUR)]
    fetch(site, tmp_path)
    assert site.searches[1][2] > reset - 0.05


def test_pexels_waits_as_a_refusal_says(site, tmp_path):
    site.put("Cat", 1)
    site.wrongs["Cat"], site.retry_after = [429], 1
    fetch(site, tmp_path)
    assert site.searches[1][2] - site.searches[0][2] > 0.95


def test_pexels_keeps_to_the_requests_per_hour(site, tmp_path, monkeypatch):
    monkeypatch.setattr(pexels, "HOUR", 0.5)
    for number in range(5):
        site.put(f"Cat {number}", number)
    fetch(site, tmp_path, per_hour=2)
    times = [search[2] for search in site.searches]
    assert all(late - early > 0.45 for early, late in zip(times, times[2:], strict=False))


def test_pexels_ends_with_a_date_when_the_month_is_used_up(site, tmp_path):
    site.put("Cat", *range(20))
    site.put("Dog", 50)
    site.delay = 0.02
    site.limit = [(0, time.time() + 20 * 24 * HOUR), (200, time.time() + HOUR)]
    with pytest.raises(SourceError, match=r"quota for this key is used up until .* same command"):
        fetch(site, tmp_path)
    assert len(site.searches) == 1
    assert len(manifest(tmp_path)) == 20, "the photos found before are brought all the same"
    assert_whole(tmp_path)
    assert fetch(site, tmp_path).came == 1
    assert [search[0] for search in site.searches] == ["Cat", "Dog"]


def test_pexels_goes_on_after_being_killed(site, tmp_path):
    site.put("Cat", *range(60))
    site.delay = 0.05
    code = (
        "from pathlib import Path; from train import pexels; "
        f"pexels.fetch(Path({str(tmp_path)!r}), ['Cat'], base_url={site.url!r}, workers=2)"
    )
    with subprocess.Popen([sys.executable, "-c", code], cwd=ROOT, stderr=subprocess.DEVNULL) as run:
        while sum(site.downloads.values()) < 20:
            assert run.poll() is None
            time.sleep(0.01)
        run.send_signal(signal.SIGKILL)
    time.sleep(0.2)  # for what was under way at the kill
    site.delay = 0
    kept = set(manifest(tmp_path))
    assert 10 < len(kept) < 60
    first = Counter(site.downloads)
    report = fetch(site, tmp_path)
    assert len(site.searches) == 1
    # The kill may fall between a photo's rename and its row.
    assert len(kept) - 1 <= report.there <= len(kept)
    assert report.came == 60 - report.there
    assert sum((site.downloads - first).values()) == report.came
    assert_whole(tmp_path)


def test_pexels_repairs_what_power_loss_leaves(site, tmp_path):
    site.put("Cat", *range(6))
    fetch(site, tmp_path)
    (tmp_path / "pexels-1.jpeg").write_bytes(b"\0" * 100)
    (tmp_path / "pexels-2.jpeg").unlink()
    (tmp_path / ".searches" / "Cat-1.json").write_bytes(b'{"photos": [')
    (tmp_path / ".pexels-9.jpeg.part").write_bytes(b"half")
    text = (tmp_path / "manifest.csv").read_text("utf-8").rstrip()
    (tmp_path / "manifest.csv").write_text(text[:-80], "utf-8")
    report = fetch(site, tmp_path)
    (tmp_path / ".pexels-9.jpeg.part").unlink()
    assert report.came + report.there == 6
    assert 2 <= report.came <= 3
    assert_whole(tmp_path)


@pytest.mark.parametrize("key", ["", "  "])
def test_pexels_without_a_key(site, tmp_path, monkeypatch, key):
    monkeypatch.setenv("PEXELS_API_KEY", key)
    with pytest.raises(SourceError, match="set the environment variable PEXELS_API_KEY"):
        fetch(site, tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_pexels_with_wrong_keys(site, tmp_path):
    with pytest.raises(SourceError, match="refuses the key"):
        fetch(site, tmp_path, "Cat", key="another")
    with pytest.raises(SourceError, match="letters that no key has"):
        fetch(site, tmp_path, "Cat", key="schlüssel")


def test_pexels_out_of_reach(site, tmp_path):
    with pytest.raises(
        SourceError, match=r"The search for Cat failed: 127\.0\.0\.1 is out of reach"
    ):
        pexels.fetch(tmp_path, ["Cat"], base_url="http://127.0.0.1:9", **FAST)


def test_pexels_behind_a_login_page(site, tmp_path, monkeypatch):
    monkeypatch.setattr("photo_server.results", lambda *_: "log in first")
    with pytest.raises(SourceError, match="did not answer as Pexels does"):
        fetch(site, tmp_path, "Cat")


def test_pexels_size_that_there_is_not(site, tmp_path):
    site.put("Cat", 1)
    with pytest.raises(SourceError, match="no photo of size 'huge'; it has: large"):
        fetch(site, tmp_path, size="huge")


def test_full_disk_ends_the_run_and_keeps_the_rest(site, tmp_path, monkeypatch):
    site.put("Cat", *range(10))
    fetch(site, tmp_path, per_keyword=5)
    real = Path.write_bytes

    def full(path, data):
        if path.name == ".pexels-7.jpeg.part":
            raise OSError(errno.ENOSPC, "No space left on device")
        return real(path, data)

    with monkeypatch.context() as patch:
        patch.setattr(Path, "write_bytes", full)
        with pytest.raises(SourceError, match=r"No space left on device.*Make room"):
            fetch(site, tmp_path)
    assert len(manifest(tmp_path)) >= 5
    assert_whole(tmp_path)
    fetch(site, tmp_path)
    assert len(manifest(tmp_path)) == 10


def test_folders_that_cannot_be_filled(site, tmp_path):
    (tmp_path / "file").touch()
    with pytest.raises(SourceError, match="file cannot be written"):
        fetch(site, tmp_path / "file", "Cat")
    (tmp_path / "manifest.csv").write_text("split,index\ntrain,0\n")
    with pytest.raises(SourceError, match=r"does not list photos\. Name another folder"):
        fetch(site, tmp_path, "Cat")
    assert (tmp_path / "manifest.csv").read_text() == "split,index\ntrain,0\n"


@pytest.fixture
def listed(site, tmp_path):
    """A list of sources: one sound, one changed since, one gone, one in a package."""
    good, packaged = picture(1, (90, 61), "PNG"), picture(2)
    site.files["/owner/repo/HEAD/some photos/μ 1.png"] = good
    site.files["/owner/repo/HEAD/2.jpg"] = picture(3)
    path = tmp_path / "sources.tsv"
    lines = [("file", "source", "path", "licence", "sha256", "size")]
    for file, source, name, data, size in (
        ("train/0/a.jpg", "owner/repo", "some photos/μ 1.png", good, "45x31"),
        ("train/1/b.jpg", "owner/repo", "2.jpg", b"as it was", "40x30"),
        ("val/c.jpg", "owner/repo", "3.jpg", b"gone", "40x30"),
        ("val/d.jpg", "Debian package wall-papers", "usr/share/d.jpg", packaged, "20x15"),
    ):
        digest = hashlib.sha256(data).hexdigest()
        lines.append((file, source, name, "CC0", digest, size))
    path.write_text("".join("\t".join(line) + "\n" for line in lines), "utf-8")
    return path


def test_public_verifies_scales_and_says_what_failed(site, listed, tmp_path):
    out, root = tmp_path / "out", tmp_path / "root"
    options = {"sources": listed, "base_url": site.url, "debian": root, **FAST}
    report = photos.fetch_public(out, **options)
    assert (report.came, report.failed) == (1, 2)
    text = str(report)
    assert "train/1/b.jpg: its SHA-256 is another" in text
    assert "val/c.jpg: 127.0.0.1 answers 404 Not Found" in text
    assert "packages: 1 photos. Where there is apt, install wall-papers and" in text
    assert_whole(out)
    assert decode(out / "train/0/a.jpg").size == (45, 31)
    row = manifest(out)["train/0/a.jpg"]
    assert row["page"] == "https://github.com/owner/repo/blob/HEAD/some%20photos/%CE%BC%201.png"
    assert row["licence"] == "CC0"

    (root / "usr/share").mkdir(parents=True)
    (root / "usr/share/d.jpg").write_bytes(picture(2))
    again = photos.fetch_public(out, **options)
    assert (again.came, again.there, again.left_out) == (1, 1, "")
    assert site.downloads["/owner/repo/HEAD/some photos/μ 1.png"] == 1
    assert_whole(out)


def test_public_gives_up_soon_when_nothing_can_be_reached(tmp_path):
    with pytest.raises(SourceError, match=r"out of reach\. Check the network"):
        photos.fetch_public(tmp_path, base_url="http://127.0.0.1:9", debian=tmp_path, **FAST)


def test_list_of_public_sources():
    with photos.SOURCES.open(newline="", encoding="utf-8") as file:
        rows = list(csv.DictReader(file, delimiter="\t"))
    assert len(rows) == 2656 + 187
    assert len({row["file"] for row in rows}) == len({row["sha256"] for row in rows}) == len(rows)
    for row in rows:
        assert row["file"].startswith(("train/", "val/"))
        assert row["source"].startswith(photos.DEBIAN) or row["source"].count("/") == 1
        assert len(bytes.fromhex(row["sha256"])) == 32
        assert not row["path"].startswith("/")
        assert row["licence"]
        assert all(int(side) >= 250 for side in row["size"].split("x"))


def test_folder_is_copied_without_duplicates_and_broken_files(tmp_path):
    folder, out = tmp_path / "mine", tmp_path / "mine" / "clear"
    (folder / "2019").mkdir(parents=True)
    (folder / "a.JPG").write_bytes(picture(1))
    (folder / "2019" / "a.jpg").write_bytes(picture(2, kind="PNG"))
    (folder / "copy.jpg").write_bytes(picture(1))
    (folder / "cut.jpg").write_bytes(picture(4)[:500])
    (folder / "notes.txt").write_text("not a photo")
    (folder / "._a.jpg").write_bytes(b"left by another system")
    report = photos.take_folder(folder, out)
    assert (report.came, report.duplicates, report.failed) == (2, 1, 1)
    assert "cut.jpg: it is damaged or cut off" in str(report)
    assert set(manifest(out)) == {"a.JPG", "2019/a.jpg"}
    assert (out / "a.JPG").read_bytes() == picture(1)
    assert_whole(out)
    again = photos.take_folder(folder, out)
    assert (again.came, again.there, again.duplicates) == (0, 2, 1)


def test_folders_with_equal_names_share_a_folder(tmp_path):
    for index in (1, 2):
        (tmp_path / str(index)).mkdir()
        (tmp_path / str(index) / "a.png").write_bytes(picture(index, kind="PNG"))
        for _ in range(2):
            photos.take_folder(tmp_path / str(index), tmp_path / "out")
    assert len(manifest(tmp_path / "out")) == 2
    assert_whole(tmp_path / "out")
    kept, first = (decode(tmp_path / name).levels() for name in ("out/a.png", "1/a.png"))
    assert (kept == first).all()


def test_folders_without_photos(tmp_path):
    with pytest.raises(SourceError, match="There is no folder"):
        photos.take_folder(tmp_path / "none", tmp_path / "out")
    with pytest.raises(SourceError, match="There are no photos in"):
        photos.take_folder(tmp_path, tmp_path / "out")
    with pytest.raises(SourceError, match="into itself"):
        photos.take_folder(tmp_path, tmp_path)
    assert not (tmp_path / "out").exists()
