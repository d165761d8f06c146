"""What each step trains on: tiles out of the store, turned, mirrored, cropped and distorted.

All that is random in a step (on a GPU: in a group of steps) is drawn for the whole batch from
generators seeded by its number, and each process takes its share. So a run goes on after a stop as
if there had been none, and two processes see what one would.
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

from restore.engine import free_memory
from restore.tiling import reflect_pad

from . import TrainingError
from .recipes import Recipe

AHEAD = 2
"""Groups of batches that are prepared while a GPU trains on another."""
TOGETHER = 512
"""Tiles that are distorted together on a GPU: it is the launches that cost time there."""
T = TypeVar("T")


def open_tiles(path: Path) -> np.ndarray:
    """A store of tiles, uint8 [N, side, side, 3], left on the disk. Raises TrainingError."""
    try:
        store = np.load(path, mmap_mode="c")
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
    side = store.shape[1] if store.ndim == 4 else 0
    if store.dtype != np.uint8 or store.shape[1:] != (side, side, 3) or not len(store):
        raise TrainingError(
            f"{path} holds {store.dtype} {list(store.shape)}, not square tiles. Make them with: "
            "python -m train tiles"
        )
    return store


class Batches:
    """The share of process `rank` of `world` in each step's batch."""

    def __init__(
        self, recipe: Recipe, tiles: Path, device: torch.device, rank: int = 0, world: int = 1
    ):
        """Open the training tiles; a GPU takes them into its memory. Raises TrainingError."""
        self.recipe, self.device, self.rank, self.world = recipe, device, rank, world
        store = open_tiles(tiles / "train.npy")
        if len(store) < recipe.batch:
            raise TrainingError(
                f"{tiles} holds {len(store)} training tiles, fewer than a batch of "
                f"{recipe.batch}. Make more with: python -m train tiles"
            )
        if store.shape[1] < recipe.crop:
            raise TrainingError(
                f"{tiles} holds tiles of {store.shape[1]} x {store.shape[1]}, and the recipe takes "
                f"crops of {recipe.crop}. Make larger ones with: python -m train tiles "
                f"--side {recipe.crop}"
            )
        self.store = torch.from_numpy(store)
        self.together = 1
        if device.type == "cuda":
            self.together = max(1, TOGETHER // recipe.batch)
            if store.nbytes < free_memory(device) / 4:
                self.store = self.store.to(device)
        self.order = lru_cache(2)(self._order)

    def ahead(self, steps: range) -> Iterator[tuple[Tensor, Tensor]]:
        """The batches of these steps, in order; for a CUDA GPU, prepared while it is busy."""
        if self.device.type != "cuda":
            yield from map(self, steps)
            return
        # On a stream of their own, distortions need not wait for the training steps in the queue.
        stream = torch.cuda.Stream(self.device)

        def make(group: int) -> tuple[Tensor, Tensor]:
            with torch.cuda.stream(stream):
                both = self._make(group)
                stream.synchronize()
            return both

        groups = range(steps.start // self.together, -(-steps.stop // self.together))
        for group, both in zip(groups, prefetch(make, groups, AHEAD), strict=True):
            for part in both:
                part.record_stream(torch.cuda.current_stream(self.device))
            first = group * self.together
            for step in range(max(steps.start, first), min(steps.stop, first + self.together)):
                yield self._take(both, step)

    def __call__(self, step: int) -> tuple[Tensor, Tensor]:
        """Distorted and clear tiles of a step, [B / world, 3, H, W] in [0, 1] each.

        H and W are the recipe's crop, less its border on each side where that is cut off.
        """
        return self._take(self._make(step // self.together), step)

    def _take(self, both: tuple[Tensor, Tensor], step: int) -> tuple[Tensor, Tensor]:
        share, position = self.recipe.batch // self.world, step % self.together
        distorted, clear = (part[position * share : (position + 1) * share] for part in both)
        return distorted, clear

    def _make(self, group: int) -> tuple[Tensor, Tensor]:
        """The batches of `together` steps, one after the other."""
        recipe, mine = self.recipe, slice(self.rank, None, self.world)
        count = self.together * recipe.batch
        clear = self._read(group, count)[mine].to(self.device).permute(0, 3, 1, 2).float() / 255
        if recipe.brightness:
            change = self._rng(group, 2).uniform(-1, 1, count)[mine]
            factor = torch.tensor(1 + recipe.brightness * change, dtype=torch.float)
            clear = (clear * factor.to(self.device)[:, None, None, None]).clamp(0, 1)
        generator = torch.Generator(self.device).manual_seed(_seed(recipe.seed, group))
        plan = recipe.mixture.draw(count, recipe.crop, generator)
        distorted = plan.share(self.rank, self.world)(clear)
        if recipe.border and group % 4 >= 4 - 4 * recipe.cut:
            # a side that is no multiple of 16 is continued by mirroring, as in `tiling`
            mirrored = int(self._rng(group, 3).integers(0, 16))
            inside = slice(recipe.border, -recipe.border - mirrored)
            distorted, clear = (
                reflect_pad(part[..., inside, inside], (0, mirrored, 0, mirrored))
                for part in (distorted, clear)
            )
        return distorted.contiguous(memory_format=torch.channels_last), clear

    def _read(self, group: int, count: int) -> Tensor:
        """Tiles of a group: cropped, turned and mirrored; uint8 [count, crop, crop, 3]."""
        recipe, rng = self.recipe, self._rng(group, 1)
        steps = range(group * self.together, (group + 1) * self.together)
        index = np.concatenate([self._indices(step) for step in steps])
        turns = rng.integers(0, 8, count)
        corners = rng.integers(0, self.store.shape[1] - recipe.crop + 1, (count, 2))
        index, turns, corners = (
            torch.from_numpy(part).to(self.store.device)[:, None, None]
            for part in (index, turns, corners)
        )
        end = recipe.crop - 1
        i, j = torch.meshgrid(*[torch.arange(end + 1, device=self.store.device)] * 2, indexing="ij")
        # where each pixel of a tile comes from that is mirrored or not and turned by right angles
        y = torch.stack([i, j, end - i, end - j])[turns[:, 0, 0] % 4]
        x = torch.stack([j, end - i, end - j, i])[turns[:, 0, 0] % 4]
        x = torch.where(turns >= 4, end - x, x)
        return self.store[index, corners[..., 0] + y, corners[..., 1] + x]

    def _indices(self, step: int) -> np.ndarray:
        epoch, position = divmod(step, len(self.store) // self.recipe.batch)
        return self.order(epoch)[position * self.recipe.batch : (position + 1) * self.recipe.batch]

    def _order(self, epoch: int) -> np.ndarray:
        return np.random.default_rng([self.recipe.seed, epoch]).permutation(len(self.store))

    def _rng(self, group: int, purpose: int) -> np.random.Generator:
        return np.random.default_rng([self.recipe.seed, group, purpose])


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


def _seed(seed: int, group: int) -> int:
    return int(np.random.SeedSequence([seed, group]).generate_state(1, np.uint64)[0] >> 1)
