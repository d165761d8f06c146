"""Which way of computing the networks on this processor is the fastest, and what it costs.

pip install onnx onnxscript onnxruntime openvino && python tests/candidates.py

Every candidate computes the same weights, in turns with the others. "loss" is by how much PSNR on
the example with the study's blur is lower than in fp32. What is not installed is left out.
"""

import argparse
import json
import sys
import tempfile
from collections.abc import Callable
from copy import deepcopy
from pathlib import Path

import numpy as np
import torch
from rich.console import Console
from rich.table import Table

ROOT = Path(__file__).parent.parent
sys.path.insert(0, str(ROOT))

from restore.bench import interleaved, machine
from restore.engine import Engine
from restore.kernels import fold_batch_norm
from restore.metrics import psnr
from restore.photo import decode
from restore.weights import load_model
from train.report import candidates_table

SHAPES = ((1, 128), (4, 128), (1, 256))
"""Pictures at a time and their sides; larger ones the networks compute in parts anyway."""
CPU = torch.device("cpu")
INPUT = "x"
"""What the exporter calls the argument of `forward`."""
Run = Callable[[torch.Tensor], torch.Tensor]
LAST = torch.channels_last


def eager(model: torch.nn.Module, dtype: torch.dtype) -> Run:
    """Plain PyTorch with BatchNorm folded and the fast layout."""
    model = fold_batch_norm(deepcopy(model)).to(dtype, memory_format=LAST)
    return lambda x: model(x.to(dtype, memory_format=LAST)).float()


def autocast(model: torch.nn.Module) -> Run:
    def run(x: torch.Tensor) -> torch.Tensor:
        with torch.autocast("cpu", torch.bfloat16):
            return model(x.contiguous(memory_format=LAST)).float()

    return run


def compiled(model: torch.nn.Module, dtype: torch.dtype) -> Run:
    model = fold_batch_norm(deepcopy(model)).to(dtype, memory_format=LAST)
    fast = torch.compile(model, mode="max-autotune-no-cudagraphs", dynamic=False)
    return lambda x: fast(x.to(dtype, memory_format=LAST)).float()


def exported(model: torch.nn.Module, x: torch.Tensor, path: Path) -> Path:
    torch.onnx.export(fold_batch_norm(deepcopy(model)), (x,), path, dynamo=True, verbose=False)
    return path


def quantized(path: Path, pictures: list[np.ndarray]) -> Path:
    """int8 weights and activations, with the ranges of these pictures."""
    from onnxruntime.quantization import CalibrationDataReader, quantize_static

    class Reader(CalibrationDataReader):
        def __init__(self) -> None:
            self.left = iter(pictures)

        def get_next(self) -> dict | None:
            picture = next(self.left, None)
            return None if picture is None else {INPUT: picture}

    small = path.with_suffix(".int8.onnx")
    quantize_static(path, small, Reader(), per_channel=True)
    return small


def onnx_runtime(path: Path) -> Run:
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = torch.get_num_threads()
    session = onnxruntime.InferenceSession(path, options, providers=["CPUExecutionProvider"])
    return lambda x: torch.from_numpy(session.run(None, {INPUT: x.numpy()})[0])


def openvino(path: Path, precision: str) -> Run:
    from openvino import Core

    options = {"INFERENCE_PRECISION_HINT": precision, "PERFORMANCE_HINT": "LATENCY"}
    options["INFERENCE_NUM_THREADS"] = torch.get_num_threads()
    network = Core().compile_model(path, "CPU", options)
    return lambda x: torch.from_numpy(network(x.numpy())[0].copy())


