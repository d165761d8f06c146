"""The study's data set as files: PNG pairs, clear and distorted, of all tiles."""

from pathlib import Path

import torch
from PIL import Image
from tqdm import tqdm

from . import TrainingError
from .batches import open_tiles
from .mixture import STUDY


def write_pairs(tiles: Path) -> Path:
    """Write `pairs`/train|val/clear|distorted/INDEX.png below `tiles`; returns that folder.

    The distortion is the study's. Files that are there are left as they are, so an interrupted run
    goes on where it stopped. Raises TrainingError.
    """
    folder = tiles / "pairs"
    generator = torch.Generator()
    for split in ("train", "val"):
        store = open_tiles(tiles / f"{split}.npy")
        sides = [folder / split / side for side in ("clear", "distorted")]
        try:
            for side in sides:
                side.mkdir(parents=True, exist_ok=True)
            for index, tile in enumerate(tqdm(store, desc=f"{split} pairs", unit="pair")):
                paths = [side / f"{index:05}.png" for side in sides]
                if all(path.exists() for path in paths):
                    continue
                clear = torch.tensor(tile).permute(2, 0, 1)[None]
                distorted = (STUDY(clear.float() / 255, generator) * 255).round().byte()
                for path, pixels in zip(paths, (clear, distorted), strict=True):
                    partial = path.with_suffix(".part")
                    photo = Image.fromarray(pixels[0].permute(1, 2, 0).contiguous().numpy())
                    photo.save(partial, "PNG", compress_level=1)
                    partial.replace(path)
        except OSError as error:
            raise TrainingError(
                f"{folder} cannot be written ({error.strerror or error}). Make room; the same "
                "command goes on from there."
            ) from None
    return folder
