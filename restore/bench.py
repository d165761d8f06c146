"""Speed and memory, beside a plain opponent and the machine's own limit, in one run.

Everything is a median of repetitions that take turns, after a warm-up, the GPU synchronised, so
that a busy machine slows both sides alike. The opponent is the same weights in plain eager PyTorch:
fp32, NCHW, BatchNorm unfolded.
"""

import json
import math
import os
import platform
import socket
import statistics
import subprocess
import sys
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Callable
from contextlib import contextmanager, suppress
from pathlib import Path

import numpy as np
import psutil
import torch
from torch import nn
from torch.utils.flop_counter import FlopCounterMode

from .restorer import Restorer
from .weights import load_model

ROOT = Path(__file__).resolve().parent.parent
SIDE = 128
"""Side of the small photos, in pixels."""
TILE = 4 * SIDE
"""Side of the single tile whose rate large photos are held against."""
BATCHES = (1, 32)
MEGAPIXELS = (1, 12, 48)
QUICK_BATCHES = (1, 4)
QUICK_MEGAPIXELS = (0.05, 0.1)


class _EnoughError(Exception):
    """Raised by `progress` to end a photo that would take too long."""


def measure(names: list[str], weights: str | None, device: torch.device, seconds: float) -> dict:
    """All of it, within about so many seconds: what takes longer is cut short, which is said."""
    end = time.perf_counter() + seconds
    result = {
        "machine": machine(device),
        "import_seconds": import_seconds(),
        "page": page_seconds(names[0]),
        "models": {},
    }
    for i, name in enumerate(names):
        share = (end - time.perf_counter()) / (len(names) - i)
        result["models"][name] = model_speed(name, weights, device, share)
    return result


def measure_quick(names: list[str], weights: str | None, device: torch.device) -> dict:
    """The same on small photos and without the page, to see within seconds that it works."""
    return {
        "machine": machine(device, 256),
        "import_seconds": import_seconds(),
        "models": {
            name: model_speed(name, weights, device, 4, QUICK_BATCHES, QUICK_MEGAPIXELS, math.inf)
            for name in names
        },
    }


def machine(device: torch.device, side: int = 2048) -> dict:
    """What computes, and how fast it multiplies matrices in fp32 and, where it can, in bf16."""
    from .engine import choose_precision

    rates = {}
    for dtype in {torch.float32, choose_precision(device)}:
        a, b = (torch.rand(side, side, device=device, dtype=dtype) for _ in range(2))
        spent = interleaved({"product": lambda a=a, b=b: a @ b}, 2, device)["product"]
        rates[str(dtype).split(".")[-1]] = 2 * side**3 / spent / 1e9
    if device.type == "cuda":
        name = torch.cuda.get_device_name(device)
    else:
        name = torch.cpu.get_capabilities().get("cpu_name") or platform.processor()
    return {
        "device": name,
        "threads": torch.get_num_threads(),
        "torch": torch.__version__,
        "matrix_gflops": rates,
    }


def interleaved(
    functions: dict[str, Callable], seconds: float, device: torch.device
) -> dict[str, float]:
    """Median seconds of each, called in turn for about so long, at least once after a warm-up."""
    synchronise = torch.cuda.synchronize if device.type == "cuda" else (lambda: None)
    times: dict[str, list[float]] = {name: [] for name in functions}
    for function in functions.values():
        function()
    end = time.perf_counter() + seconds
    while True:
        for name, function in functions.items():
            synchronise()
            start = time.perf_counter()
            function()
            synchronise()
            times[name].append(time.perf_counter() - start)
        spent = sum(values[-1] for values in times.values())
        if time.perf_counter() + spent > end:
            return {name: statistics.median(values) for name, values in times.items()}


def flops_per_pixel(model: nn.Module, side: int = 256) -> float:
    """Of the plain network; a multiplication and an addition count as two. Nothing is computed."""
    with FlopCounterMode(display=False) as counter, torch.device("meta"):
        model.to("meta")(torch.empty(1, 3, side, side))
    return counter.get_total_flops() / side**2


