"""Camera shake: one blur over the whole photo, found in the photo itself and taken out.

No network here. A network gives back the mean of all photos that may have become this one, and the
longer the motion, the less is that sharper than the photo; where one kernel explains all of it, to
find that kernel and to divide by it brings several decibels more. Photos are float [..., H, W] in
[0, 1]; all runs on the CPU, by FFT.
"""

from collections.abc import Callable

import numpy as np
import torch
from scipy import ndimage
from scipy.fft import next_fast_len
from torch import Tensor
from torch.fft import irfft2, rfft2
from torch.nn.functional import interpolate

from .distort import convolve
from .tiling import reflect_pad
from .working_size import enlarge, shrink

REACH = 31
"""Side of the largest kernel that is looked for, in pixels of the working size."""
SIDE = 1024
"""Photos with a longer side are worked on at half of it, or a quarter: how far a hand shakes is a
share of the frame, however many pixels that has."""
JUDGED = 512
"""The kernel is looked for in the central square of at most this side, in pixels."""
SMALLEST = 128
"""Photos with a shorter side at the working size show too little."""
SPREAD = 2.0
"""Standard deviation of the kernel along its longer axis, in pixels, from which a shake begins:
less is left to the network."""
EXPLAINS = 2.1
"""So many times better than from the network's result must the photo follow from this one: the
error (RMS) of either, blurred by the kernel found. Chosen on validation photos, shaken and not."""
ROUGHEST = 3.3
"""What has so many times the gradients of the network's result is no photo, but ringing. Likewise.
"""
EDGE = 8
"""Pixels at the border that are not compared: they come from what is beyond it."""

# Of the search; as in the papers but for the two that are tuned on validation photos.
SPARSITY = 5e-3
"""Gradients whose square is lower are taken for flat. Tuned."""
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
FIDELITY = 2000.0
"""Of the last deconvolution: weight of the photo against that of its gradients."""
HYPER = 0.8
"""Exponent of gradients in photos: Krishnan and Fergus, 2009."""


def steady(
    pixels: np.ndarray, restored: np.ndarray, progress: Callable[[float], None]
) -> np.ndarray | None:
    """The photo without its camera shake, or None where none is found that explains it better.

    `pixels` are uint8 or uint16 [H, W] or [H, W, 3], `restored` what a network made of them, of the
    same shape and dtype, as is the result. `progress` is called with the share done, 0 to 1.
    """
    scale = next((s for s in (1, 0.5) if max(pixels.shape[:2]) * s <= SIDE), 0.25)
    small = shrink(pixels, scale)
    if min(small.shape[:2]) < SMALLEST:
        return None
    photo = _planes(small)
    kernel = find_kernel(_centre(photo.mean(0)), lambda share: progress(0.8 * share))
    if _spread(kernel) < SPREAD:
        return None
    planes = []
    for done, plane in enumerate(photo):
        progress(0.8 + 0.2 * done / len(photo))
        planes.append(deconvolve(plane, kernel))
    clear = torch.stack(planes)
    network = _planes(shrink(restored, scale))
    error, before = (_error(result, kernel, photo) for result in (clear, network))
    if before < EXPLAINS * error or _roughness(clear) > ROUGHEST * _roughness(network):
        return None
    levels = (clear * 65535).round().numpy().astype(np.uint16)
    levels = levels[0] if pixels.ndim == 2 else np.moveaxis(levels, 0, -1)
    return enlarge(pixels, small, levels)


def _planes(pixels: np.ndarray) -> Tensor:
    """uint16 [H, W] or [H, W, 3] -> float [1 or 3, H, W] in [0, 1]."""
    whole = torch.from_numpy(pixels.astype(np.float32) / 65535)
    return whole[None] if whole.ndim == 2 else whole.permute(2, 0, 1).contiguous()