def candidates(name: str, x: torch.Tensor, folder: Path) -> dict[str, Run]:
    """All ways that there are here to compute what this model makes of such an `x`."""
    model = load_model(name).eval().requires_grad_(False)
    ways: dict[str, Callable[[], Run]] = {
        "eager fp32": lambda: model,
        "eager fp32, folded, channels last": lambda: eager(model, torch.float32),
        "autocast to bf16": lambda: autocast(deepcopy(model).to(memory_format=LAST)),
        "eager bf16, folded, channels last": lambda: eager(model, torch.bfloat16),
        "torch.compile, fp32": lambda: compiled(model, torch.float32),
        "torch.compile, bf16": lambda: compiled(model, torch.bfloat16),
        "ours": lambda: Engine(deepcopy(model), CPU),
    }
    pictures = [tiles(x.shape[0], x.shape[-1], i).numpy() for i in range(4)]
    path, small = folder / f"{name}-{len(x)}-{x.shape[-1]}.onnx", None
    try:
        exported(model, x, path)
        small = quantized(path, pictures)
    except ImportError as error:
        print(f"{error}: without ONNX", file=sys.stderr)
    if small:
        ways["ONNX Runtime, fp32"] = lambda: onnx_runtime(path)
        ways["ONNX Runtime, int8"] = lambda: onnx_runtime(small)
        ways["OpenVINO, fp32"] = lambda: openvino(path, "f32")
        ways["OpenVINO, bf16"] = lambda: openvino(path, "bf16")
        ways["OpenVINO, int8"] = lambda: openvino(small, "f32")
    made = {}
    for label, make in ways.items():
        try:
            made[label] = make()
            made[label](x)
        except Exception as error:  # one that does not run here is no candidate
            made.pop(label, None)
            print(f"{label}: {type(error).__name__}: {str(error)[:200]}", file=sys.stderr)
    return made


def tiles(pictures: int, side: int, turn: int = 0) -> torch.Tensor:
    """Parts of the blurred example, [B, 3, side, side] in [0, 1]."""
    return torch.stack([_part("cat-study.png", side, 13 * i + 7 * turn) for i in range(pictures)])


def _part(name: str, side: int, shift: int) -> torch.Tensor:
    levels = decode(ROOT / "assets" / "examples" / name).levels()
    part = levels[shift % 40 : shift % 40 + side, 60 + shift : 60 + shift + side]
    return torch.from_numpy(part.copy()).permute(2, 0, 1) / 255


def score(run: Run) -> float:
    """PSNR in dB of what it makes of 256 x 256 of the example."""
    y = run(tiles(1, 256))[0].clamp(0, 1).mul(255).round().byte().permute(1, 2, 0).numpy()
    clear = (_part("cat.jpg", 256, 0) * 255).round().byte().permute(1, 2, 0).numpy()
    return psnr(np.ascontiguousarray(y), np.ascontiguousarray(clear))


@torch.inference_mode()
def measure(names: list[str], seconds: float) -> dict:
    """Model -> candidate -> seconds by shape, and the loss in dB."""
    result: dict = {"machine": machine(CPU, 1024), "models": {}}
    with tempfile.TemporaryDirectory() as folder:
        for name in names:
            rows = result["models"][name] = {}
            for pictures, side in SHAPES:
                x = tiles(pictures, side)
                made = candidates(name, x, Path(folder))
                share = seconds / len(SHAPES) / len(names)
                spent = interleaved({k: lambda r=r, x=x: r(x) for k, r in made.items()}, share, CPU)
                for label, value in spent.items():
                    rows.setdefault(label, {})[f"{pictures} x {side}"] = value
                if side == 256:
                    exact = score(made["eager fp32"])
                    for label, run in made.items():
                        rows[label]["loss"] = exact - score(run)
                del made
                torch.compiler.reset()
    return result


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--models", default="unet-512,unet-1024")
    parser.add_argument("--minutes", type=float, default=4)
    parser.add_argument("--out", type=Path)
    given = parser.parse_args()
    found = measure(given.models.split(","), 60 * given.minutes)
    head, *lines = candidates_table(found)
    table = Table(*head)
    for line in lines:
        table.add_row(*line)
    Console(width=120).print(table)
    if given.out:
        given.out.write_text(json.dumps(found, indent=1) + "\n")
