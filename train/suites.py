"""The suites of the benchmark: from folders of photos to what a model is asked to restore.

All that is random is drawn on the CPU from a generator seeded by suite and index of the photo, so
every run, on any device, restores the same input. Kernels sum to 1; borders reflect.
"""

import zlib
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch
from PIL import Image
from scipy import ndimage
from torch import Tensor
from torch.nn.functional import interpolate
from tqdm import tqdm

from restore.deconvolution import centre
from restore.distort import (
    STUDY_SIGMA,
    add_noise,
    blur,
    disk_kernel,
    gaussian_kernel,
    jpeg,
    motion_kernel,
    quantise,
)
from restore.engine import DeviceError
from restore.photo import PhotoError, decode, find_photos
from restore.weights import WeightsError

TUNED_ON, TUNED_SIDE = 8, 256
"""Opponents are tuned on the centres of so many validation photos, of this side in pixels."""
SMALLEST_SIDE = 16
"""Photos need sides of so many pixels, or the kernels would be larger than they are."""


class EvaluationError(Exception):
    """The evaluation cannot go on; the message is one sentence that says why and what to do."""


@contextmanager
def one_kind_of_error() -> Iterator[None]:
    """Whatever goes wrong with photos, weights, devices and files becomes an EvaluationError."""
    try:
        yield
    except (PhotoError, WeightsError, DeviceError, OSError, MemoryError) as error:
        raise EvaluationError(str(error)) from None


class Case(NamedTuple):
    """What one photo of a suite amounts to."""

    clear: np.ndarray
    """uint8 [H, W, 3]."""
    distorted: np.ndarray
    """The same shape and type."""
    kernel: np.ndarray | None
    """float32 [K, K], K odd, sum 1; None where there is no blur, or nobody knows it."""


Draw = Callable[[int, torch.Generator, Sequence[Tensor]], Tensor]
"""(index of the photo, generator, Levin's kernels) -> kernel [1, K, K]."""


def _uniform(low: float, high: float, g: torch.Generator) -> Tensor:
    return low + (high - low) * torch.rand(1, generator=g)


def gaussian(sigma: float, size: int | None = None) -> Draw:
    return lambda *_: gaussian_kernel(torch.tensor([sigma]), size)


def disk(radius: float) -> Draw:
    return lambda *_: disk_kernel(torch.tensor([radius]))


def motion(low: float, high: float) -> Draw:
    return lambda _, g, __: motion_kernel(_uniform(low, high, g), _uniform(0, torch.pi, g))


def shaken(index: int, _: torch.Generator, levin: Sequence[Tensor]) -> Tensor:
    return levin[index % len(levin)]


