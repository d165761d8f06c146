"""To the Hub: the weights with their card, or the app as a Space; only what has changed."""

import csv
import hashlib
import json
import tempfile
from collections.abc import Callable
from pathlib import Path

from huggingface_hub import CommitOperationAdd, EvalResult, HfApi, ModelCard, hf_hub_download
from huggingface_hub.errors import (
    EntryNotFoundError,
    HfHubHTTPError,
    HFValidationError,
    LocalTokenNotFoundError,
    RepositoryNotFoundError,
)

from restore.models import MODELS, NETWORKS
from restore.weights import BUNDLED, WeightsError, load_model, measured

from .curves import draw_curves

ROOT = Path(__file__).resolve().parent.parent
SPACE_FILES = ("README.md", "requirements.txt", "app.py", "LICENSE", "restore", "weights", "assets")
BESIDE_WEIGHTS = (".json", ".safetensors", ".png", ".svg", ".csv")
NEVER = ("__pycache__", ".part", ".pyc")
SUITE, SUITE_NAME = "seed", "Kodak24 and CBSD68 at 128 x 128, 5 x 5 Gaussian blur of sigma 1.1"
STATED = ("license", "pipeline_tag", "datasets", "metrics")
"""What the card itself must state; `datasets` are those of the training that the Hub knows."""
TOLERANCE = 0.005
"""dB by which PSNR on the suite `seed` may lie below what is published."""
ANSWER = 15
"""Seconds within which the Hub must say what a repo holds."""


class PublishError(Exception):
    """It is not published; the message is one sentence that says why and what to do."""


def publish(
    repo: str,
    space: bool = False,
    dry_run: bool = False,
    force: bool = False,
    weights: Path = BUNDLED,
    say: Callable[[str], None] = print,
) -> list[str]:
    """Upload the folder `weights` to a model repo, or the app to a Space; the paths that went.

    `dry_run` only says what would go. Weights that score lower on the suite `seed` than what is
    published are refused unless `force`. Raises PublishError.
    """
    kind = "space" if space else "model"
    files = space_files() if space else weights_files(weights, repo)
    api = HfApi()
    try:
        there = _published(api, repo, kind)
        if not space and not force:
            _refuse_worse(repo, weights, there or {})
        changed = [name for name, data in files.items() if not _same(data, (there or {}).get(name))]
        for name in files:
            state = "new" if name not in (there or {}) else "changed"
            say(f"{state if name in changed else 'same':8}{len(files[name]):>12,}  {name}")
        if dry_run or not changed:
            say(
                f"{len(changed)} of {len(files)} files would go to {repo}."
                if dry_run
                else f"{repo} has all {len(files)} files already."
            )
            return changed if dry_run else []
        if there is None:
            api.create_repo(
                repo, repo_type=kind, exist_ok=True, space_sdk="gradio" if space else None
            )
        commit = api.create_commit(
            repo,
            [CommitOperationAdd(name, files[name]) for name in changed],
            commit_message=f"Publish {len(changed)} files",
            repo_type=kind,
        )
    except (LocalTokenNotFoundError, HFValidationError) as error:
        raise PublishError(_line(error)) from None
    except HfHubHTTPError as error:
        status = getattr(error.response, "status_code", None)
        if status in (401, 403):
            raise PublishError(
                f"The Hub refuses to write to {repo}. Set HF_TOKEN to a token with write access, "
                "or run: hf auth login"
            ) from None
        raise PublishError(f"The Hub did not take it ({_line(error)}). Try again later.") from None
    except Exception as error:  # the client raises those of httpx or httpx2, by its version
        if type(error).__module__.split(".")[0] not in ("httpx", "httpx2", "httpcore"):
            raise
        raise PublishError(f"The Hub is out of reach ({_line(error)}). Try again later.") from None
    say(f"{len(changed)} of {len(files)} files went to {repo}, commit {commit.oid}.")
    return changed


def weights_files(weights: Path, repo: str) -> dict[str, bytes]:
    """What a model repo holds, by path: verified weights, figures, curves, examples, the card."""
    names = [name for name in NETWORKS if (weights / name).is_dir()]
    if not names:
        raise PublishError(f"There are no weights in {weights}.")
    files: dict[str, bytes] = {}
    results: list[EvalResult] = []
    for name in names:
        try:
            load_model(name, weights)
        except WeightsError as error:
            raise PublishError(str(error)) from None
        if name in MODELS:
            results += _results(weights / name)
        files |= {
            f"{name}/{path.name}": path.read_bytes()
            for path in sorted((weights / name).iterdir())
            if path.suffix in BESIDE_WEIGHTS
        }
        if f"{name}/history.csv" in files:
            files[f"{name}/curves.png"] = _curves(files[f"{name}/history.csv"].decode())
    examples = ROOT / "assets" / "examples"
    files |= {f"examples/{path.name}": path.read_bytes() for path in sorted(examples.iterdir())}
    files |= {path.name: path.read_bytes() for path in sorted(weights.glob("*.jpg"))}
    files["LICENSE"] = (ROOT / "LICENSE").read_bytes()
    files["README.md"] = card(weights, repo, results).encode()
    return files


