"""Blind deconvolution: the one blur of a whole photo, found in the photo itself and taken out.

No network here. Planes are float [H, W] in [0, 1]; all runs on the CPU, by FFT.
"""

from collections.abc import Callable

import numpy as np
import torch
from scipy import ndimage
from scipy.fft import next_fast_len
from torch import Tensor
from torch.fft import fftfreq, irfft2, rfft2, rfftfreq
from torch.nn.functional import interpolate, threshold

from .tiling import reflect_pad

# Of the search; as in the papers but for what is tuned on validation photos.
FAINT = 0.1
"""Of the highest value of a kernel: what is lower is noise. Tuned."""
STRAY = 0.1
"""Of the sum of a kernel: islands that have less are noise."""
SMOOTHNESS = 2.0
"""Weight of the square of the kernel."""
STEP = 2**0.5
"""Between two levels of the search."""
ROUNDS = 5
"""At each of them: photo, kernel, photo, kernel ..."""
DESCENTS = 21
"""Steps of conjugate gradients for a kernel."""
ERROR = 0.2
"""Of a photo's unlikeliness, what the error of blurring it anew counts beside its gradients. Tuned
on validation photos."""
RIM = 16
"""So many pixels along the border do not count for it: there a wrong border rings, not a kernel."""
HYPER = 0.8
"""Exponent of gradients in photos: Krishnan and Fergus, 2009."""


