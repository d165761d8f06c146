"""Contract tests over the registry: what every model promises."""

import pytest
import torch

from restore.kernels import fold_batch_norm
from restore.models import CNN, MODELS, PatchGAN, UNet, count_parameters
from train.widen import widen_unet

PARAMETERS = {"unet-512": 7_766_051, "unet-1024": 31_043_651, "cnn": 83_715}
names = pytest.mark.parametrize("name", MODELS)


def trained_like(model: torch.nn.Module) -> torch.nn.Module:
    """Random weights and statistics everywhere, so that no term is hidden by a zero."""
    torch.manual_seed(0)
    for parameter in model.parameters():
        torch.nn.init.normal_(parameter, std=0.05)
    for module in model.modules():
        if isinstance(module, torch.nn.BatchNorm2d):
            module.running_mean.normal_(std=0.1)
            module.running_var.uniform_(0.5, 2)
            module.weight.data.uniform_(0.5, 1.5)
    return model.eval().requires_grad_(False)


def test_registry_names():
    assert list(MODELS) == ["unet-512", "unet-1024", "cnn", "gan"]


@pytest.mark.parametrize(("name", "count"), PARAMETERS.items())
def test_parameters_exactly(name, count):
    assert count_parameters(MODELS[name].build()) == count


def test_gan_parameters_within_two_per_mille():
    both = count_parameters(MODELS["gan"].build()) + count_parameters(PatchGAN())
    assert abs(both / 2_075_928 - 1) < 0.002


def test_discriminator_judges_patches():
    x = torch.rand(2, 3, 128, 128)
    assert PatchGAN()(x, x).shape == (2, 1, 30, 30)


@names
@pytest.mark.parametrize("batch", [1, 3])
def test_shape_is_kept(name, batch):
    spec = MODELS[name]
    model = trained_like(spec.build())
    x = torch.rand(batch, 3, 2 * max(spec.multiple, 8), 3 * max(spec.multiple, 8))
    assert model(x).shape == x.shape


@names
def test_fresh_network_is_the_identity(name):
    x = torch.rand(1, 3, 32, 48)
    assert torch.equal(MODELS[name].build().eval()(x), x)


@names
def test_residual_path(name):
    """The output is the input plus what the layers add: shifting the head shifts the output."""
    model = trained_like(MODELS[name].build())
    x = torch.rand(1, 3, 32, 32)
    before = model(x)
    head = [m for m in model.modules() if isinstance(m, torch.nn.Conv2d)][-1]
    head.weight.zero_()
    head.bias.copy_(torch.tensor([0.1, 0.2, 0.3]))
    expected = x + torch.tensor([0.1, 0.2, 0.3]).view(1, 3, 1, 1)
    assert torch.allclose(model(x), expected, atol=1e-6)
    assert not torch.allclose(before, expected, atol=1e-2)


@names
def test_deterministic_and_independent_of_the_batch(name):
    model = trained_like(MODELS[name].build())
    x = torch.rand(2, 3, 32, 32)
    assert torch.equal(model(x), model(x))
    assert torch.allclose(model(x)[:1], model(x[:1]), rtol=1e-4, atol=1e-3)


@names
def test_every_parameter_learns(name):
    model = MODELS[name].build().train()
    head = [m for m in model.modules() if isinstance(m, torch.nn.Conv2d)][-1]
    torch.nn.init.normal_(head.weight, std=0.1)
    (model(torch.rand(2, 3, 32, 32)) - 0.5).square().mean().backward()
    assert all(p.grad is not None and p.grad.isfinite().all() for p in model.parameters())


@names
def test_folding_batch_norm_changes_nothing(name):
    model = trained_like(MODELS[name].build())
    x = torch.rand(1, 3, 48, 32)
    expected = model(x)
    folded = fold_batch_norm(model)
    assert not any(isinstance(m, torch.nn.BatchNorm2d) for m in folded.modules())
    assert torch.allclose(folded(x), expected, rtol=1e-4, atol=1e-3)


def test_widening_computes_the_same():
    narrow = trained_like(UNet(32))
    wide = widen_unet(narrow, UNet(64)).eval().requires_grad_(False)
    x = torch.rand(1, 3, 32, 32)
    assert torch.allclose(wide(x), narrow(x), rtol=1e-4, atol=1e-3)
    twins = wide.encoders[1][0].weight[:, 0::2] - wide.encoders[1][0].weight[:, 1::2]
    assert twins.abs().mean() > 0.001, (
        "the copies must differ, or they would learn the same for ever"
    )


@pytest.mark.parametrize("workers", [1, 3])
@pytest.mark.parametrize("layout", [torch.contiguous_format, torch.channels_last])
@pytest.mark.parametrize(("numbers", "row"), [(0, 2**16), (2**13, 2**9), (2**22, 2**8)])
@pytest.mark.parametrize("build", [lambda: UNet(16), CNN])
def test_blocks_change_nothing(build, layout, numbers, row, workers, several, monkeypatch):
    model = trained_like(build()).requires_grad_(False)
    x = torch.rand(2, 3, 112, 80).contiguous(memory_format=layout)
    whole = model.residual(x)
    monkeypatch.setattr("restore.models.blocks.NUMBERS", numbers)
    monkeypatch.setattr("restore.models.blocks.ROW", row)
    assert (model.residual(x, several(workers)) - whole).abs().max() < 1e-5


@names
def test_blocks_of_a_gpu_keep_it_busy(name):
    """A device that computes nothing stands in for it: a batch of tiles is not cut."""
    with torch.device("meta"):
        model, x = MODELS[name].build().eval(), torch.empty(16, 3, 128, 128)
    calls = []
    for layer in model.modules():
        if isinstance(layer, torch.nn.Conv2d):
            layer.register_forward_hook(lambda layer, *_: calls.append(layer))
    model(x)
    assert len(calls) == len(set(calls))


@names
def test_the_residual_is_what_is_added(name):
    model, x = trained_like(MODELS[name].build()), torch.rand(1, 3, 32, 48)
    assert torch.equal(model(x), x + model.residual(x))