def _half_shake(index: int, g: torch.Generator, levin: Sequence[Tensor]) -> Tensor:
    """Levin's kernel scaled down to about half its side."""
    # In turn among the photos that come here, every sixth.
    kernel = shaken(index // len(HALVES), g, levin)
    size = kernel.shape[-1] // 4 * 2 + 1
    small = interpolate(kernel[None], (size, size), mode="bilinear", antialias=True)[0]
    return small / small.sum()


HALVES: tuple[Draw, ...] = (
    _half_shake,
    gaussian(STUDY_SIGMA / 2, 5),
    gaussian(0.8),
    gaussian(1.5),
    disk(1.5),
    motion(2.5, 10.5),
)
"""The blurs of the other suites at half strength."""


def _half(index: int, g: torch.Generator, levin: Sequence[Tensor]) -> Tensor:
    draws = HALVES if levin else HALVES[1:]
    return draws[index % len(draws)](index, g, levin)


@dataclass(frozen=True)
class Suite:
    """One kind of distortion, the same for all photos but for what its generator draws."""

    name: str
    label: str
    draw: Draw | None = None
    """None: no blur."""
    noise: tuple[float, float] = (0, 0)
    """Range of the noise's standard deviation, in levels of 255."""
    quality: tuple[int, int] | None = None
    """Range of the JPEG quality, both ends included; None: no JPEG."""
    side: int | None = None
    """The whole photo is first resized to a square of this side, aspect not kept."""
    needs_levin: bool = False
    cut: int = 0
    """So many pixels are cut off each side after the blur: then it comes from beyond the border, as
    in a photo, and not out of a mirror."""

    def __call__(self, clear: np.ndarray, index: int, levin: Sequence[Tensor] = ()) -> Case:
        """Distort the clear photo uint8 [H, W, 3] that is number `index` of its set."""
        g = torch.Generator().manual_seed(zlib.crc32(f"{self.name} {index}".encode()))
        if self.side:
            small = Image.fromarray(clear).resize((self.side,) * 2, Image.Resampling.BICUBIC)
            clear = np.asarray(small)
        x = torch.tensor(clear).permute(2, 0, 1)[None] / 255
        kernel = self.draw(index, g, levin) if self.draw else None
        if kernel is not None:
            x = blur(x, kernel)
        if self.cut and min(x.shape[-2:]) >= 2 * self.cut + SMALLEST_SIDE:
            inside = slice(self.cut, -self.cut)
            x, clear = x[..., inside, inside], clear[inside, inside]
        if self.noise[1]:
            x = add_noise(x, _uniform(*self.noise, g) / 255, g)
        if self.quality:
            low, high = self.quality
            x = jpeg(x, int(torch.randint(low, high + 1, (1,), generator=g)))
        levels = (quantise(x)[0] * 255).round().byte().permute(1, 2, 0).contiguous()
        return Case(clear, levels.numpy(), None if kernel is None else kernel[0].numpy())


_ALL = (
    Suite("seed", "128 x 128, the study's blur", gaussian(STUDY_SIGMA, 5), side=128),
    Suite("gaussian", "Gaussian 1.6, noise 2.55", gaussian(1.6), (2.55, 2.55)),
    Suite("heavy", "Gaussian 3, noise 1", gaussian(3.0), (1, 1)),
    Suite("defocus", "disk of radius 3, noise 1", disk(3.0), (1, 1)),
    Suite("motion", "straight motion of 5 to 21 px, noise 1", motion(5, 21), (1, 1)),
    Suite("shake", "Levin's kernels, centred, noise 2.55", shaken, (2.55, 2.55), needs_levin=True),
    Suite("phone", "any of these at half strength, noise 2 to 8, JPEG", _half, (2, 8), (70, 90)),
    Suite("part", "as gaussian, 32 px cut off each side", gaussian(1.6), (2.55, 2.55), cut=32),
    Suite("clean", "nothing: it must come back unharmed"),
)
SUITES: dict[str, Suite] = {suite.name: suite for suite in _ALL}


def read_levin(path: Path) -> list[Tensor]:
    """The camera-shake kernels of Levin et al., 2009, https://doi.org/10.1109/CVPR.2009.5206815.

    `path` is the file Levin09.mat that the restoration literature shares: a cell array `kernels`.
    Returns [1, K, K] each, sum 1, about its centre of mass. As they are, they also move the photo,
    by up to 4 pixels; whoever has the photo alone cannot know that, and results are moved back
    before they are scored (Levin et al.; Köhler et al., 2012). Raises EvaluationError.
    """
    # MATLAB's format 7.3 is HDF5, which scipy.io.loadmat does not read.
    import h5py

    try:
        with h5py.File(path) as file:
            # Columns come first in MATLAB, hence the transposition.
            kernels = [np.float32(file[cell][()].T) for cell in file["kernels"][()].ravel()]
        return [_centred(kernel)[None] for kernel in kernels]
    except (OSError, KeyError, TypeError, ValueError) as error:
        raise EvaluationError(f"{path} cannot be read as Levin09.mat ({error}).") from None


def _centred(kernel: np.ndarray) -> Tensor:
    """[K, K], without its empty rim -> [N, N], N odd."""
    off = centre(torch.from_numpy(kernel / kernel.sum()))
    room = np.pad(kernel, 1 + int(np.ceil(np.abs(off).max())))
    moved = ndimage.shift(room, [-distance for distance in off], order=1)
    half = len(moved) // 2
    reach = int(np.abs(np.argwhere(moved) - half).max())
    moved = moved[half - reach : half + reach + 1, half - reach : half + reach + 1]
    return torch.from_numpy(moved / moved.sum())


class Job(NamedTuple):
    """A table to fill; its cases are made one by one, when their turn comes."""

    name: str
    label: str
    cases: list[Callable[[], Case]]
    trials: list[Callable[[], Case]]
    """What opponents are tuned on; none: no opponents."""


def named(names: Sequence[str]) -> list[Suite]:
    """The suites of these names. Raises EvaluationError."""
    if unknown := [name for name in names if name not in SUITES]:
        raise EvaluationError(f"There is no suite {unknown[0]!r}; there are {', '.join(SUITES)}.")
    return [SUITES[name] for name in names]


def plan(
    suites: Sequence[Suite],
    photos: Sequence[Path],
    levin: Path | None = None,
    validation: Path | None = None,
    limit: int | None = None,
) -> list[Job]:
    """One job per suite, over the clear `photos` (folders or files) sorted by path.

    For `levin`, `validation` and `limit` see `evaluate`. Raises EvaluationError.
    """
    clear = _find(photos)
    tuning = _find([validation]) if validation else []
    if {path.resolve() for path in tuning} & {path.resolve() for path in clear}:
        raise EvaluationError("The validation photos must not be among those that are scored.")
    kernels = read_levin(levin) if levin else []
    if not kernels and {"shake", "phone"} & {suite.name for suite in suites}:
        tqdm.write("No file of Levin's kernels: shake is left out, phone has the other blurs.")
    jobs = []
    for suite in suites:
        if suite.needs_levin and not kernels:
            continue
        make = partial(_distort, suite, kernels)
        # The index is that in the full set: a limited run sees the same inputs as a full one.
        cases = [partial(make, clear[i], i) for i in _spread(len(clear), limit)]
        sample = enumerate(_spread(len(tuning), TUNED_ON))
        trials = [partial(make, tuning[i], n, TUNED_SIDE) for n, i in sample]
        jobs.append(Job(suite.name, suite.label, cases, trials))
    return jobs


def plan_pairs(blurred: Path, clear: Path, limit: int | None = None) -> Job:
    """Photos of the same name in two folders, sorted. Raises EvaluationError."""
    photos = {path.relative_to(blurred): path for path in _find([blurred])}
    truths = {path.relative_to(clear): path for path in _find([clear])}
    names = sorted(photos.keys() & truths.keys())
    if not names:
        raise EvaluationError(f"No photo in {blurred} has one of its name in {clear}.")
    if alone := len(photos.keys() ^ truths.keys()):
        tqdm.write(f"Left out, for they have no partner of their name: {alone} photos.")
    chosen = [names[i] for i in _spread(len(names), limit)]
    return Job("pairs", "real photos", [partial(_pair, photos[n], truths[n]) for n in chosen], [])


def _find(places: Sequence[Path]) -> list[Path]:
    """All photos among files and in folders, sorted by path."""
    found: set[Path] = set()
    for place in places:
        if not place.exists():
            raise EvaluationError(f"{place} does not exist.")
        found.update(find_photos(place) if place.is_dir() else [place])
    if not found:
        raise EvaluationError(f"There are no photos in {', '.join(map(str, places))}.")
    return sorted(found)


def _spread(count: int, limit: int | None) -> list[int]:
    """At most `limit` indices below `count`, evenly spread."""
    if limit is not None and limit < 1:
        raise EvaluationError(f"The limit is {limit}; it must be at least 1 photo.")
    return np.linspace(0, count - 1, min(count, limit or count)).astype(int).tolist()


def _read(path: Path) -> np.ndarray:
    photo = decode(path).levels()
    if min(photo.shape[:2]) < SMALLEST_SIDE:
        raise EvaluationError(f"{path} has a side under {SMALLEST_SIDE} pixels; leave it out.")
    return photo


def _distort(
    suite: Suite, levin: Sequence[Tensor], path: Path, index: int, side: int | None = None
) -> Case:
    """The photo as `suite` distorts it; with `side`, only its centre of that many pixels."""
    clear = _read(path)
    if side:
        top, left = (max(0, (extent - side) // 2) for extent in clear.shape[:2])
        clear = clear[top : top + side, left : left + side]
    return suite(clear, index, levin)


def _pair(blurred: Path, clear: Path) -> Case:
    case = Case(_read(clear), _read(blurred), None)
    if case.clear.shape != case.distorted.shape:
        raise EvaluationError(f"{blurred} and {clear} must be of the same size to be compared.")
    return case