def model_speed(
    name: str,
    weights: str | None,
    device: torch.device,
    seconds: float,
    batches: tuple[int, ...] = BATCHES,
    megapixels: tuple[float, ...] = MEGAPIXELS,
    patience: float | None = None,
) -> dict:
    """One model: small photos beside the opponent, a single tile, and large photos.

    A large photo may take `patience` seconds, or else what is left of `seconds`.
    """
    end = time.perf_counter() + seconds
    opponent = load_model(name, weights).requires_grad_(False).to(device)
    restorer = Restorer(name, load_model(name, weights), device)
    result: dict = {"precision": str(restorer.precision).split(".")[-1], "small": {}, "photos": {}}
    for batch in batches:
        x = torch.rand(batch, 3, SIDE, SIDE, device=device)
        with torch.inference_mode():
            spent = interleaved(
                {"ours": lambda x=x: restorer.engine(x), "eager fp32": lambda x=x: opponent(x)},
                seconds / 8,
                device,
            )
        result["small"][batch] = {side: batch / value for side, value in spent.items()}
        result["small"][batch]["ratio"] = spent["eager fp32"] / spent["ours"]
    opponent.to("cpu")
    x = torch.rand(1, 3, TILE, TILE, device=device)
    spent = interleaved({"tile": lambda: restorer.engine(x)}, seconds / 12, device)["tile"]
    rate = x.shape[-1] * x.shape[-2] / spent
    result["tile_pixels_per_second"] = rate
    result["gflops"] = flops_per_pixel(load_model(name, weights)) * rate / 1e9
    for size in megapixels:
        left = patience or end - time.perf_counter()
        result["photos"][size] = photo_speed(restorer, size, rate, left)
    return result


