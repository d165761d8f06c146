"""The tab Restore and the endpoint /restore."""

import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import gradio as gr

from ..photo import Metadata
from .examples import EXAMPLES, examples_gallery
from .parts import (
    came_along,
    download_button,
    pick_metadata,
    pick_model,
    pick_scale,
    picture,
    progress_line,
    score_table,
)
from .restoring import (
    Shown,
    adjusted,
    is_shown,
    restore_photo,
    score_rows,
    steps,
    wish,
    written,
)
from .results import RUNS
from .texts import t
from .viewer import BeforeAfter
from .work import (
    Upload,
    comparable,
    opened,
    sentences,
    stem,
    suffix,
)


def restore_shown(
    photo: Upload,
    model: str,
    reference: Upload,
    scale: str,
    at: float,
    progress: gr.Progress = gr.Progress(),
    request: gr.Request = None,
) -> Iterator[tuple]:
    """What the page calls: as `steps`, but last what is Shown.

    No photo is no mistake.
    """
    if not photo:
        yield *nothing(), None
        return
    try:
        for *answer, size in steps(photo, model, reference, scale, at, progress, request):
            shown = Shown(photo["path"], model, scale, size)
            yield *answer, shown if isinstance(answer[0], tuple) else gr.skip()
    except gr.Error:
        yield *nothing(), None  # what is shown would be taken for the result of this photo
        raise


def nothing() -> tuple:
    """What `steps` answers but for the last, where there is no result to show."""
    return None, None, gr.DownloadButton(value=None, interactive=False), "", ""


def download_again(
    photo: Upload, shown: Shown | None, strength: float, metadata: Metadata
) -> Iterator[gr.DownloadButton]:
    """The file at another strength or with other metadata, without the model."""
    with sentences(), tempfile.TemporaryDirectory() as folder:
        if found := adjusted(photo, shown, strength):
            file = Path(folder, f"{stem(photo)}-{shown.model}{suffix(photo, found[0])}")
            yield gr.DownloadButton(value=written(found[1], file, metadata), interactive=True)
        else:
            yield gr.skip()  # a generator that yields nothing would empty what is shown


def score_again(
    photo: Upload, shown: Shown | None, reference: Upload, strength: float
) -> Iterator[dict]:
    """The scores at another strength, without the model."""
    with sentences():
        if found := adjusted(photo, shown, strength):
            yield score_rows(*found, comparable(reference, found[0]))
        else:
            yield gr.skip()


def adjust_after_run(
    photo: Upload, shown: Shown | None, reference: Upload, strength: float, metadata: Metadata
) -> Iterator[tuple]:
    """A run gives the whole result with all metadata; the settings may ask for another."""
    if strength == 100 and metadata == "keep":
        yield gr.skip(), gr.skip()
        return
    for download in download_again(photo, shown, strength, metadata):
        for rows in score_again(photo, shown, reference, strength):
            yield download, rows


def want(
    photo: Upload, model: str, reference: Upload, scale: str, at: float, request: gr.Request
) -> None:
    what = wish(photo, model, reference, scale) if photo else None
    RUNS.want(request, "restore", what, at)


def expect_photo(photo: Upload) -> None:
    """Says so where there is none to restore."""
    if not photo:
        with sentences():
            opened(photo)


def stop_run(
    photo: Upload, shown: Shown | None, download: dict | None, at: float, request: gr.Request
) -> tuple:
    """What is chosen goes back to what is shown where that is of this photo; else nothing is."""
    if not RUNS.stop(request, "restore", at):
        return (gr.skip(),) * 7
    if not is_shown(shown, photo):
        view, table, none, _, notes = nothing()
        return view, table, none, t("restore_stopped"), notes, gr.skip(), gr.skip()
    words = t("restore_stopped_before") if download else t("restore_stopped_preview")
    return (gr.skip(),) * 3 + (words, gr.skip(), shown.model, shown.scale)


