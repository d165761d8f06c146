"""What each step trains on: tiles out of the store, turned, mirrored, cropped and distorted.

All that is random in a step is drawn for the whole batch from generators seeded by the step's
number, and each process takes its share. So a run goes on after a stop as if there had been none,
and two processes see what one would.
"""

from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from functools import lru_cache
from pathlib import Path
from typing import TypeVar

import numpy as np
import torch
from torch import Tensor

from . import TrainingError
from .recipes import Recipe
from .tiles import SIZE

AHEAD = 2
"""Batches that are prepared while a GPU trains on another."""
T = TypeVar("T")


def open_tiles(path: Path) -> np.ndarray:
    """A store of tiles, uint8 [N, 128, 128, 3], left on the disk. Raises TrainingError."""
    try:
        store = np.load(path, mmap_mode="r")
    except FileNotFoundError:
        raise TrainingError(
            f"There are no tiles in {path.parent}. Make them with: python -m train tiles"
        ) from None
    except (OSError, ValueError, EOFError) as error:
        reason = getattr(error, "strerror", None) or "it is damaged or cut off"
        raise TrainingError(
            f"{path} cannot be read ({reason}). Delete it and make the tiles again: "
            "python -m train tiles"
        ) from None
    if store.dtype != np.uint8 or store.shape[1:] != (SIZE, SIZE, 3) or not len(store):
        raise TrainingError(
            f"{path} holds {store.dtype} {list(store.shape)}, not tiles of {SIZE} x {SIZE}. "
            "Make them with: python -m train tiles"
        )
    return store


class Batches:
    """The share of process `rank` of `world` in each step's batch."""

    def __init__(
        self, recipe: Recipe, tiles: Path, device: torch.device, rank: int = 0, world: int = 1
    ):
        """Open the training tiles. Raises TrainingError."""
        self.recipe, self.device, self.rank, self.world = recipe, device, rank, world
        self.store = open_tiles(tiles / "train.npy")
        if recipe.batch % world:
            raise TrainingError(
                f"A batch of {recipe.batch} cannot be shared by {world} processes evenly."
            )
        if len(self.store) < recipe.batch:
            raise TrainingError(
                f"{tiles} holds {len(self.store)} training tiles, fewer than a batch of "
                f"{recipe.batch}. Make more with: python -m train tiles"
            )
        self.order = lru_cache(2)(self._order)

    def ahead(self, steps: Iterable[int]) -> Iterator[tuple[Tensor, Tensor]]:
        """The batches of these steps, in order; for a CUDA GPU, prepared while it is busy."""
        if self.device.type != "cuda":
            yield from map(self, steps)
            return
        # On a stream of their own, distortions need not wait for the training steps in the queue.
        stream = torch.cuda.Stream(self.device)

        def make(step: int) -> tuple[Tensor, Tensor]:
            with torch.cuda.stream(stream):
                batch = self(step)
                stream.synchronize()
            return batch

        for batch in prefetch(make, steps, AHEAD):
            for part in batch:
                part.record_stream(torch.cuda.current_stream(self.device))
            yield batch

    def __call__(self, step: int) -> tuple[Tensor, Tensor]:
        """Distorted and clear tiles of a step, [B / world, 3, crop, crop] in [0, 1] each."""
        clear = self._read(step).to(self.device).float() / 255
        if self.recipe.brightness:
            change = self._rng(step, 2).uniform(-1, 1, self.recipe.batch)[self.rank :: self.world]
            factor = torch.tensor(1 + self.recipe.brightness * change, dtype=torch.float)
            clear = (clear * factor.to(self.device)[:, None, None, None]).clamp(0, 1)
        generator = torch.Generator(self.device).manual_seed(_seed(self.recipe.seed, step))
        plan = self.recipe.mixture.draw(self.recipe.batch, self.recipe.crop, generator)
        distorted = plan.share(self.rank, self.world)(clear)
        return distorted.contiguous(memory_format=torch.channels_last), clear

    def _read(self, step: int) -> Tensor:
        """uint8 [B / world, 3, crop, crop]."""
        recipe, mine = self.recipe, slice(self.rank, None, self.world)
        epoch, position = divmod(step, len(self.store) // recipe.batch)
        chosen = self.order(epoch)[position * recipe.batch : (position + 1) * recipe.batch][mine]
        rng = self._rng(step, 1)
        turns = rng.integers(0, 8, recipe.batch)[mine]
        corners = rng.integers(0, SIZE - recipe.crop + 1, (recipe.batch, 2))[mine]
        tiles = []
        for index, turn, (top, left) in zip(chosen, turns, corners, strict=True):
            tile = self.store[index, top : top + recipe.crop, left : left + recipe.crop]
            tiles.append(np.rot90(tile[:, ::-1] if turn >= 4 else tile, turn % 4))
        return torch.from_numpy(np.stack(tiles)).permute(0, 3, 1, 2)

    def _order(self, epoch: int) -> np.ndarray:
        return np.random.default_rng([self.recipe.seed, epoch]).permutation(len(self.store))

    def _rng(self, step: int, purpose: int) -> np.random.Generator:
        return np.random.default_rng([self.recipe.seed, step, purpose])


def prefetch(make: Callable[[int], T], steps: Iterable[int], depth: int) -> Iterator[T]:
    """What `make` makes of each step, in order; `depth` of them are made ahead, in a thread."""
    waiting: deque = deque()
    with ThreadPoolExecutor(1) as pool:
        for step in steps:
            waiting.append(pool.submit(make, step))
            if len(waiting) > depth:
                yield waiting.popleft().result()
        while waiting:
            yield waiting.popleft().result()


def _seed(seed: int, step: int) -> int:
    return int(np.random.SeedSequence([seed, step]).generate_state(1, np.uint64)[0] >> 1)
