"""The tables of README and model card, written from the figures beside the weights.

A table stands between the lines `<!-- table NAME -->` and `<!-- /table -->` and is replaced as a
whole, so no figure in either text is typed by hand.
"""

import re
from collections.abc import Callable
from functools import partial
from pathlib import Path
from types import ModuleType

from rich.table import Table

from restore.bench import tables
from restore.models import MODELS, PatchGAN, count_parameters
from restore.weights import locate, measured, read_config

from . import ablations, scales, shake
from .evaluate import CAP, OPPONENTS, OPPONENTS_FILE, read_figures
from .suites import SUITES

TABLE = re.compile(r"(<!-- table ([\w-]+) -->\n).*?(<!-- /table -->)", re.DOTALL)
SAME = 1e-4
"""Inputs whose mean PSNR differs by less are the same, in dB: processors round a pixel or two
differently."""


class ReportError(Exception):
    """A table cannot be written; the message is one sentence that says which and what to do."""


def write(weights: Path, texts: tuple[Path, ...] | None = None) -> list[Path]:
    """Renew every table in `texts`, by default README.md and the model card in `weights`.

    Returns the texts. Raises ReportError where figures are missing, are of other weights or of
    other inputs.
    """
    texts = texts or (Path("README.md"), weights / "README.md")
    renewed = [
        TABLE.sub(lambda found: found[1] + _table(found[2], weights) + found[3], path.read_text())
        for path in texts
    ]
    for path, text in zip(texts, renewed, strict=True):
        path.write_text(text)
    return list(texts)


def _table(name: str, weights: Path) -> str:
    if name not in TABLES:
        raise ReportError(f"There is no table {name!r}; there are {', '.join(TABLES)}.")
    head, *rows = TABLES[name](weights)
    lines = [head, ["---"] * len(head), *rows]
    return "".join("| " + " | ".join(line) + " |\n" for line in lines)


def _figures(weights: Path, suite: str) -> dict[str, dict]:
    """Name of a row -> its psnr, ssim and photos, for one suite; all rows of the same inputs."""
    plain = read_figures(weights / OPPONENTS_FILE).get(suite, {"rows": [], "photos": None})
    figures = {row["name"]: {**row, "photos": plain["photos"]} for row in plain["rows"]}
    inputs = [figures["input"]["psnr"]] if "input" in figures else []
    models = {name: measured(name, weights) for name in MODELS}
    for name, suites in models.items():
        if not suites:
            raise ReportError(
                f"The figures of {name} are of other weights: run python -m train evaluate {name} "
                "--write."
            )
    for name, suites in {**models, **_steadied(weights)}.items():
        if found := suites.get(suite):
            figures[name] = found
            inputs.append(found["input_psnr"])
            before = {"psnr": found["input_psnr"], "ssim": found["input_ssim"]}
            figures.setdefault("input", {**found, **before})
    if inputs and max(inputs) - min(inputs) > SAME:
        raise ReportError(
            f"The rows of the suite {suite} are of different photos: run python -m train evaluate "
            f"--suite {suite} --write for all models over the same ones, and again with --shake."
        )
    return figures


def _steadied(weights: Path) -> dict[str, dict[str, dict]]:
    """Of models that also looked for camera shake: name -> suite -> figures."""
    found = {}
    for name in MODELS:
        if not (shake := read_figures(weights / name / "metrics.json").get("shake")):
            continue
        if shake["fusion"] != read_config(locate("fusion"))["sha256"]:
            raise ReportError(
                f"The figures of {name} with shake are of other weights of the fusion: run python "
                f"-m train evaluate {name} --shake --write."
            )
        found[f"{name}, shake"] = shake["suites"]
    return found


def _decibels(value: float) -> str:
    return "inf" if value >= CAP else f"{value:.2f}"


def _seed(weights: Path) -> list[list[str]]:
    figures = _figures(weights, "seed")
    critic = count_parameters(PatchGAN())
    rows = [["", "parameters", "PSNR (dB)", "SSIM", "gain (dB)"]]
    for name, row in sorted(figures.items(), key=lambda pair: pair[1].get("kind") == "published"):
        size = f"{count_parameters(MODELS[name].build()):,}" if name in MODELS else ""
        label = f"**{name}**" if name in MODELS else name
        if name == "gan":
            label += f" (generator; its critic has {critic:,} more)"
        if row.get("kind") == "published":
            label += ", as published, on its own photos"
        gain = row["psnr"] - figures["input"]["psnr"]
        shown = "" if name == "input" or row.get("kind") == "published" else f"{gain:+.2f}"
        ssim = "" if row["ssim"] is None else f"{row['ssim']:.4f}"
        rows.append([label, size, _decibels(row["psnr"]), ssim, shown])
    return rows


