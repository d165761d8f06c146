"""A crowd on the page: is everybody served with the own photo, how fast, and does memory stay flat?

python tests/load.py --visitors 50 --minutes 10

Visitors have computers of their own; here they share the page's, at the lowest priority. What the
page achieves stands beside what the model does with bare tiles, measured before and after.
"""

import argparse
import os
import random
import shutil
import sys
import tempfile
import threading
import time
from dataclasses import dataclass, field
from pathlib import Path

import httpx
import numpy as np
import psutil
import torch
from gradio_client import Client, handle_file
from PIL import Image
from running import ROOT, running

sys.path.insert(0, str(ROOT))

from restore import load
from restore.bench import interleaved
from restore.page.parts import DEFAULT_MODEL

POLITE = ("Queue is full", "too many", "try again")
"""What a refusal says that is no failure."""
PAUSE = (10, 20)
"""Seconds, at least and at most, after which who was refused tries again."""
SAMPLE = 1.0
"""Seconds between two looks at the memory."""
WINDOW = 30
"""Seconds of which the least memory counts."""
PATIENCE = 300
"""Seconds after which an answer counts as lost."""
SAME = 25
"""Levels by which a restored photo may differ from the own one, in the mean."""
TILE = 512
"""Side of the tiles, in pixels, by which the model alone is measured."""


