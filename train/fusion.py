"""What the fusion learns from: photos with all that it will see of them, made once and for all.

A folder of samples holds train/ and val/ with a file per photo, uint8 [24, H, W]: the 21 planes of
`restore.steady.show`, and the clear photo.
"""

import math
import os
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from functools import lru_cache, partial
from multiprocessing import get_context
from pathlib import Path

import numpy as np
import torch
from torch import Tensor
from tqdm import tqdm

from restore import Restorer, load
from restore.deconvolution import find_kernel
from restore.photo import PhotoError, decode
from restore.steady import SEARCHES, middle, show

from . import TrainingError
from .mixture import REACH, Mixture
from .recipes import Recipe
from .tiles import split_photos
from .validation import Pairs

MIXTURE = Mixture(
    clear=0.02,
    study=0.03,
    gaussian=0.08,
    disk=0.09,
    motion=0.38,
    shake=0.40,
    noisy=0.6,
    jpeg=0.2,
    edge=3.0,
    highlights=0.3,
    sensor=0.5,
    varying=0.12,
    combined=0.2,
    sharpened=0.1,
    resampled=0.05,
)
"""Four photos in five are shaken; in the others there is nothing to be found."""
MODELS = {"unet-512": 0.5, "unet-1024": 0.3, "cnn": 0.1, "gan": 0.1}
"""How often the fusion sees the results of each."""
SMALLEST, LARGEST = 288, 512
"""Sides of the squares cut out of the photos, in pixels."""
BORDER = REACH // 2 + 1
"""Of every other square so much is cut off each side after the blur: then it comes from beyond the
border, as in a photo, and not out of a mirror."""
VALIDATED = 256
"""Side of the centre that is validated on, in pixels."""


def make(photos: Path, out: Path, train: int, val: int) -> Path:
    """Make `train` and `val` samples of the photos in `photos`, in all processor cores.

    Which photos are for which is settled as for tiles. Samples that are there are left as they are,
    so an interrupted run goes on where it stopped. Returns `out`. Raises TrainingError.
    """
    if min(train, val) < 1:
        raise TrainingError("Ask for at least one sample to train on and one to validate with.")
    jobs = []
    for split, files in split_photos(photos, train, val).items():
        count = {"train": train, "val": val}[split]
        large = [file for file in files if _is_large(file)]
        if not large:
            raise TrainingError(
                f"No photo for {split} in {photos} has sides of {SMALLEST} pixels. Add larger ones."
            )
        try:
            (out / split).mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise TrainingError(f"{out} cannot be written ({error.strerror}).") from None
        # by a step that has no common factor with their number, so that no folder comes first
        step = next(n for n in range(7919, 10**6) if math.gcd(n, len(large)) == 1)
        for index in range(count):
            path = out / split / f"{index:05}.npy"
            if not path.exists():
                jobs.append((large[index * step % len(large)], path, index))
    with ProcessPoolExecutor(
        os.cpu_count(), get_context("spawn"), initializer=partial(torch.set_num_threads, 1)
    ) as pool:
        try:
            list(tqdm(pool.map(_make, *zip(*jobs, strict=True)), total=len(jobs), unit="sample"))
        except OSError as error:
            raise TrainingError(
                f"{out} cannot be written ({error.strerror or error}). Make room; the same command "
                "goes on from there."
            ) from None
    return out


def _is_large(file: Path) -> bool:
    try:
        return min(decode(file).size) >= SMALLEST + 2 * BORDER
    except PhotoError as error:
        tqdm.write(str(error))
        return False


@lru_cache
def _restorer(name: str) -> Restorer:
    return load(name, device="cpu")