def find_kernel(
    plane: Tensor,
    reach: int,
    sparsity: float,
    progress: Callable[[float], None] = lambda share: None,
) -> Tensor:
    """The one kernel that blurred a grey photo [H, W]: [reach, reach], sum 1, about its centre.

    From small to full size; at each level by turns the photo of few gradients that the kernel
    leads to, and the kernel that leads from it to the photo given. Gradients whose square is lower
    than `sparsity` are taken for flat. Xu, Zheng and Jia, 2013,
    https://doi.org/10.1109/CVPR.2013.147; Cho and Lee, 2009, https://doi.org/10.1145/1618452.1618491.
    """
    levels = int(np.log(reach / 5) / np.log(STEP)) + 2
    kernel = None
    for level in reversed(range(levels)):
        progress(2.0**-level)  # a level takes twice as long as the one before
        factor = STEP**-level
        size = max(3, round(reach * factor) | 1)
        small = [int(side * factor) for side in plane.shape]
        given = _Periodic(_resized(plane, small) if level else plane, size)
        if kernel is None:
            kernel = torch.zeros(size, size)
            kernel[size // 2, size // 2 : size // 2 + 2] = 0.5
        else:
            kernel = _tidy(_resized(kernel, [size, size]), stray=0)
        for _ in range(ROUNDS):
            kernel = _centred(_tidy(_kernel(given, _flattened(given, kernel, sparsity), size)))
    return kernel


def deconvolve(plane: Tensor, kernel: Tensor, *fidelities: float) -> Tensor:
    """[H, W] in [0, 1], as it was before the kernel [K, K], taken about its centre, blurred it.

    Once for each of `fidelities`, [N, H, W]: they weigh the photo against its gradients, 100 where
    there is noise, thousands where there is none. Krishnan and Fergus, 2009, Fast image
    deconvolution using hyper-Laplacian priors.
    """
    given = _Periodic(plane, len(kernel))
    transfer = given.transfer_about_centre(kernel)
    planes = [
        _split(given, transfer, _thinned, fidelity, start=1.0, end=256.0, factor=2.8)
        for fidelity in fidelities
    ]
    return torch.stack(planes)[:, *given.inside].clamp(0, 1)


def blurred(plane: Tensor, kernel: Tensor) -> Tensor:
    """[H, W] blurred by the kernel [K, K], taken about its centre."""
    given = _Periodic(plane, len(kernel))
    return given.inverse(given.transfer_about_centre(kernel) * given.spectrum)[given.inside]


def unlikely(clear: Tensor, plane: Tensor, kernel: Tensor) -> float:
    """How little `clear` [H, W] looks like a photo that the kernel [K, K] blurred into `plane`.

    The lower, the better: how far its gradients are from few and high, and how far it is, blurred
    anew, from the plane. Krishnan, Tay and Fergus, 2011, Blind deconvolution using a normalized
    sparsity measure, https://doi.org/10.1109/CVPR.2011.5995521; here both as logarithms.
    """
    inside = (slice(RIM, -RIM),) * 2
    gradients = torch.cat([gradient[inside].flatten() for gradient in _gradients(clear)])
    ratio = gradients.abs().mean() / gradients.square().mean().sqrt().clamp(min=1e-9)
    error = (blurred(clear, kernel) - plane)[inside].square().mean().sqrt()
    return float(ratio.clamp(min=1e-9).log() + ERROR * error.clamp(min=1e-9).log())


def centre(kernel: Tensor) -> tuple[float, float]:
    """How far the centre of mass is below and to the right of the middle, in pixels.

    That a blur moves the photo as well, nobody can tell who has the photo alone.
    """
    axis = torch.arange(len(kernel)) - len(kernel) // 2
    return float((kernel.sum(1) * axis).sum()), float((kernel.sum(0) * axis).sum())


class _Periodic:
    """A photo [H, W] that goes on as its mirror image, so that it has no seam, and its spectrum."""

    def __init__(self, plane: Tensor, margin: int) -> None:
        height, width = plane.shape
        self.shape = [next_fast_len(side + 2 * margin, real=True) for side in plane.shape]
        below, right = (
            now - was - margin for now, was in zip(self.shape, plane.shape, strict=True)
        )
        plane = reflect_pad(plane, (margin, right, margin, below))
        for _ in range(2):
            plane = _faded(plane, margin).T
        self.plane = plane.contiguous()
        self.inside = (slice(margin, margin + height), slice(margin, margin + width))
        self.spectrum = rfft2(self.plane)
        across, down = torch.zeros(self.shape), torch.zeros(self.shape)
        across[0, 0] = down[0, 0] = -1
        across[0, -1] = down[-1, 0] = 1
        self.derivatives = rfft2(across), rfft2(down)
        self.roughness = sum(derivative.abs().square() for derivative in self.derivatives)

    def inverse(self, spectrum: Tensor) -> Tensor:
        return irfft2(spectrum, s=self.shape)

    def transfer(self, kernel: Tensor) -> Tensor:
        """The spectrum of a kernel [K, K] about its middle."""
        whole = torch.zeros(self.shape)
        whole[: len(kernel), : len(kernel)] = kernel
        return rfft2(whole.roll((-(len(kernel) // 2),) * 2, (0, 1)))

    def transfer_about_centre(self, kernel: Tensor) -> Tensor:
        """The same about its `centre`, to the fraction of a pixel."""
        below, beside = centre(kernel)
        down, right = fftfreq(self.shape[0])[:, None], rfftfreq(self.shape[1])
        phase = torch.exp(2j * torch.pi * (below * down + beside * right))
        return self.transfer(kernel) * phase


def _faded(plane: Tensor, margin: int) -> Tensor:
    """Left and right margins end in the mean of both ends, so that there is no seam."""
    ramp = torch.linspace(0, 1, margin).square()
    ends = (plane[:, -1:] + plane[:, :1]) / 2
    right = torch.lerp(plane[:, -margin:], ends, ramp)
    left = torch.lerp(plane[:, :margin], ends, ramp.flip(0))
    return torch.cat([left, plane[:, margin:-margin], right], 1)


def _gradients(plane: Tensor) -> tuple[Tensor, Tensor]:
    """Across and down; the photo is periodic."""
    return plane.roll(-1, 1) - plane, plane.roll(-1, 0) - plane


def _divergence(across: Tensor, down: Tensor) -> Tensor:
    """The adjoint of `_gradients`."""
    return across.roll(1, 1) - across + down.roll(1, 0) - down


Shrink = Callable[[Tensor, Tensor, float], tuple[Tensor, Tensor]]
"""(gradients across, down, weight) -> what becomes of them."""


def _split(
    given: _Periodic,
    transfer: Tensor,
    shrink: Shrink,
    fidelity: float,
    start: float,
    end: float,
    factor: float,
) -> Tensor:
    """Half-quadratic splitting: gradients by `shrink`, then the photo that fits them and `given`.

    What the photo's own fit weighs in this is `fidelity`, and the gradients' rises by `factor`.
    """
    match, power = transfer.conj() * given.spectrum, transfer.abs().square()
    plane, weight = given.plane, start
    while weight < end:
        wanted = rfft2(_divergence(*shrink(*_gradients(plane), weight)))
        share = weight / fidelity
        plane = given.inverse((match + share * wanted) / (power + share * given.roughness))
        weight *= factor
    return plane


def _flattened(given: _Periodic, kernel: Tensor, sparsity: float) -> Tensor:
    """The photo with as few gradients as can be that the kernel would blur into the one given."""

    def flatten(across: Tensor, down: Tensor, weight: float) -> tuple[Tensor, Tensor]:
        squares = across.square().add_(down.square())
        kept = threshold(squares, sparsity / weight, 0).sign_()  # as a mask it is much slower
        return across * kept, down * kept

    return _split(
        given, given.transfer(kernel), flatten, 1.0, start=2 * sparsity, end=1e5, factor=2.0
    )


def _thinned(across: Tensor, down: Tensor, weight: float) -> tuple[Tensor, Tensor]:
    """Gradients under the hyper-Laplacian prior, each by itself: generalised shrinkage.

    Zuo et al., 2013, https://doi.org/10.1109/ICCV.2013.34.
    """
    step = 1 / weight
    fixed = (2 * step * (1 - HYPER)) ** (1 / (2 - HYPER))
    share = step * HYPER
    lowest = fixed + share * fixed ** (HYPER - 1)

    def shrunk(gradient: Tensor) -> Tensor:
        # in place and without masks: these take most of the time
        size = threshold(gradient.abs(), lowest, 0)
        found = size.clamp(min=fixed)
        for smallest in (fixed, fixed, 0):
            found.log_().mul_(HYPER - 1).exp_().mul_(-share).add_(size).clamp_(min=smallest)
        return found.copysign_(gradient)

    return shrunk(across), shrunk(down)


def _kernel(given: _Periodic, clear: Tensor, size: int) -> Tensor:
    """Least squares between the gradients of both photos, by conjugate gradients: [size, size]."""
    spectra = [rfft2(gradient) for gradient in _gradients(clear)]
    wanted = [derivative * given.spectrum for derivative in given.derivatives]
    powers = given.inverse(sum(s.abs().square() for s in spectra))
    match = given.inverse(sum(s.conj() * w for s, w in zip(spectra, wanted, strict=True)))
    half = size // 2
    target = match.roll((half, half), (0, 1))[:size, :size]
    # The kernel is small, so all that counts of the autocorrelation is near the origin.
    near = powers.roll((2 * half, 2 * half), (0, 1))[: 4 * half + 1, : 4 * half + 1]
    side = (6 * half + 2,) * 2
    transfer = rfft2(near, s=side)
    part = (slice(2 * half, 2 * half + size),) * 2

    def apply(kernel: Tensor) -> Tensor:
        both = irfft2(transfer * rfft2(kernel, s=side), s=side)
        return both[part] + SMOOTHNESS * kernel

    return _solved(apply, target, torch.full((size, size), 1 / size**2))


def _solved(apply: Callable[[Tensor], Tensor], target: Tensor, x: Tensor) -> Tensor:
    """What `apply` makes `target` of, by conjugate gradients from `x`."""
    rest = target - apply(x)
    direction, power = rest, rest.square().sum()
    for _ in range(DESCENTS):
        moved = apply(direction)
        length = power / (direction * moved).sum()
        x, rest = x + length * direction, rest - length * moved
        before, power = power, rest.square().sum()
        if power.sqrt() <= 1e-5 * target.norm():
            break
        direction = rest + power / before * direction
    return x


def _tidy(kernel: Tensor, stray: float = STRAY) -> Tensor:
    """Nothing negative, nothing faint, no islands; sum 1. Where nothing is left: no blur."""
    kernel = kernel.clamp(min=0)
    if not kernel.any():
        kernel[len(kernel) // 2, len(kernel) // 2] = 1
    kernel = kernel * (kernel >= FAINT * kernel.max())
    islands, count = ndimage.label(kernel.numpy(), structure=np.ones((3, 3)))
    sums = ndimage.sum_labels(kernel.numpy(), islands, range(count + 1))
    kernel = kernel * torch.from_numpy(sums >= stray * sums.sum())[torch.from_numpy(islands)]
    return kernel / kernel.sum()


def _centred(kernel: Tensor) -> Tensor:
    """[K, K], moved by whole pixels, so that its centre of mass is in the middle."""
    return kernel.roll([-round(off) for off in centre(kernel)], (0, 1))


def _resized(plane: Tensor, shape: list[int]) -> Tensor:
    return interpolate(plane[None, None], shape, mode="bicubic", antialias=True)[0, 0]
