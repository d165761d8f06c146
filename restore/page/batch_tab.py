"""The tab Batch: many photos or an archive of them, one archive of results."""

import html
import tempfile
import time
import zipfile
from collections.abc import Iterator
from pathlib import Path

import gradio as gr
from PIL import Image

from ..photo import SUFFIXES, Metadata, PhotoError, decode, encode
from .archive import MAX_MEGAPIXELS, BatchError, Item, gather, report, result_name
from .parts import headed, pick_metadata, pick_model, progress_line
from .restoring import judged, progress_in_words
from .results import RUNS, Stopped, loaded, time_words
from .texts import t, translated
from .work import Upload, scores, sentence_of, sentences, suffix

THUMBNAIL = 480
"""Longer side of what the gallery shows, in pixels: the results themselves are in the archive."""
HEADERS = ["File", "Pixels", "Seconds", "Sharpness before", "Sharpness after"]


class Batch:
    """One run over many photos: its files, and how far it is."""

    def __init__(self, items: list[Item], model: str, metadata: Metadata, folder: Path):
        self.items, self.model, self.metadata, self.folder = items, model, metadata, folder
        self.shown: list[tuple[Path, str]] = []
        self.taken: set[str] = set()
        self.sizes = [0.0 if item.error else item.megapixels() for item in items]
        self.started = time.perf_counter()
        self.at = 0
        self.done = 0.0
        """Megapixels."""

    def restore(self, archive: zipfile.ZipFile, tell, unwanted) -> None:
        """The photo at `at`: into the archive, and into the gallery. Raises Stopped."""
        item = self.items[self.at]
        try:
            source = item.fetch(self.folder)
            try:
                photo = decode(source)
            except PhotoError as error:
                raise PhotoError(str(error).replace(source.name, item.name, 1)) from None
            self.sizes[self.at] = photo.size[0] * photo.size[1] / 1e6  # not every header tells
            if sum(self.sizes[: self.at + 1]) > MAX_MEGAPIXELS:
                raise PhotoError(
                    f"{item.name}: it is beyond the {MAX_MEGAPIXELS} megapixels of a batch; give "
                    "it in the next."
                )
            progress = lambda share, text: tell(self.told(share, text))  # noqa: E731
            outcomes = judged(photo, self.model, progress, unwanted, "auto")
            result, sharp = next(outcomes)
            failed = None
            try:
                result, sharp = next(outcomes, (result, sharp))
            except Exception as error:  # what the model has made is not lost with it
                failed = error
            after = photo.with_colours(result.colours)
            ending = suffix({"path": item.name}, photo)
            name = result_name(item, self.model, ending, self.taken)
            file = self.folder / f"result{ending}"
            encode(after, file, self.metadata, overwrite=True)
            archive.write(file, name)
            self.show(after.levels(), name)
            width, height = photo.size
            sharp = [
                scores("", one.levels(), None, known)[-1]
                for one, known in zip((photo, after), sharp, strict=True)
            ]
            item.row = {
                "result": name,
                "width": width,
                "height": height,
                "seconds": f"{result.seconds:.2f}",
                "scale": result.scale,
                "sharpness_before": sharp[0],
                "sharpness_after": sharp[1],
            }
            if failed:
                raise failed
        except gr.Error as error:  # of ZeroGPU, in the visitor's language already
            item.error = html.unescape(error.message)
        except (Stopped, OSError):  # of the disk, which takes no more results
            raise
        except Exception as error:
            item.error = translated(sentence_of(error))

    def show(self, levels, name: str) -> None:
        image = Image.fromarray(levels)
        image.thumbnail((THUMBNAIL, THUMBNAIL))
        path = self.folder / f"shown-{self.at}.jpg"
        image.save(path, quality=90)
        self.shown.append((path, name))

    def told(self, share: float = 0.0, text: str = "") -> tuple[float, str]:
        """The share done of the whole batch, and a sentence with the time left.

        Where a photo is looked at a second time nothing adds to that share: then `text` tells.
        """
        done = sum(self.sizes[: self.at]) + share * self.sizes[min(self.at, len(self.items) - 1)]
        whole = max(sum(self.sizes), 1e-9)
        at, count = min(self.at + 1, len(self.items)), len(self.items)
        if not done and not self.done:  # time spent on loading and waiting says nothing of the rest
            self.started = time.perf_counter()
            return 0, translated(f"photo {at} of {count}")
        if done < self.done:
            words = translated(f"photo {at} of {count}") + ": " + translated(text)
            return min(self.done / whole, 1), words
        self.done = done
        left = max((time.perf_counter() - self.started) * (whole - done) / done, 1)
        words = translated(f"photo {at} of {count}, {time_words(left)} left")
        return min(done / whole, 1), words

    def table(self) -> dict:
        rows = [
            [
                f"⚠️ {item.name}: {item.error.removeprefix(f'{item.name}: ')}"
                if item.error
                else item.name,
                f"{item.row['width']} x {item.row['height']}" if item.row else "",
                *(item.row.get(k, "") for k in ("seconds", "sharpness_before", "sharpness_after")),
            ]
            for item in self.items
            if item.row or item.error
        ]
        return headed(HEADERS, rows)

    def summary(self, stopped: bool) -> str:
        if stopped:
            words = t("batch_stopped")
        else:
            words = t("batch_failed") if any(item.error for item in self.items) else t("batch_done")
        return words + f" {len(self.shown)} / {len(self.items)}"