def restore_tab(work: dict, page: gr.Blocks) -> tuple[gr.Image, gr.Image]:
    """Lays the tab out; gives back where the photo and its clear reference are."""
    private = {"api_visibility": "private", "preprocess": False}
    with gr.Row(elem_classes="result-first"):
        with gr.Column(scale=2, min_width=320, elem_classes="givens"):
            photo = picture(
                t("restore_photo"),
                elem_id="photo",
                elem_classes="takes-photos",
                height=300,
                placeholder=t("restore_drop"),
                sources=["upload", "clipboard", "webcam"],
            )
            with gr.Column(elem_classes="settings"):
                model = pick_model(elem_id="restore-model")
                with gr.Row():
                    again = gr.Button(t("restore_again"), scale=3)
                    stop = gr.Button(t("stop"), scale=1, elem_id="restore-stop")
                with gr.Accordion(t("scale"), open=False):
                    scale = pick_scale("restore")
                with gr.Accordion(t("restore_have_reference"), open=False):
                    reference = picture(t("restore_reference"), elem_id="reference", height=200)
        with gr.Column(scale=3, min_width=320, elem_classes="outcome"):
            view = BeforeAfter(elem_id="restore-slider")
            status = progress_line()
            note = gr.Markdown(elem_id="restore-note", elem_classes="verdict")
            notes = gr.Markdown(elem_id="restore-file-notes", elem_classes="note")
            with gr.Column(elem_classes="when-done"):
                with gr.Row(elem_classes="take"):
                    strength = gr.Slider(
                        0,
                        100,
                        100,
                        step=1,
                        label=t("restore_strength"),
                        info=t("restore_strength_info"),
                        elem_id="restore-strength",
                        scale=3,
                    )
                    download = download_button()
                metadata = pick_metadata("restore")
                table = score_table("restore")
            examples = examples_gallery(page)
    asked, outputs = [photo, model, reference, scale], [view, table, download]
    gr.on([], restore_photo, asked, outputs, api_name="restore", **work)
    along, picked = came_along(photo, reference), gr.Number(visible=False)
    # `change` comes twice where a photo takes the place of another, `input` never from a program
    changes = [photo.input, reference.input, model.input, scale.input, again.click, picked.change]
    at, shown = gr.Number(visible=False), gr.State()
    now = {"js": "(...given) => [...given.slice(0, -1), Date.now()]"}
    dated = {"inputs": [*asked, at], **now}
    gr.on(changes, want, show_progress="hidden", queue=False, **dated, **private)
    run = gr.on(
        changes,
        restore_shown,
        outputs=[*outputs, note, notes, shown],
        api_visibility="private",
        trigger_mode="always_last",
        show_progress_on=status,
        **dated,
        **work,
    )
    again.click(expect_photo, photo, show_progress="hidden", **private)
    stop.click(None, cancels=run, api_visibility="private")
    stop.click(
        stop_run,
        [photo, shown, download, at],
        [*outputs, note, notes, model, scale],
        queue=False,
        show_progress="hidden",
        **now,
        **private,
    )
    strength.change(None, strength, js=f"share => {{ {VIEWER}.strength = share / 100 }}")
    light = {**private, "show_progress": "hidden", "trigger_mode": "always_last"}
    light |= {"concurrency_id": "light", "concurrency_limit": 2}
    gr.on(  # the file of before must not be taken for the one that is asked for
        [strength.change, metadata.change],
        lambda: gr.DownloadButton(value=None, interactive=False),
        None,
        download,
        queue=False,
        show_progress="hidden",
        trigger_mode="always_last",
        **private,
    ).then(download_again, [photo, shown, strength, metadata], download, **light)
    strength.change(score_again, [photo, shown, reference, strength], table, **light)
    given = [photo, shown, reference, strength, metadata]
    run.success(adjust_after_run, given, [download, table], **light)
    photo.clear(lambda: None, None, reference, api_visibility="private", queue=False)
    outputs = [photo, reference, along, picked]
    examples.select(chosen, None, outputs, api_visibility="private", queue=False)
    examples.select(None, js="() => { document.querySelector('#photo').scrollIntoView() }")
    return photo, reference


def chosen(event: gr.SelectData) -> tuple[Path, Path | None, bool, float]:
    """The example's photo, its reference, that they belong together, and when it was picked."""
    return *EXAMPLES[event.index].files(), True, time.time()


VIEWER = 'document.querySelector("#restore-slider photo-viewer")'
