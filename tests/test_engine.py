"""The same result however it is computed, by whom and beside whom."""

from threading import Barrier

import pytest
import torch

from restore import MODELS
from restore.engine import Engine
from restore.weights import load_model

names = pytest.mark.parametrize("name", MODELS)


@pytest.mark.parametrize("name", ["gan", "cnn"])
@pytest.mark.parametrize("shape", [(1, 3, 48, 64), (2, 3, 48, 64), (2, 3, 192, 208)])
@pytest.mark.parametrize("count", [1, 2])
def test_nnpack_computes_the_same(name, shape, count, several, monkeypatch):
    """Where it is not the default, too, so that it is tested on every machine that has it."""
    if not torch.backends.nnpack.is_available():
        pytest.skip("torch comes without NNPACK here")
    x = torch.rand(shape, generator=torch.Generator().manual_seed(0))
    plain = load_model(name)(x)
    monkeypatch.setattr("restore.engine.nnpack_wins", lambda device: True)
    monkeypatch.setattr("restore.engine.workers", lambda: several(count))
    engine = Engine(load_model(name), torch.device("cpu"), torch.float32)
    calls = []
    nnpack = torch._nnpack_spatial_convolution
    monkeypatch.setattr(
        torch, "_nnpack_spatial_convolution", lambda *a: calls.append(1) or nnpack(*a)
    )
    assert (engine(x) - plain).abs().max() < 1e-4
    assert bool(calls) == (shape[-1] > 64), "small pictures are faster without"


@pytest.mark.parametrize("precision", [torch.float32, torch.bfloat16])
@names
def test_onednn_computes_the_same_to_the_last_bit(name, precision, several, monkeypatch):
    """Also in batches of which it takes only a part at a time, and where it is not the fastest."""
    torch.set_num_threads(2)  # on one core torch orders its sums in another way
    cpu = torch.device("cpu")
    if not torch.cpu.get_capabilities().get("avx512_f") and precision == torch.bfloat16:
        pytest.skip("oneDNN has no bf16 for this processor")
    monkeypatch.setattr("restore.engine.nnpack_wins", lambda device: False)
    monkeypatch.setattr("restore.engine.onednn_wins", lambda device: True)
    x = torch.rand(3, 3, 48, 64, generator=torch.Generator().manual_seed(0))
    monkeypatch.setattr("restore.engine.CACHED_PIXELS", 2 * 48 * 64)
    fused = Engine(load_model(name), cpu, precision)
    monkeypatch.setattr("restore.engine.onednn_wins", lambda device: False)
    plain = Engine(load_model(name), cpu, precision)
    assert not any(isinstance(m, torch.nn.Conv2d) for m in fused.model.modules())
    assert torch.equal(fused(x), plain(x))


def test_a_watched_run_ends_before_the_next_convolution():
    class CancelError(Exception):
        pass

    asked = []

    def check():
        asked.append(None)
        if len(asked) == 3:
            raise CancelError

    engine, x = Engine(load_model("gan"), torch.device("cpu")), torch.rand(1, 3, 32, 32)
    with engine.watched(check), pytest.raises(CancelError):
        engine(x)
    engine(x)
    assert len(asked) == 3


def test_workers_compute_at_the_same_time_on_one_core_each(several):
    """Both must be within at once to get past the barrier; what one raises comes through."""
    both, cores = Barrier(2), []

    def compute(item):
        both.wait(timeout=60)
        cores.append(torch.get_num_threads())
        if item == "bad":
            raise ValueError(item)

    several(2).each(compute, ["good", "good"])
    assert cores == [1, 1]
    with pytest.raises(ValueError, match="bad"):
        several(2).each(compute, ["good", "bad"])
    assert torch.get_num_threads() == 2


def test_bf16_stays_within_half_a_level_of_the_photo(blurred):
    """The weights are rounded, the photo is not: where nothing is to do, nothing changes."""
    x = torch.from_numpy(blurred[:32, :32].copy()).permute(2, 0, 1)[None].float() / 255
    plain = load_model("gan")(x)
    fast = Engine(load_model("gan"), torch.device("cpu"), torch.bfloat16)(x)
    assert fast.dtype == torch.float32
    assert (fast - plain).abs().mean() < 0.5 / 255
    assert (fast - plain).abs().max() < 4 / 255
    idle = Engine(MODELS["gan"].build(), torch.device("cpu"), torch.bfloat16)
    assert torch.equal(idle(x), x)
