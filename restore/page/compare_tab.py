"""The tab Compare and the endpoint /compare."""

import tempfile
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import gradio as gr
import numpy as np

from .. import MODELS
from ..photo import Photo, PhotoError
from .differences import coloured, most_different, scale_for, signed
from .parts import came_along, headed, picture, progress_line, score_table
from .restoring import progress_in_words, written
from .results import RUNS, Stopped, kept, time_words, tried
from .texts import t, translated
from .viewer import SideBySide
from .work import Upload, comparable, opened, scores, sentences, stem

COLUMNS = ["Model", "PSNR", "SSIM", "Gain", "Sharpness", "Seconds"]
SPOT = 96
"""Side of the crop where the models differ most, in pixels."""


def in_order(models: list[str]) -> list[str]:
    """Each once, in the order of MODELS and not in that of the ticks."""
    return [name for name in MODELS if name in models]


def wish(photo: Upload, models: list[str], reference: Upload) -> tuple:
    """What a run is for, to tell it from another of the same visitor."""
    return (photo or {}).get("path"), tuple(models), (reference or {}).get("path")


def row(name: str, photo: np.ndarray, clear: np.ndarray | None, seconds: float | None) -> list[str]:
    label, decibels, similarity, sharp = scores(name, photo, clear)
    time = "–" if seconds is None else f"{seconds:.2f}"
    return [label, decibels, similarity, "–", sharp, time]


def ranked(rows: list[list[str]]) -> dict:
    """The rows with their gain over the input, best PSNR first, and the best of each marked."""

    def number(text: str) -> float:
        try:
            return float(text)
        except ValueError:
            return float("-inf")

    base = number(rows[0][1])
    for line in rows:
        gain = number(line[1]) - base
        if line is not rows[0] and np.isfinite(gain):
            line[3] = f"{gain:+z.2f}"
    rows = sorted(rows, key=lambda line: -number(line[1]))
    display, styling = [list(line) for line in rows], [[""] * len(COLUMNS) for _ in rows]
    for column in (1, 2):
        best = max(number(line[column]) for line in rows)
        for at, line in enumerate(rows):
            if np.isfinite(best) and number(line[column]) == best:
                display[at][column] = f"{line[column]}\u202f★"
                styling[at][column] = "font-weight: bold"
    return headed(COLUMNS, rows, metadata={"display_value": display, "styling": styling})


def compare_models(
    photo: Upload,
    models: list[str],
    reference: Upload = None,
    progress: gr.Progress = gr.Progress(),
    request: gr.Request = None,
) -> Iterator[tuple]:
    """Restore one photo with several models, to see them side by side.

    Args:
        photo: the blurred photo, of any size up to 100 megapixels.
        models: any of unet-512, unet-1024, cnn and gan.
        reference: the same photo, clear and of the same size, to measure PSNR and SSIM against.

    Returns:
        the photo and one result per model, as they become ready
        a table of PSNR (dB), SSIM, gain over the photo (dB), sharpness and seconds, best first
    """
    run = RUNS.run(request, "compare", wish(photo, models, reference))
    with sentences(), tempfile.TemporaryDirectory() as folder, run as unwanted:
        before = opened(photo)
        clear = comparable(reference, before)
        if not models:
            raise ValueError("Tick at least one model to compare.")
        name = stem(photo)
        shown = [(written(before, Path(folder, f"{name}.png")), translated("input"))]
        rows = [row("input", before.levels(), clear, None)]
        yield shown, ranked(rows)
        tell = progress_in_words(progress)
        for model in in_order(models):
            try:
                result = tried(before, model, tell, unwanted)
            except Stopped:
                # at its end Gradio shows the last answer again, and what it showed may be cleared
                yield (gr.skip(),) * 2
                return
            if result is None:
                rows.append([model, *[translated("failed")] * (len(COLUMNS) - 1)])
            else:
                after = before.with_colours(result.colours)
                path = written(after, Path(folder, f"{name}-{model}.png"))
                shown = [*shown, (path, model)]
                rows.append(row(model, after.levels(), clear, result.seconds))
            yield shown, ranked(rows)


def explain(
    photo: Upload,
    models: list[str],
    reference: Upload,
    progress: gr.Progress = gr.Progress(),
    request: gr.Request = None,
) -> Iterator[tuple]:
    """Difference maps and the most telling crop, from what the comparison left behind."""
    nothing, asked = (gr.skip(),) * 6, wish(photo, models, reference)
    if not photo or not models or not RUNS.is_over(request, "compare", asked):
        yield nothing
        return
    run = RUNS.run(request, "compare", asked)
    with sentences(), tempfile.TemporaryDirectory() as folder, run as unwanted:
        before = opened(photo)
        clear = None
        with suppress(PhotoError):  # which the comparison has said
            if reference and (there := opened(reference)).size == before.size:
                clear = there.levels()
        found = {model: kept(before, model) for model in in_order(models)}
        results = {
            model: before.with_colours(result.colours).levels()
            for model, result in found.items()
            if result
        }
        if not results:
            yield nothing
            return
        base = before.levels() if clear is None else clear
        compared = {translated("input"): before.levels()} if clear is not None else {}
        compared |= results
        steps = Steps(len(compared) + 1, progress)
        steps.tell()
        maps = {name: signed(levels, base) for name, levels in compared.items()}
        scale, drawn = scale_for(list(maps.values())), []
        for name, one in maps.items():
            if unwanted():
                yield nothing
                return
            path = Path(folder, f"difference-{name}.png")
            drawn.append((written(Photo(coloured(one, scale)), path), name))
            steps.tell()
        rows, columns = most_different([*results.values()], SPOT)
        crops = {translated("input"): before.levels(), **results}
        if clear is not None:
            crops[translated("clear")] = clear
        cut = [
            (
                written(Photo(levels[rows, columns].copy()), Path(folder, f"spot-{name}.png")),
                name,
            )
            for name, levels in crops.items()
        ]
        words = t("compare_minus_input") if clear is None else t("compare_minus_clear")
        where = f": {columns.start}, {rows.start} (px)"
        spot = t("compare_spot") + where
        yield drawn, words, legend(scale), cut, spot, gr.Column(visible=True)