def _results(folder: Path) -> list[EvalResult]:
    """A model's figures as the Hub shows them. Raises PublishError."""
    figures = _figures(folder)
    return [
        EvalResult(
            task_type="image-to-image",
            dataset_type=SUITE,
            dataset_name=SUITE_NAME,
            metric_type=metric,
            metric_value=round(figures[metric], 4),
            metric_name=f"{title}, {folder.name}",
        )
        for metric, title in (("psnr", "PSNR (dB, RGB)"), ("ssim", "SSIM"))
    ]


def card(weights: Path, repo: str, results: list[EvalResult]) -> str:
    """README.md of the folder, its metadata completed by a model-index. Raises PublishError."""
    try:
        made = ModelCard.load(weights / "README.md", ignore_metadata_errors=False)
    except (OSError, ValueError) as error:
        raise PublishError(f"{weights / 'README.md'} is no model card ({_line(error)}).") from None
    missing = [key for key in STATED if not made.data.get(key)]
    if missing:
        raise PublishError(f"{weights / 'README.md'} states no {', '.join(missing)} at its top.")
    made.data.model_name = repo.split("/")[-1]
    made.data.eval_results = results
    return str(made)


def space_files() -> dict[str, bytes]:
    """What a Space holds, by path: the app without tests and training."""
    files: dict[str, bytes] = {}
    for name in SPACE_FILES:
        path = ROOT / name
        inside = sorted(path.rglob("*")) if path.is_dir() else [path]
        files |= {
            file.relative_to(ROOT).as_posix(): file.read_bytes()
            for file in inside
            if file.is_file() and not any(part.endswith(NEVER) for part in file.parts)
        }
    return files


def _curves(history: str) -> bytes:
    """The picture of a history.csv."""
    rows = [
        {key: float(value) for key, value in row.items() if value}
        for row in csv.DictReader(history.splitlines())
    ]
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "curves.png")
        draw_curves(rows, path)
        return path.read_bytes()


def _figures(folder: Path) -> dict[str, float]:
    """PSNR and SSIM on the suite `seed`, measured on these very weights. Raises PublishError."""
    try:
        seed = measured(folder.name, folder.parent)[SUITE]
        return {key: float(seed[key]) for key in ("psnr", "ssim")}
    except (ValueError, KeyError, TypeError):
        pass
    raise PublishError(
        f"{folder} has no figures of these weights on the suite {SUITE}. Measure them with: python "
        f"-m train evaluate {folder.name} --weights {folder.parent} --suite {SUITE} --write "
        "--photos FOLDER"
    )


def _published(api: HfApi, repo: str, kind: str) -> dict[str, str] | None:
    """Path -> SHA-256 (LFS) or git hash of what is published; None where there is no repo."""
    try:
        info = api.repo_info(repo, repo_type=kind, files_metadata=True, timeout=ANSWER)
    except RepositoryNotFoundError:
        return None
    return {
        file.rfilename: file.lfs["sha256"] if file.lfs else file.blob_id for file in info.siblings
    }


def _same(data: bytes, there: str | None) -> bool:
    git = hashlib.sha1(b"blob %d\0" % len(data) + data).hexdigest()
    return there in (git, hashlib.sha256(data).hexdigest())


def _refuse_worse(repo: str, weights: Path, there: dict[str, str]) -> None:
    for name in MODELS:
        if f"{name}/metrics.json" not in there or not (weights / name).is_dir():
            continue
        try:
            path = hf_hub_download(repo, f"{name}/metrics.json", force_download=True)
            old = float(json.loads(Path(path).read_text())["suites"][SUITE]["psnr"])
        except (EntryNotFoundError, ValueError, KeyError, TypeError):
            continue
        new = _figures(weights / name)["psnr"]
        if new < old - TOLERANCE:
            raise PublishError(
                f"{name} scores {new:.2f} dB on the suite {SUITE}, and what {repo} holds scores "
                f"{old:.2f} dB. Nothing was published; --force publishes it all the same."
            )


def _line(error: Exception) -> str:
    return (str(error).strip() or type(error).__name__).splitlines()[0].rstrip(".")