def _centre(plane: Tensor) -> Tensor:
    top, left = (max(0, (extent - JUDGED) // 2) for extent in plane.shape)
    return plane[top : top + JUDGED, left : left + JUDGED]


def _error(clear: Tensor, kernel: Tensor, photo: Tensor) -> float:
    """How far `photo` is from `clear` blurred by the kernel, RMS."""
    inside = (..., slice(EDGE, -EDGE), slice(EDGE, -EDGE))
    return float((convolve(clear[None], kernel[None])[0] - photo)[inside].square().mean().sqrt())


def _roughness(photo: Tensor) -> float:
    """Mean gradient of grey."""
    return float(sum(gradient.abs().mean() for gradient in _gradients(photo.mean(0))))


def _spread(kernel: Tensor) -> float:
    """Standard deviation along the longer axis, in pixels."""
    places = kernel.nonzero()
    covariance = places.double().T.cov(correction=0, aweights=kernel[kernel > 0].double())
    return float(torch.linalg.eigvalsh(covariance)[-1].clamp(min=0).sqrt())


def find_kernel(plane: Tensor, progress: Callable[[float], None] = lambda share: None) -> Tensor:
    """The one kernel that blurred a grey photo [H, W]: [REACH, REACH], sum 1, about its centre.

    From small to full size; at each level by turns the photo of few gradients that the kernel
    leads to, and the kernel that leads from it to the photo given. Xu, Zheng and Jia, 2013,
    https://doi.org/10.1109/CVPR.2013.147; Cho and Lee, 2009, https://doi.org/10.1145/1618452.1618491.
    """
    levels = int(np.log(REACH / 5) / np.log(STEP)) + 2
    kernel = None
    for level in reversed(range(levels)):
        progress(2.0**-level)  # a level takes twice as long as the one before
        factor = STEP**-level
        size = max(3, round(REACH * factor) | 1)
        small = [int(side * factor) for side in plane.shape]
        given = _Periodic(_resized(plane, small) if level else plane, size)
        if kernel is None:
            kernel = torch.zeros(size, size)
            kernel[size // 2, size // 2 : size // 2 + 2] = 0.5
        else:
            kernel = _tidy(_resized(kernel, [size, size]), stray=0)
        for _ in range(ROUNDS):
            kernel = centred(_tidy(_kernel(given, _flattened(given, kernel), size)))
    return kernel


def deconvolve(plane: Tensor, kernel: Tensor) -> Tensor:
    """[H, W] in [0, 1], as it was before the kernel [K, K] blurred it.

    Krishnan and Fergus, 2009, Fast image deconvolution using hyper-Laplacian priors.
    """
    given = _Periodic(plane, len(kernel))
    clear = _split(given, kernel, _thinned, FIDELITY, start=1.0, end=256.0, factor=2.8)
    return clear[given.inside].clamp(0, 1)


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
        """The spectrum of a kernel [K, K] about the origin."""
        whole = torch.zeros(self.shape)
        whole[: len(kernel), : len(kernel)] = kernel
        return rfft2(whole.roll((-(len(kernel) // 2),) * 2, (0, 1)))


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
    kernel: Tensor,
    shrink: Shrink,
    fidelity: float,
    start: float,
    end: float,
    factor: float,
) -> Tensor:
    """Half-quadratic splitting: gradients by `shrink`, then the photo that fits them and `given`.

    What the photo's own fit weighs in this is `fidelity`, and the gradients' rises by `factor`.
    """
    transfer = given.transfer(kernel)
    match, power = transfer.conj() * given.spectrum, transfer.abs().square()
    plane, weight = given.plane, start
    while weight < end:
        wanted = rfft2(_divergence(*shrink(*_gradients(plane), weight)))
        share = weight / fidelity
        plane = given.inverse((match + share * wanted) / (power + share * given.roughness))
        weight *= factor
    return plane


def _flattened(given: _Periodic, kernel: Tensor) -> Tensor:
    """The photo with as few gradients as can be that the kernel would blur into the one given."""

    def flatten(across: Tensor, down: Tensor, weight: float) -> tuple[Tensor, Tensor]:
        kept = across.square() + down.square() >= SPARSITY / weight
        return across * kept, down * kept

    return _split(given, kernel, flatten, 1.0, start=2 * SPARSITY, end=1e5, factor=2.0)


def _thinned(across: Tensor, down: Tensor, weight: float) -> tuple[Tensor, Tensor]:
    """Gradients under the hyper-Laplacian prior, each by itself: generalised shrinkage.

    Zuo et al., 2013, https://doi.org/10.1109/ICCV.2013.34.
    """
    step = 1 / weight
    fixed = (2 * step * (1 - HYPER)) ** (1 / (2 - HYPER))
    lowest = fixed + step * HYPER * fixed ** (HYPER - 1)

    def shrunk(gradient: Tensor) -> Tensor:
        size = gradient.abs()
        found = size
        for _ in range(3):
            found = (size - step * HYPER * found.clamp(min=1e-8) ** (HYPER - 1)).clamp(min=0)
        return found * gradient.sign() * (size > lowest)

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


def centred(kernel: Tensor) -> Tensor:
    """[K, K], moved by whole pixels, so that its centre of mass is in the middle."""
    axis = torch.arange(len(kernel)) - len(kernel) // 2
    shifts = [-round(float((kernel.sum(d) * axis).sum())) for d in (1, 0)]
    return kernel.roll(shifts, (0, 1))


def _resized(plane: Tensor, shape: list[int]) -> Tensor:
    return interpolate(plane[None, None], shape, mode="bicubic", antialias=True)[0, 0]
