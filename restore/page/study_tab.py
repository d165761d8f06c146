"""The tab The study: its published figures beside ours, and how ours were trained."""

import csv
from pathlib import Path

import gradio as gr
from gradio.i18n import I18nData
from pandas import DataFrame

from .. import MODELS
from ..weights import PUBLISHED, WeightsError, locate, measured
from .parts import colours
from .texts import t, translated
from .work import WEIGHTS

POINTS = 200
"""Points of a curve at most: more cannot be told apart on the page."""
CURVES = {
    "psnr": ("val_study_psnr", "PSNR (dB), the study's blur"),
    "ssim": ("val_study_ssim", "SSIM, the study's blur"),
    "loss": ("val_loss", "L1 loss, all blurs"),
}
"""What each plot shows: a column of history.csv, and its name."""
SUITES = {
    "gaussian": "Gaussian blur, a little noise",
    "heavy": "Heavy Gaussian blur",
    "defocus": "Defocus",
    "motion": "Straight motion",
    "shake": "Camera shake",
    "phone": "Half a blur, noise and JPEG",
    "part": "Gaussian blur, from beyond the border too",
    "clean": "Sharp: to be left alone",
}
"""What each suite of the benchmark does to a photo."""
IDENTICAL = 100
"""PSNR in dB that stands for a photo that was left as it is."""


def number(value: float | None, digits: int, sign: str = "") -> str:
    """A cell of a table."""
    if value is None:
        return "–"
    return f"{value:{sign}.{digits}f}" if value < IDENTICAL else "∞"


def figures(weights: str | None) -> tuple[I18nData | str, str]:
    """Two tables: the study's figures beside ours, and ours on every other suite."""
    ours = {}
    for name in MODELS:
        try:
            ours[name] = measured(name, weights)
        except WeightsError:
            ours[name] = {}
    rows = []
    for name in MODELS:
        published, seed = PUBLISHED.get(name, (None, None)), ours[name].get("seed", {})
        gain = seed["psnr"] - seed["input_psnr"] if seed else None
        cells = [number(published[0], 2), number(published[1], 4)]
        cells += [number(seed.get("psnr"), 2), number(seed.get("ssim"), 4), number(gain, 2, "+")]
        rows.append(f"| {name} | {' | '.join(cells)} |")
    first = t("study_table") + "\n|---|--:|--:|--:|--:|--:|\n" + "\n".join(rows)
    there = {suite for one in ours.values() for suite in one} - {"seed"}
    suites = [suite for suite in SUITES if suite in there] + sorted(there - SUITES.keys())
    if not suites:
        return first, ""
    head = f"| | {' | '.join(MODELS)} |\n|---|{'--:|' * len(MODELS)}\n"
    lines = []
    for suite in suites:
        found = [ours[name].get(suite) for name in MODELS]
        cells = [
            f"{number(one['input_psnr'], 2)} →\u00a0{number(one['psnr'], 2)}" if one else "–"
            for one in found
        ]
        lines.append(f"| {translated(SUITES.get(suite, suite))} | {' | '.join(cells)} |")
    return first, t("study_suites") + "\n\n" + head + "\n".join(lines)


def history(folder: Path) -> list[dict[str, float]]:
    """The rows of history.csv, thinned to POINTS; empty where there is none that can be read."""
    try:
        with (folder / "history.csv").open(newline="") as file:
            rows = [
                {key: float(value) for key, value in row.items() if key and value}
                for row in csv.DictReader(file)
            ]
    except (OSError, ValueError, TypeError):
        return []
    step = -(-len(rows) // POINTS) or 1
    return rows[::-1][::step][::-1]  # the last one is always among them


def curve(column: str, title: str, histories: dict[str, list[dict[str, float]]]) -> gr.LinePlot:
    points = [
        (model, row["images"] / 1000, row[column])
        for model, rows in histories.items()
        for row in rows
        if column in row and "images" in row
    ]
    table = DataFrame(points, columns=["model", "thousands", "value"])
    words = {"title": translated(title), "x_title": translated("thousand tiles seen")}
    words["color_title"] = translated("Model")
    return gr.LinePlot(table, color_map=colours(table["model"]), visible=bool(points), **words)


def fill() -> tuple:
    """All that the tab shows, from the files beside the weights."""
    weights, histories = WEIGHTS[0], {}
    for name in MODELS:
        try:
            histories[name] = history(locate(name, weights))
        except WeightsError:
            histories[name] = []
    missing = [name for name, rows in histories.items() if not rows]
    note = t("study_no_curves") + ": " + ", ".join(missing) if missing else ""
    plots = (curve(column, title, histories) for column, title in CURVES.values())
    return *figures(weights), note, *plots


def study_tab(tab: gr.Tab) -> None:
    gr.Markdown(t("study_intro"))
    table = gr.Markdown(elem_id="study-table")
    suites = gr.Markdown(elem_id="study-suites")
    gr.Markdown(t("study_curves"))
    with gr.Row():
        plots = [
            gr.LinePlot(
                x="thousands",
                y="value",
                color="model",
                y_title=" ",
                height=300,
                min_width=300,
                visible=False,
                elem_id=f"study-{name}",
            )
            for name in CURVES
        ]
    note = gr.Markdown(elem_id="study-note", elem_classes="note")
    tab.select(fill, None, [table, suites, note, *plots], api_visibility="private")