class Steps:
    """Tells how much of `count` equal steps is done, and from the second on the time left."""

    def __init__(self, count: int, progress: gr.Progress):
        self.count, self.progress = count, progress
        self.done, self.started = 0, time.perf_counter()

    def tell(self) -> None:
        """Before each step."""
        words = translated("drawing what differs")
        if self.done:
            elapsed = time.perf_counter() - self.started
            left = time_words(max(elapsed * (self.count - self.done) / self.done, 1))
            words = translated(f"drawing what differs, {left} left")
        self.progress(self.done / self.count, desc=words)
        self.done += 1


def legend(scale: int) -> str:
    words = translated(f"blue: {scale} levels darker, white: the same, red: as much lighter")
    return (
        f'<div class="scale" role="img" aria-label="{words}">'
        f"<span>−{scale}</span><i></i><span>0</span><i></i><span>+{scale}</span></div>"
    )


def want(
    photo: Upload, models: list[str], reference: Upload, at: float, request: gr.Request
) -> tuple:
    """What the button calls before the run; what was said of the last one goes."""
    RUNS.want(request, "compare", wish(photo, models, reference), at)
    return "", gr.Column(visible=False)


def stop_run(at: float, request: gr.Request) -> str:
    return t("restore_stopped") if RUNS.stop(request, "compare", at) else gr.skip()


def forget(
    photo: Upload, models: list[str], reference: Upload, at: float, request: gr.Request
) -> tuple:
    """What is shown, and what may still run, is of another photo."""
    return None, None, *want(photo, models, reference, at, request)


def carried(photo: Upload, reference: Upload, here: Upload) -> tuple:
    """The photo of the tab Restore and its reference, where Compare has none of its own."""
    if here or not photo:
        return (gr.skip(),) * 3
    return photo["path"], (reference or {}).get("path"), True


def compare_tab(work: dict, tab: gr.Tab, other: tuple[gr.Image, gr.Image]) -> None:
    with gr.Row(elem_classes="result-first"):
        with gr.Column(scale=2, min_width=320, elem_classes="givens"):
            photo = picture(
                t("compare_photo"),
                elem_id="compare-photo",
                elem_classes="takes-photos",
                placeholder=t("restore_drop"),
                sources=["upload", "clipboard", "webcam"],
            )
            with gr.Column(elem_classes="settings"):
                models = gr.CheckboxGroup(
                    list(MODELS),
                    value=list(MODELS),
                    label=t("compare_models"),
                    elem_id="compare-models",
                )
                with gr.Accordion(t("compare_have_reference"), open=False):
                    reference = picture(
                        t("compare_reference"), elem_id="compare-reference", height=200
                    )
                with gr.Row():
                    go = gr.Button(t("compare_go"), variant="primary", scale=3)
                    stop = gr.Button(t("stop"), scale=1)
        with gr.Column(scale=3, min_width=320, elem_classes="outcome"):
            grid = SideBySide(elem_id="compare-results", group="compare")
            status = progress_line()
            note = gr.Markdown(elem_id="compare-note", elem_classes="note")
            with gr.Column(elem_classes=["when-done", "details"]):
                table = score_table("compare", COLUMNS)
    with gr.Column(visible=False) as more:
        words = gr.Markdown(elem_id="compare-difference-words")
        scale = gr.HTML(elem_id="compare-scale")
        maps = SideBySide(elem_id="compare-differences", group="compare")
        where = gr.Markdown(elem_id="compare-spot-words")
        crops = SideBySide(elem_id="compare-spot", group="spot")
    private = {"api_visibility": "private"}
    at_once = {"queue": False, "show_progress": "hidden", **private}
    tab.select(
        carried,
        [*other, photo],
        [photo, reference, came_along(photo, reference)],
        preprocess=False,
        **at_once,
    )
    asked = [photo, models, reference]
    at = gr.Number(visible=False)
    dated = "(...given) => [...given.slice(0, -1), Date.now()]"
    # results are kept: another reference costs no more than new scores
    rescored = gr.Number(visible=False)
    reference.input(lambda shown: time.time() if shown else gr.skip(), grid, rescored, **at_once)
    goes = [go.click, rescored.change]
    gr.on(goes, want, [*asked, at], [note, more], js=dated, preprocess=False, **at_once)
    run = gr.on(
        goes,
        compare_models,
        asked,
        [grid, table],
        api_name="compare",
        show_progress_on=status,
        trigger_mode="always_last",
        **work,
    )
    told = run.success(
        explain,
        asked,
        [maps, words, scale, crops, where, more],
        preprocess=False,
        show_progress_on=status,
        **private,
    )
    stop.click(None, cancels=[run, told], **private)
    stop.click(stop_run, at, note, js="() => Date.now()", **at_once)
    photo.clear(lambda: None, None, reference, **at_once)
    photo.change(
        forget,
        [*asked, at],
        [grid, table, note, more],
        js=dated,
        preprocess=False,
        **at_once,
    )