def photo_speed(restorer: Restorer, megapixels: float, rate: float, seconds: float) -> dict:
    """Seconds, peak memory and cost of tiling for a photo of sides 4 : 3.

    Where it would take longer than `seconds`, only its first tiles are restored and the time for
    all is computed from theirs; where even one would, nothing is. Where there is time enough, it
    takes turns with the single tile; else that tile's `rate` is the one measured before (pixels/s).
    """
    height = round(math.sqrt(megapixels * 1e6 * 3 / 4))
    width = round(megapixels * 1e6 / height)
    plan = restorer.plan(height, width)
    reads = [(r.high - r.low) * (c.high - c.low) for r, c in plan]
    if reads[0] / rate > seconds:
        return {"skipped": f"would take about {sum(reads) / rate:.0f} s"}
    block = np.random.default_rng(0).integers(0, 256, (64, 64, 3), dtype=np.uint8)
    photo = np.tile(block, (-(-height // 64), -(-width // 64), 1))[:height, :width].copy()
    start, done = time.perf_counter(), 0
    tile = torch.rand(1, 3, TILE, TILE, device=restorer.device)

    def enough(share: float) -> None:
        nonlocal done
        done = round(share * len(plan))
        spent = time.perf_counter() - start
        if 0 < done < len(plan) and spent + sum(reads[done:]) / sum(reads[:done]) * spent > seconds:
            raise _EnoughError

    def whole() -> None:
        nonlocal start
        start = time.perf_counter()
        with suppress(_EnoughError):
            restorer.restore(photo, enough, scale=1.0)

    functions = {"photo": whole, "tile": lambda: restorer.engine(tile)}
    with peak_memory(restorer.device) as peak:
        whole()
        spent = time.perf_counter() - start
        if (
            done == len(plan) and 3 * spent < seconds
        ):  # in turns, so that both find the same machine
            times = interleaved(functions, 2 * spent, restorer.device)
            spent, rate = times["photo"], TILE**2 / times["tile"]
    spent *= sum(reads) / sum(reads[:done])
    return {
        "seconds": spent,
        "tiles_done": done,
        "tiles": len(plan),
        "peak_bytes": peak[0],
        "over_tile_rate": spent * rate / (width * height),
    }


@contextmanager
def peak_memory(device: torch.device):
    """A list whose one value, afterwards, is the most memory that was in use within, in bytes.

    On the CPU that of the whole process, looked at 50 times a second; on a GPU what torch held.
    """
    peak = [0]
    if device.type == "cuda":
        torch.cuda.reset_peak_memory_stats(device)
        yield peak
        peak[0] = torch.cuda.max_memory_reserved(device)
        return
    process, over = psutil.Process(), threading.Event()

    def watch() -> None:
        while not over.wait(0.02):
            peak[0] = max(peak[0], process.memory_info().rss)

    watcher = threading.Thread(target=watch, daemon=True)
    watcher.start()
    try:
        yield peak
    finally:
        over.set()
        watcher.join()


def import_seconds() -> float:
    """What `import restore` takes in a fresh process, once torch is there."""
    code = "import time, torch; t = time.time(); import restore; print(time.time() - t)"
    return float(subprocess.check_output([sys.executable, "-c", code], cwd=ROOT, text=True))


def page_seconds(model: str) -> dict:
    """From the start of app.py to the page being ready, and from an upload to the first result."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    address = f"http://127.0.0.1:{port}/"
    command = [sys.executable, "app.py", "--host", "127.0.0.1", "--port", str(port)]
    quiet = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
    start = time.perf_counter()
    with subprocess.Popen(command, cwd=ROOT, env=os.environ, **quiet) as process:
        try:
            while not _answers(address):
                if process.poll() is not None or time.perf_counter() - start > 120:
                    return {"skipped": "app.py did not start"}
                time.sleep(0.05)
            ready = time.perf_counter() - start
            from gradio_client import Client, handle_file

            client = Client(address, verbose=False)
            photo = handle_file(str(ROOT / "assets" / "examples" / "cat-study.png"))
            spent = []
            for _ in range(2):
                start = time.perf_counter()
                next(iter(client.submit(photo, model, api_name="/restore")))
                spent.append(time.perf_counter() - start)
        finally:
            process.terminate()
    return {"ready": ready, "first_result": spent[0], "second_result": spent[1]}


def _answers(address: str) -> bool:
    try:
        with urllib.request.urlopen(address, timeout=5) as answer:
            return answer.status == 200
    except (urllib.error.URLError, OSError):
        return False


def tables(result: dict) -> list:
    """The result as rich tables."""
    from rich.table import Table

    facts = result["machine"]
    rates = ", ".join(f"{rate:,.0f} {name}" for name, rate in facts["matrix_gflops"].items())
    title = f"{facts['device']}, {facts['threads']} threads, torch {facts['torch']}"
    start = Table("start", "seconds", title=f"{title}; matrix products: {rates} GFLOP/s")
    start.add_row("import restore, on top of torch", f"{result['import_seconds']:.2f}")
    page = result.get("page", {})
    for key, text in (
        ("ready", "process start to page ready"),
        ("first_result", "upload to first result, 451 x 300"),
        ("second_result", "the same again"),
        ("skipped", "page"),
    ):
        if key in page:
            value = page[key]
            start.add_row(text, value if isinstance(value, str) else f"{value:.2f}")
    small = Table("model", "batch", "images/s", "eager fp32", "ratio", title=f"{SIDE} x {SIDE}")
    rate = Table(
        "model", "precision", "megapixels/s", "GFLOP/s", "of matrix rate", title="one tile"
    )
    large = Table("model", "megapixels", "s", "peak memory", "over tile rate", title="photos")
    for name, model in result["models"].items():
        for batch, row in model["small"].items():
            speeds = (f"{row[side]:.2f}" for side in ("ours", "eager fp32", "ratio"))
            small.add_row(name, str(batch), *speeds)
        share = model["gflops"] / facts["matrix_gflops"][model["precision"]]
        pixels = model["tile_pixels_per_second"] / 1e6
        rate.add_row(
            name, model["precision"], f"{pixels:.3f}", f"{model['gflops']:,.0f}", f"{share:.0%}"
        )
        for size, row in model["photos"].items():
            if "skipped" in row:
                large.add_row(name, str(size), f"skipped: {row['skipped']}", "", "")
                continue
            part = row["tiles_done"] < row["tiles"]
            note = f" (from {row['tiles_done']} of {row['tiles']} tiles)" if part else ""
            large.add_row(
                name,
                str(size),
                f"{row['seconds']:.1f}{note}",
                f"{row['peak_bytes'] / 1e9:.2f} GB",
                f"{row['over_tile_rate']:.2f}",
            )
    return [start, small, rate, large]


def write(result: dict, path: Path) -> None:
    """As JSON."""
    path.write_text(json.dumps(result, indent=1) + "\n")