def _suites(weights: Path) -> list[list[str]]:
    columns = ["input", *OPPONENTS, *MODELS, *_steadied(weights)]
    rows = [["suite", "photos", *columns]]
    for suite in SUITES.values():
        figures = _figures(weights, suite.name)
        cells = [_decibels(figures[c]["psnr"]) if c in figures else "" for c in columns]
        if "input" in figures:
            rows.append([f"`{suite.name}`: {suite.label}", str(figures["input"]["photos"]), *cells])
    return rows


def _study(weights: Path) -> list[list[str]]:
    path = weights / "study.json"
    found = read_figures(path)
    if "rows" not in found:
        raise ReportError(f"{path} holds no figures: run python -m train study --out {path}.")
    rows = [["recipe", "tiles seen", "PSNR (dB)", "the study's", "SSIM", "the study's"]]
    for row in found["rows"]:
        published = (str(row["study"].get(key, "")) for key in ("psnr", "ssim"))
        seen = "" if row["images"] is None else f"{row['images']:,}"
        psnr, ssim = f"{row['psnr']:.2f}", f"{row['ssim']:.4f}"
        rows.append([f"`{row['name']}`", seen, psnr, next(published), ssim, next(published)])
    return rows


def _by_processor(
    weights: Path, what: str, command: str, table: Callable[[dict], list[list[str]]]
) -> list[list[str]]:
    """The table of each `assets/WHAT-KIND.json`, one for each kind of processor, one below another.

    Processors tell little more than their maker: KIND says what they can, such as "avx2".
    """
    folder, rows, head = weights.parent / "assets", [], []
    for path in sorted(folder.glob(f"{what}-*.json")):
        result = read_figures(path)
        head, *lines = table(result)
        kind = path.stem.removeprefix(f"{what}-").upper()
        rows += [[f"{result['machine']['device']}, {kind}", *line] for line in lines]
    if not rows:
        raise ReportError(
            f"{folder} holds no figures of {what}: run {command} --out {folder}/{what}-MINE.json."
        )
    return [["processor", *head], *rows]


def _speed(part: int, weights: Path) -> list[list[str]]:
    """One of the tables that `restore bench` prints."""
    return _by_processor(
        weights, "bench", "python -m restore bench", lambda result: _lines(tables(result)[part])
    )


def candidates_table(result: dict) -> list[list[str]]:
    """How many times faster than plain eager fp32 each candidate was, and its loss in dB."""
    first = next(iter(result["models"].values()))["eager fp32"]
    shapes = [key for key in first if key != "loss"]
    rows = [["model", "computed by", *shapes, "loss (dB)"]]
    for name, found in result["models"].items():
        for label, row in found.items():
            ratios = [f"{found['eager fp32'][shape] / row[shape]:.2f}" for shape in shapes]
            rows.append([name, label, *ratios, f"{max(row['loss'], 0):.3f}"])
    return rows


def _candidates(weights: Path) -> list[list[str]]:
    command = "python tests/candidates.py"
    return _by_processor(weights, "candidates", command, candidates_table)


def _ablations(weights: Path) -> list[list[str]]:
    path = weights / "ablations.json"
    if not (rows := read_figures(path).get("rows")):
        raise ReportError(f"{path} holds no figures: run python -m train ablate --out {path}.")
    return _lines(ablations.table(rows))


def _ways(what: ModuleType, weights: Path) -> list[list[str]]:
    """The table of `train scales` or `train shake`."""
    name = what.__name__.split(".")[-1]
    path = weights / f"{name}.json"
    found = read_figures(path)
    hashes = found.get("sha256", {})
    now = {name: read_config(locate(name, str(weights)))["sha256"] for name in hashes}
    if not hashes or hashes != now:
        raise ReportError(f"{path} has no figures of these weights: run python -m train {name}.")
    return _lines(what.table(found["rows"]))


def _lines(table: Table) -> list[list[str]]:
    head = [str(column.header) for column in table.columns]
    cells = zip(*(map(str, column.cells) for column in table.columns), strict=True)
    return [head, *map(list, cells)]


TABLES: dict[str, Callable[[Path], list[list[str]]]] = {
    "seed": _seed,
    "suites": _suites,
    "study": _study,
    "ablations": _ablations,
    "scales": partial(_ways, scales),
    "shake": partial(_ways, shake),
    "candidates": _candidates,
    "speed-start": partial(_speed, 0),
    "speed-small": partial(_speed, 1),
    "speed-tile": partial(_speed, 2),
    "speed-photos": partial(_speed, 3),
}
