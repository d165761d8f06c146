"""The benchmark, at toy size."""

import json
from pathlib import Path

import h5py
import numpy as np
import pytest
import torch
from conftest import EXAMPLES
from PIL import Image
from skimage import data

from restore import load
from restore.deconvolution import centre
from restore.distort import distort
from restore.metrics import psnr, ssim
from restore.models import MODELS
from restore.weights import locate, read_config, save_model
from train.evaluate import CAP, OPPONENTS, evaluate
from train.suites import SUITES, EvaluationError, plan, read_levin

LEVIN = [torch.eye(size)[None] / size for size in (7, 5)]


@pytest.fixture
def one_core():
    """Small things in many threads take seconds where the machine is busy."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


@pytest.fixture
def photos(tmp_path):
    """Three crops of 64 x 72 pixels, and beside them a folder with two others to tune on."""
    (tmp_path / "photos" / "more").mkdir(parents=True)
    (tmp_path / "validation").mkdir()
    for place, name, top in (
        ("photos", "astronaut", 10),
        ("photos/more", "coffee", 50),
        ("photos", "chelsea", 10),
        ("validation", "astronaut", 90),
        ("validation", "chelsea", 36),
    ):
        small = Image.fromarray(getattr(data, name)()).reduce(3)
        small.crop((40, top, 112, top + 64)).save(tmp_path / place / f"{name}.png")
    return tmp_path / "photos"


@pytest.fixture
def weights(tmp_path):
    torch.manual_seed(0)
    save_model(MODELS["cnn"].build(), "cnn", tmp_path / "weights")
    return tmp_path / "weights"


@pytest.fixture
def levin(tmp_path):
    """A file of the shape of Levin09.mat, with two kernels."""
    path = tmp_path / "levin.mat"
    kernels = [np.eye(3)[[1, 1, 1]], np.triu(np.ones((5, 5)))]
    with h5py.File(path, "w") as file:
        cells = file.create_dataset("kernels", (2, 1), h5py.ref_dtype)
        for i, kernel in enumerate(kernels):
            cells[i, 0] = file.create_dataset(f"#refs#/{i}", data=kernel.T).ref
    return path


@pytest.mark.parametrize("suite", SUITES.values(), ids=SUITES)
def test_a_suite_is_the_same_in_every_run_and_differs_by_photo(suite, clear):
    first, again, other = (suite(clear[:64, :80], index, LEVIN) for index in (3, 3, 4))
    assert first.distorted.dtype == first.clear.dtype == np.uint8
    assert first.distorted.shape == first.clear.shape
    assert np.array_equal(first.distorted, again.distorted)
    fixed = suite.name in ("seed", "clean")
    assert np.array_equal(first.distorted, other.distorted) is fixed
    if suite.name == "clean":
        assert first.kernel is None
        assert np.array_equal(first.distorted, first.clear)
    else:
        assert first.kernel.sum() == pytest.approx(1, abs=1e-5)
        assert first.kernel.shape[0] % 2 == 1


def test_seed_is_the_study_s_task(clear):
    case = SUITES["seed"](clear, 0)
    small = np.asarray(Image.fromarray(clear).resize((128, 128), Image.Resampling.BICUBIC))
    blurred = distort(torch.tensor(small).permute(2, 0, 1)[None] / 255, "study", 1)
    assert np.array_equal(case.clear, small)
    assert np.array_equal(case.distorted, (blurred[0].permute(1, 2, 0) * 255).round().byte())


def test_a_part_is_blurred_from_beyond_its_border(clear):
    whole, part = (SUITES[name](clear[:128, :128], 0) for name in ("gaussian", "part"))
    assert part.clear.shape == part.distorted.shape == (64, 64, 3)
    assert np.array_equal(part.clear, clear[32:96, 32:96])
    noise = part.distorted.astype(int) - whole.distorted[32:96, 32:96]
    assert np.abs(noise).mean() == pytest.approx(0, abs=5)  # two draws of noise, one blur


@pytest.mark.parametrize(
    ("name", "noise"), [("gaussian", 2.55), ("heavy", 1), ("defocus", 1), ("motion", 1)]
)
def test_noise_is_as_strong_as_stated(name, noise):
    grey = np.full((128, 128, 3), 128, np.uint8)
    rounding = 1 / 12
    assert SUITES[name](grey, 0).distorted.std() == pytest.approx(
        (noise**2 + rounding) ** 0.5, 0.02
    )


def test_shake_takes_the_kernels_in_turn(clear):
    sizes = [len(SUITES["shake"](clear[:64, :64], i, LEVIN).kernel) for i in range(4)]
    assert sizes == [7, 5, 7, 5]


def test_phone_has_each_blur_at_half_strength(clear):
    crop = clear[:64, :64]
    kernels = [SUITES["phone"](crop, i, LEVIN).kernel for i in range(12)]
    assert [len(k) for k in kernels[:5]] == [3, 5, 7, 13, 5]
    assert len(kernels[6]) == 3
    without = [SUITES["phone"](crop, i).kernel for i in range(5)]
    assert [len(k) for k in without[:4]] == [5, 7, 13, 5]


def test_levin_s_file_is_read_the_right_way_round_and_moves_no_photo(levin, tmp_path):
    upright, corner = (kernel[0] for kernel in read_levin(levin))
    assert torch.allclose(upright[:, 1], torch.full((3,), 1 / 3))
    for kernel in (upright, corner):
        assert float(kernel.sum()) == pytest.approx(1)
        assert centre(kernel) == pytest.approx((0, 0), abs=1e-3)
        assert float(kernel[[0, -1]].sum() + kernel[:, [0, -1]].sum()) > 0, "no empty rim"
    for content in (b"", b"no MATLAB"):
        (tmp_path / "bad.mat").write_bytes(content)
        with pytest.raises(EvaluationError, match=r"cannot be read as Levin09\.mat"):
            read_levin(tmp_path / "bad.mat")


@pytest.mark.usefixtures("one_core")
@pytest.mark.parametrize(
    ("name", "suite", "setting"),
    [
        ("Wiener, true kernel", "gaussian", {"balance": 1e-2, "order": 1}),
        ("Wiener, true kernel", "defocus", {"balance": 1e-2, "order": 1}),
        ("Richardson-Lucy, true kernel", "gaussian", {"iterations": 20}),
        ("Richardson-Lucy, true kernel", "motion", {"iterations": 20}),
    ],
)
def test_the_true_kernel_helps_up_to_the_border(name, suite, setting):
    photo = np.asarray(Image.fromarray(data.astronaut()).reduce(3))
    case = SUITES[suite](photo, 0)
    restored = OPPONENTS[name].restore(case.distorted, case.kernel, **setting)
    assert restored.shape == case.clear.shape
    assert restored.dtype == np.uint8
    for part in (np.s_[:], np.s_[:8], np.s_[-8:], np.s_[:, :8], np.s_[:, -8:]):
        before = psnr(case.distorted[part], case.clear[part])
        assert psnr(restored[part], case.clear[part]) > before + 1.5


def test_opponents_are_tuned_for_each_suite(photos, capsys, monkeypatch):
    for name, opponent in OPPONENTS.items():
        monkeypatch.setitem(OPPONENTS, name, opponent._replace(settings=opponent.settings[::4]))
    shown = evaluate(
        [],
        photos=[photos],
        suites=["seed", "defocus", "clean"],
        validation=photos.parent / "validation",
    )
    rows = {name: {r["name"]: r for r in suite["rows"]} for name, suite in shown.items()}
    seed, defocus, clean = rows["seed"], rows["defocus"], rows["clean"]
    assert list(defocus) == ["input", *OPPONENTS]
    assert list(clean) == ["input", "unsharp mask"]
    assert defocus["unsharp mask"]["setting"] != clean["unsharp mask"]["setting"]
    assert all(defocus[name]["gain"] > 0.5 for name in OPPONENTS)
    assert seed["the study's U-Net-512"]["psnr"] == 30.85
    assert clean["input"]["psnr"] == CAP
    assert clean["unsharp mask"]["gain"] is None
    assert "inf" in capsys.readouterr().out


def test_a_model_s_row_is_what_its_restorer_scores(photos, weights, tmp_path):
    out = tmp_path / "figures" / "all.json"
    figures = evaluate(["cnn"], weights, [photos], ["gaussian"], out)
    row = figures["gaussian"]["rows"][1]
    restorer, scores = load("cnn", weights), []
    for index, name in enumerate(("astronaut", "chelsea", "more/coffee")):
        case = SUITES["gaussian"](np.asarray(Image.open(photos / f"{name}.png")), index)
        restored = restorer.restore(case.distorted)
        scores.append((psnr(restored, case.clear), ssim(restored, case.clear)))
    assert (row["name"], row["kind"]) == ("cnn", "model")
    assert (row["psnr"], row["ssim"]) == pytest.approx(np.mean(scores, axis=0))
    assert json.loads(out.read_text()) == figures
    assert not (weights / "cnn" / "metrics.json").exists()


def test_metrics_lie_beside_the_weights_and_are_theirs(photos, weights):
    path = weights / "cnn" / "metrics.json"

    def run(suite: str) -> dict:
        evaluate(["cnn"], weights, [photos], [suite], opponents=False, write=True)
        return json.loads(path.read_text())

    run("seed")
    metrics = run("clean")
    assert metrics["model"] == "cnn"
    assert metrics["sha256"] == read_config(weights / "cnn")["sha256"]
    assert set(metrics["suites"]) == {"seed", "clean"}
    assert set(metrics["suites"]["seed"]) == {
        "photos",
        "psnr",
        "ssim",
        "input_psnr",
        "input_ssim",
    }
    assert metrics["suites"]["seed"]["photos"] == 3
    assert metrics["suites"]["clean"]["input_psnr"] == CAP

    save_model(MODELS["cnn"].build(), "cnn", weights)
    assert set(run("gaussian")["suites"]) == {"gaussian"}
    path.write_text("{")
    assert set(run("heavy")["suites"]) == {"heavy"}


def test_what_plain_opponents_score_lies_above_the_weights(photos, weights):
    """Of several runs the last counts, suite by suite."""
    (photos.parent / "validation").mkdir(exist_ok=True)
    Image.fromarray(data.astronaut()[:64, :64]).save(photos.parent / "validation" / "a.png")
    call = {"validation": photos.parent / "validation", "write": True, "limit": 1}
    shown = evaluate([], weights, [photos], ["clean", "seed"], **call)
    evaluate(["cnn"], weights, [photos], ["clean"], **call)
    written = json.loads((weights / "opponents.json").read_text())
    assert set(written) == {"clean", "seed"}
    assert written["seed"]["rows"] == shown["seed"]["rows"]
    assert [row["name"] for row in written["clean"]["rows"]] == ["input", "unsharp mask"]


def test_a_limited_run_sees_the_inputs_of_a_full_one(photos):
    (full,), (few,) = (plan([SUITES["gaussian"]], [photos], limit=limit) for limit in (None, 2))
    assert [len(full.cases), len(few.cases)] == [3, 2]
    for i, j in ((0, 0), (2, 1)):
        assert np.array_equal(full.cases[i]().distorted, few.cases[j]().distorted)


def test_without_levin_s_kernels_shake_is_left_out(photos, levin, capsys):
    call = {"photos": [photos], "suites": ["shake", "phone"], "opponents": False}
    assert set(evaluate([], **call)) == {"phone"}
    assert "shake is left out" in capsys.readouterr().out
    assert set(evaluate([], **call, levin=levin)) == {"shake", "phone"}


def test_real_pairs_by_name(photos, tmp_path, capsys):
    (tmp_path / "blurred" / "more").mkdir(parents=True)
    coffee = np.asarray(Image.open(photos / "more" / "coffee.png"))
    blurred = SUITES["defocus"](coffee, 0).distorted
    Image.fromarray(blurred).save(tmp_path / "blurred" / "more" / "coffee.png")
    figures = evaluate([], pairs=(tmp_path / "blurred", photos))
    assert figures["pairs"]["photos"] == 1
    assert figures["pairs"]["rows"][0]["psnr"] == pytest.approx(psnr(blurred, coffee))
    assert "2 photos" in capsys.readouterr().out


def test_models_can_look_for_camera_shake_with_figures_of_their_own(weights):
    call = {"photos": [EXAMPLES / "boats.jpg"], "suites": ["motion"], "opponents": False}
    alone, both = (
        evaluate(["cnn"], weights, **call, shake=shake, write=True)["motion"]["rows"]
        for shake in (False, True)
    )
    assert both[0] == alone[0]
    assert both[1]["psnr"] > alone[1]["psnr"] + 0.5
    metrics = json.loads((weights / "cnn" / "metrics.json").read_text())
    assert metrics["suites"]["motion"]["psnr"] == alone[1]["psnr"]
    assert metrics["shake"]["suites"]["motion"]["psnr"] == both[1]["psnr"]
    assert metrics["shake"]["fusion"] == read_config(locate("fusion"))["sha256"]
    evaluate(["cnn"], weights, **call, write=True)
    assert json.loads((weights / "cnn" / "metrics.json").read_text()) == metrics


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        ({"suites": ["seed", "sneeze"]}, "no suite 'sneeze'"),
        ({"photos": ["nowhere"]}, "nowhere does not exist"),
        ({"photos": ["empty"]}, "There are no photos in"),
        ({"photos": []}, "nothing to score"),
        ({"photos": ["broken"]}, "bad.png: it is not a photo"),
        ({"photos": ["tiny"]}, "has a side under 16"),
        ({"limit": 0}, "at least 1 photo"),
        ({"weights": "org/repo", "write": True}, "a local folder"),
        ({"validation": "photos/more"}, "must not be among"),
        ({"levin": "photos/chelsea.png"}, "cannot be read as"),
        ({"models": ["resnet"]}, "no model 'resnet'"),
        ({"models": ["gan"], "weights": "empty"}, "no weights of gan"),
        ({"pairs": ("validation", "empty")}, "There are no photos in"),
        ({"pairs": ("photos/more", "validation")}, "has one of its name"),
        ({"pairs": ("tall", "photos")}, "must be of the same size"),
        ({"out": "photos/chelsea.png/all.json"}, "."),
    ],
)
def test_bad_input_gets_a_sentence(change, sentence, photos, monkeypatch):
    monkeypatch.chdir(photos.parent)
    for name in ("empty", "broken", "tiny", "tall"):
        (photos.parent / name).mkdir()
    (photos.parent / "broken" / "bad.png").write_text("no photo")
    Image.new("RGB", (40, 12)).save(photos.parent / "tiny" / "tiny.png")
    Image.new("RGB", (40, 50)).save(photos.parent / "tall" / "chelsea.png")
    call = {"models": [], "photos": ["photos"], "suites": ["clean"], **change}
    for key in ("out", "levin", "validation"):
        call |= {key: Path(call[key])} if key in call else {}
    for key in ("photos", "pairs"):
        call |= {key: [Path(place) for place in call[key]]} if key in call else {}
    with pytest.raises(EvaluationError) as error:
        evaluate(**call)
    assert sentence in str(error.value)