@dataclass
class Report:
    visitors: int
    lock: threading.Lock = field(default_factory=threading.Lock)
    seconds: float = 0
    megapixels: float = 0
    waits: list[float] = field(default_factory=list)
    """Seconds from upload to result, one per restored photo."""
    refused: int = 0
    mixed_up: int = 0
    failures: list[str] = field(default_factory=list)
    memory: list[tuple[float, float]] = field(default_factory=list)
    """(seconds since the start, MB resident)."""
    busy: tuple[float, float] = (0, 0)
    """Seconds of processor that the page and the visitors took."""
    bare: tuple[float, ...] = ()
    """Megapixels/s of the model alone, with bare tiles, each time it was measured."""

    @property
    def restored(self) -> int:
        return len(self.waits)

    @property
    def lost(self) -> int:
        return len(self.failures)

    def slope(self) -> float:
        """MB per minute by least squares over the second half of the run.

        Of the least that was held in each WINDOW: how much more a photo takes depends on its size.
        """
        floor: dict[int, tuple[float, float]] = {}
        for t, mb in self.memory:
            if t > self.seconds / 2:
                window = int(t // WINDOW)
                floor[window] = min(floor.get(window, (t, mb)), (t, mb), key=lambda pair: pair[1])
        if len(floor) < 3:
            return float("nan")
        return 60 * float(np.polyfit(*np.transpose([*floor.values()]), 1)[0])

    def lines(self) -> str:
        p50, p90, p99 = np.percentile(self.waits or [float("nan")], [50, 90, 99])
        rate = self.megapixels / self.seconds
        whole = self.seconds * (os.cpu_count() or 1)
        page, visitors = (spent / whole for spent in self.busy)
        shares = (
            f", {rate / bare:.0%} of bare tiles at {bare:.3f}, "
            f"{rate / bare / (1 - visitors):.0%} of them on what the visitors left"
            for bare in self.bare
        )
        return "\n".join(
            [
                f"{self.visitors} visitors, {self.seconds:.0f} s",
                f"restored {self.restored}, refused politely {self.refused}, lost {self.lost}, "
                f"mixed up {self.mixed_up}",
                f"wait: median {p50:.2f} s, 90 % {p90:.2f} s, 99 % {p99:.2f} s",
                f"throughput {self.restored / self.seconds:.2f} photos/s, {rate:.3f} megapixels/s"
                + "".join(shares),
                f"processor: page {page:.0%}, visitors {visitors:.0%}",
                f"memory: peak {max(mb for _, mb in self.memory):.0f} MB, after warm-up "
                f"{self.slope():+.2f} MB/min",
                *sorted(set(self.failures))[:5],
            ]
        )


def own_photo(rng: np.random.Generator, pixels: float) -> Image.Image:
    """A smooth photo of about so many pixels that nobody else has: four own colours blended."""
    width = max(16, round((pixels * rng.uniform(0.6, 1.6)) ** 0.5))
    height = max(16, round(pixels / width))
    corners = Image.fromarray(rng.integers(0, 256, (3, 3, 3), np.uint8))
    return corners.resize((width, height), Image.Resampling.BICUBIC)


def visit(
    url: str, seed: int, until: float, megapixels: tuple[float, float], model: str, report: Report
) -> None:
    """One visitor: uploads one photo after the other and looks at what comes back."""
    if sys.platform == "linux":
        os.nice(19)  # there it is this thread, and the client's that it starts
    rng = np.random.default_rng(seed)
    folder = Path(tempfile.mkdtemp(prefix="load-"))
    path, photo = folder / "mine.jpg", None
    try:
        client = Client(
            url,
            verbose=False,
            download_files=str(folder),
            httpx_kwargs={"timeout": PATIENCE},
        )
        while time.monotonic() < until:
            if photo is None:
                photo = own_photo(rng, 1e6 * np.exp(rng.uniform(*np.log(megapixels))))
                photo.save(path, quality=95)
            began = time.monotonic()
            try:
                pair, *_ = client.predict(handle_file(str(path)), model, None, api_name="/restore")
            except Exception as error:
                if any(word in str(error) for word in POLITE):
                    report.refused += 1
                    time.sleep(min(random.uniform(*PAUSE), max(0, until - time.monotonic())))
                else:
                    report.failures.append(f"{type(error).__name__}: {error}")
                continue
            waited = time.monotonic() - began
            after = pair[1]["path"] if isinstance(pair[1], dict) else pair[1]
            with Image.open(after) as result:
                mine = result.size == photo.size and difference(result, photo) < SAME
            with report.lock:
                report.mixed_up += not mine
                report.waits.append(waited)
                report.megapixels += photo.width * photo.height / 1e6
            photo = None
            shutil.rmtree(Path(after).parent, ignore_errors=True)
    except Exception as error:
        report.failures.append(f"{type(error).__name__}: {error}")
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def difference(a: Image.Image, b: Image.Image) -> float:
    """Mean difference of two photos of the same size, in levels, seen from afar."""
    afar = [np.asarray(photo.convert("RGB").resize((64, 64)), float) for photo in (a, b)]
    return float(np.abs(afar[0] - afar[1]).mean())


def run(
    url: str,
    pid: int,
    visitors: int,
    minutes: float,
    megapixels: tuple[float, float] = (0.3, 12),
    model: str = "cnn",
) -> Report:
    """Burden the page at `url`, a process `pid`, and report what came of it."""
    report, process, own = Report(visitors), psutil.Process(pid), psutil.Process()
    before = [sum(one.cpu_times()[:2]) for one in (process, own)]
    began = time.monotonic()
    until = began + 60 * minutes
    threads = [
        threading.Thread(target=visit, args=(url, seed, until, megapixels, model, report))
        for seed in range(visitors)
    ]
    for thread in threads:
        thread.start()
    while any(thread.is_alive() for thread in threads):
        report.memory.append((time.monotonic() - began, process.memory_info().rss / 1e6))
        time.sleep(SAMPLE)
    report.seconds = time.monotonic() - began
    after = [sum(one.cpu_times()[:2]) for one in (process, own)]
    report.busy = (after[0] - before[0], after[1] - before[1])
    assert httpx.get(f"{url}health", timeout=60).json()["ready"]
    return report


def bare_rate(model: str, seconds: float = 15) -> float:
    """Megapixels/s of the model with tiles alone: what no page can exceed."""
    restorer = load(model)
    tile = torch.rand(1, 3, TILE, TILE, device=restorer.device)
    spent = interleaved({"tile": lambda: restorer.engine(tile)}, seconds, restorer.device)
    return TILE**2 / 1e6 / spent["tile"]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--visitors", type=int, default=50)
    parser.add_argument("--minutes", type=float, default=10)
    parser.add_argument("--megapixels", type=float, nargs=2, default=(0.3, 12))
    parser.add_argument("--model", default=DEFAULT_MODEL)
    arguments = parser.parse_args()
    before = bare_rate(arguments.model)
    with tempfile.TemporaryDirectory() as folder, running(Path(folder, "log")) as app:
        report = run(
            app.url,
            app.serving.pid,
            arguments.visitors,
            arguments.minutes,
            tuple(arguments.megapixels),
            arguments.model,
        )
    report.bare = before, bare_rate(arguments.model)
    print(report.lines())
    sys.exit(1 if report.lost or report.mixed_up else 0)


if __name__ == "__main__":
    main()