def own_name(file: Upload) -> str:
    return file.get("orig_name") or Path(file["path"]).name


def wish(files: list[Upload] | None, model: str, metadata: Metadata) -> tuple:
    return tuple(file["path"] for file in files or ()), model, metadata


def restore_batch(
    files: list[Upload] | None,
    model: str,
    metadata: Metadata,
    progress: gr.Progress = gr.Progress(),
    request: gr.Request = None,
) -> Iterator[tuple]:
    """Status, gallery, table and archive, as the photos of the batch are restored."""
    run = RUNS.run(request, "batch", wish(files, model, metadata))
    with sentences(), tempfile.TemporaryDirectory() as name, run as unwanted:
        try:
            given = [
                (Path(f["path"]), f.get("orig_name") or Path(f["path"]).name) for f in files or ()
            ]
            items = gather(given)
            for item in items:
                item.error = translated(item.error)
        except BatchError as error:
            raise ValueError(str(error)) from None
        folder = Path(name)
        batch = Batch(items, model, metadata, folder)
        target = folder / f"restored-{model}.zip"
        stopped = False
        with zipfile.ZipFile(target, "w", zipfile.ZIP_STORED) as archive:
            try:
                loaded(model, progress_in_words(progress), unwanted)
                for batch.at, item in enumerate(items):
                    share, words = batch.told()
                    yield "", batch.shown, batch.table(), gr.skip()
                    progress(share, words)
                    if not item.error:
                        batch.restore(archive, lambda told: progress(*told), unwanted)
            except Stopped:
                stopped = True
            unreached = translated("the batch was stopped before it")
            archive.writestr("report.csv", report(items, unreached))
        download = gr.DownloadButton(value=target, interactive=True)
        yield batch.summary(stopped), batch.shown, batch.table(), download


def want(
    files: list[Upload] | None, model: str, metadata: Metadata, at: float, request: gr.Request
) -> tuple:
    """What the button calls before the run: from now on this batch is wanted, and no other."""
    RUNS.want(request, "batch", wish(files, model, metadata), at)
    shown, download = bool(files), gr.DownloadButton(value=None, interactive=False)
    columns = gr.Column(visible=shown), gr.Column(visible=shown)
    return "", None, None, download, gr.Markdown(visible=not shown), *columns


def stop_run(at: float, request: gr.Request) -> None:
    """Also for a batch that still waits its turn, which RUNS.stop would forget about."""
    RUNS.want(request, "batch", "nothing", at)


def batch_tab(work: dict) -> None:
    private = {"api_visibility": "private"}
    gr.Markdown(t("batch_intro"))
    with gr.Row():
        with gr.Column(scale=2, min_width=320):
            files = gr.File(
                file_count="multiple",
                file_types=["image", ".zip", *SUFFIXES],
                label=t("batch_files"),
                elem_id="batch-files",
                elem_classes="takes-photos",
            )
            model = pick_model()
            metadata = pick_metadata("batch")
            with gr.Row():
                go = gr.Button(t("batch_go"), variant="primary", scale=3)
                stop = gr.Button(t("stop"), scale=1)
        with gr.Column(scale=3, min_width=320):
            empty = gr.Markdown(t("viewer_empty"), elem_classes="viewer-empty")
            progress = progress_line()
            with gr.Column(visible=False) as outcome:
                status = gr.Markdown(elem_id="batch-status")
                download = gr.DownloadButton(
                    t("batch_download"), interactive=False, variant="primary"
                )
                gallery = gr.Gallery(
                    label=t("batch_results"),
                    show_label=False,
                    elem_id="batch-results",
                    elem_classes="captioned",
                    columns=4,
                    height="auto",
                    object_fit="contain",
                    interactive=False,
                    buttons=["fullscreen"],
                )
    with gr.Column(visible=False) as details:
        table = gr.Dataframe(
            headers=HEADERS,
            label=t("batch_table"),
            interactive=False,
            elem_id="batch-table",
            wrap=True,
            buttons=[],
        )
    outputs = [status, gallery, table, download]
    at = gr.Number(visible=False)
    go.click(
        want,
        [files, model, metadata, at],
        [*outputs, empty, outcome, details],
        js="(...given) => [...given.slice(0, -1), Date.now()]",
        queue=False,
        preprocess=False,
        show_progress="hidden",
        **private,
    ).then(
        restore_batch,
        [files, model, metadata],
        outputs,
        show_progress_on=progress,
        **{**work, "concurrency_id": "batch", "concurrency_limit": 1},
        **private,
    )
    stop.click(stop_run, at, js="() => Date.now()", queue=False, **private)