def _make(file: Path, path: Path, index: int) -> None:
    """Write the sample of that number, which settles all that is random in it."""
    split = path.parent.name
    rng = np.random.default_rng([index, split == "val"])
    generator = torch.Generator().manual_seed(int(rng.integers(2**62)))
    photo = decode(file).levels()
    side = min(*photo.shape[:2], LARGEST + 2 * BORDER)
    top, left = (int(rng.integers(extent - side + 1)) for extent in photo.shape[:2])
    square = torch.tensor(photo[top : top + side, left : left + side])
    clear = square.permute(2, 0, 1)[None] / 255
    distorted = MIXTURE(clear, generator)
    if index % 2:
        clear, distorted = (x[..., BORDER:-BORDER, BORDER:-BORDER] for x in (clear, distorted))
    model = _restorer(str(rng.choice(list(MODELS), p=list(MODELS.values()))))
    levels = (distorted[0] * 255).round().byte().permute(1, 2, 0).contiguous().numpy()
    network = torch.tensor(model.restore(levels)).permute(2, 0, 1) / 255
    # by any search: of the worse ones it learns to tell a wrong kernel
    search = SEARCHES[rng.integers(len(SEARCHES))]
    seen = show(distorted[0], network, find_kernel(middle(distorted[0]).mean(0), *search))
    planes = (torch.cat([seen, clear[0]]) * 255).round().byte()
    unfinished = path.with_suffix(".part")
    with unfinished.open("wb") as opened:
        np.save(opened, planes.numpy())
    unfinished.replace(path)


class Samples:
    """Crops of the samples, turned and mirrored; what is random in a step depends on its number."""

    def __init__(self, recipe: Recipe, folder: Path, device: torch.device, rank: int, world: int):
        """Opens the samples for process `rank` of `world`. Raises TrainingError."""
        self.recipe, self.device, self.rank, self.world = recipe, device, rank, world
        self.store = _open(folder / "train")

    def ahead(self, steps: range) -> Iterator[tuple[Tensor, Tensor]]:
        """Of each step, what the fusion sees [B / world, 21, crop, crop], and clear photos."""
        for step in steps:
            rng = np.random.default_rng([self.recipe.seed, step])
            index = rng.integers(0, len(self.store), self.recipe.batch)
            turns, places = rng.integers(0, 8, len(index)), rng.random((len(index), 2))
            draws = list(zip(index, turns, places, strict=True))[self.rank :: self.world]
            batch = torch.stack([self._crop(*draw) for draw in draws]).to(self.device).float() / 255
            seen, clear = batch[:, :-3], batch[:, -3:].contiguous()
            yield seen.contiguous(memory_format=torch.channels_last), clear

    def _crop(self, index: int, turn: int, place: np.ndarray) -> Tensor:
        planes, crop = self.store[index], self.recipe.crop
        top, left = (
            int(share * (extent - crop + 1))
            for share, extent in zip(place, planes.shape[1:], strict=True)
        )
        part = torch.from_numpy(planes[:, top : top + crop, left : left + crop].copy())
        part = part.rot90(int(turn) % 4, (1, 2))
        return part.flip(2) if turn >= 4 else part


def freeze(folder: Path) -> Pairs:
    """The centres of all validation samples. Raises TrainingError."""
    parts = []
    for planes in _open(folder / "val"):
        top, left = ((extent - VALIDATED) // 2 for extent in planes.shape[1:])
        centre = planes[:, top : top + VALIDATED, left : left + VALIDATED]
        parts.append(torch.from_numpy(centre.copy()))
    planes = torch.stack(parts)
    return Pairs(planes[:, :-3].contiguous(), planes[:, -3:].contiguous(), study=0)


def _open(folder: Path) -> list[np.ndarray]:
    """Samples, left on the disk. Raises TrainingError."""
    paths = sorted(folder.glob("*.npy"))
    if not paths:
        raise TrainingError(
            f"There are no samples in {folder}. Make them with: python -m train fusion"
        )
    try:
        return [np.load(path, mmap_mode="r") for path in paths]
    except (OSError, ValueError, EOFError) as error:
        raise TrainingError(
            f"The samples in {folder} cannot be read ({error}). Delete them and make them again: "
            "python -m train fusion"
        ) from None
