"""From a folder of photos to square tiles, stored so that an epoch costs no decoding.

A folder of tiles holds `train.npy` and `val.npy` (uint8 [N, side, side, 3], memory-mapped when
read) and `manifest.csv`, a row per tile: where it comes from, how it was cut, the SHA-256 of its
pixels.
"""

import csv
import hashlib
import os
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import astuple, dataclass, fields, replace
from pathlib import Path

import numpy as np
from PIL import Image, ImageOps
from tqdm import tqdm

from restore.photo import find_photos

from . import TrainingError

SIZE = 128
"""Side of the study's tiles, in pixels."""
CROPS = 24
"""Crops tried per photo, beside the whole photo."""
SCALES = (1.0, 1.0, 0.75, 0.5)
LOOKS = ("colour",) * 8 + ("grey", "faded")
BLANK, SOFT = 6.0, 2.0
"""Below these a tile teaches nothing: deviation of luma; mean absolute Laplacian (levels)."""


@dataclass(frozen=True)
class Tile:
    """A row of the manifest; `box` is left, top, right, bottom in the upright photo."""

    split: str
    index: int
    photo: str
    rank: int
    box: str
    look: str
    sha256: str


class NotEnoughPhotosError(TrainingError):
    """The photos do not yield the tiles asked for; the message says how many they do."""


def make(
    photos: Path, out: Path, train: int = 21_000, val: int = 3_378, seed: int = 0, side: int = SIZE
) -> int:
    """Cut `train` and `val` tiles and write them to `out`; returns how many photos were unreadable.

    Tiles have `side` x `side` pixels. A folder with the subfolders train/ and val/ is taken as
    split already; otherwise photos are dealt out by the hash of their bytes, so that no photo is
    ever on both sides. Near-duplicates (difference hash within 4 of 64 bits) are dropped, from the
    training side first. Raises TrainingError.
    """
    if min(train, val) < 1:
        raise TrainingError("Ask for at least one tile to train on and one to validate with.")
    if is_made(out):
        raise TrainingError(f"{out} holds tiles already. Name another folder with --out.")
    splits = split_photos(photos, train, val)
    rows: list[Tile] = []
    seen: list[int] = []
    failed: list[Path] = []
    try:
        out.mkdir(parents=True, exist_ok=True)
        for split, count in (("val", val), ("train", train)):
            chosen = _choose(split, splits[split], photos, count, seed, side, seen, failed)
            _store(out / f"{split}.npy", chosen, photos, seed, side)
            rows += chosen
        partial = out / "manifest.csv.part"
        with partial.open("w", newline="") as file:
            writer = csv.writer(file)
            writer.writerow([field.name for field in fields(Tile)])
            writer.writerows(astuple(row) for row in rows)
        partial.replace(out / "manifest.csv")
    except OSError as error:
        for partial in out.glob("*.part"):
            partial.unlink()
        raise TrainingError(
            f"{out} cannot be written ({error.strerror or error}). Make room or name another --out."
        ) from None
    return len(failed)


def is_made(out: Path) -> bool:
    """Whether a folder holds tiles: the manifest is written last."""
    return (out / "manifest.csv").exists()


def split_photos(photos: Path, train: int, val: int) -> dict[str, list[Path]]:
    """The photos for training and for validation, `train` : `val` where they are not split already.

    Raises TrainingError.
    """
    if not photos.is_dir():
        raise TrainingError(f"There is no folder {photos}. Name one with photos in it.")
    if not os.access(photos, os.R_OK | os.X_OK):
        raise TrainingError(f"{photos} may not be read. Check its permissions.")
    files = find_photos(photos)
    if not files:
        raise NotEnoughPhotosError(f"No photos in {photos}. Name a folder with JPEG or PNG files.")
    if (photos / "train").is_dir() and (photos / "val").is_dir():
        return {s: [p for p in files if photos / s in p.parents] for s in ("train", "val")}
    sides: dict[str, list[Path]] = {"train": [], "val": []}
    for file in files:
        deal = int.from_bytes(hashlib.sha256(file.read_bytes()).digest()[:8]) / 2**64
        sides["val" if deal < val / (train + val) else "train"].append(file)
    return sides


def _choose(
    split: str,
    files: list[Path],
    root: Path,
    count: int,
    seed: int,
    side: int,
    seen: list[int],
    failed: list[Path],
) -> list[Tile]:
    """Choose `count` tiles: first the whole photos, then first crops and so on.

    `seen` collects the photos' difference hashes, `failed` those that cannot be read.
    """
    found: list[Tile] = []
    for file in tqdm(files, desc=f"{split}: choosing", unit="photo"):
        try:
            image = _open(file)
        except (OSError, ValueError, SyntaxError, Image.DecompressionBombError) as error:
            failed.append(file)
            tqdm.write(f"{file}: left out, it cannot be read ({error})")
            continue
        fingerprint = _difference_hash(image)
        if any((fingerprint ^ other).bit_count() <= 4 for other in seen):
            tqdm.write(f"{file}: left out, near-duplicate")
            continue
        seen.append(fingerprint)
        cut = _cut(split, image, file.relative_to(root).as_posix(), seed, side)
        found += [tile for tile, _ in cut]
    found.sort(key=lambda tile: (tile.rank, tile.sha256))
    if len(found) < count:
        raise NotEnoughPhotosError(
            f"{len(files)} photos for {split} yield {len(found):,} good tiles, not {count:,}. "
            f"Add photos, or ask for fewer tiles with --{split} {len(found)}."
        )
    return [replace(tile, index=index) for index, tile in enumerate(found[:count])]


def _store(path: Path, chosen: list[Tile], root: Path, seed: int, side: int) -> None:
    """Cut the chosen tiles again and write them: so no more than one photo is ever in memory."""
    by_photo: dict[str, dict[int, int]] = defaultdict(dict)
    for tile in chosen:
        by_photo[tile.photo][tile.rank] = tile.index
    partial = path.with_name(path.name + ".part")
    shape = (len(chosen), side, side, 3)
    with partial.open("wb") as file:
        np.lib.format.write_array_header_1_0(
            file, {"descr": "|u1", "fortran_order": False, "shape": shape}
        )
        start = file.tell()
        for name, indices in tqdm(by_photo.items(), desc=f"{path.stem}: writing", unit="photo"):
            for tile, pixels in _cut(chosen[0].split, _open(root / name), name, seed, side):
                if tile.rank in indices:
                    file.seek(start + indices[tile.rank] * pixels.nbytes)
                    file.write(pixels.tobytes())
    partial.replace(path)


def _open(file: Path) -> Image.Image:
    with Image.open(file) as opened:
        return ImageOps.exif_transpose(opened).convert("RGB")


def _cut(
    split: str, image: Image.Image, name: str, seed: int, side: int
) -> Iterator[tuple[Tile, np.ndarray]]:
    """The whole photo squeezed into a tile as in the study, then crops at several scales."""
    rng = np.random.default_rng([seed, *hashlib.sha256(name.encode()).digest()[:8]])
    for rank in range(CROPS + 1):
        box, look = (0, 0, *image.size), LOOKS[rng.integers(len(LOOKS))]
        if rank:
            extent = round(side / SCALES[rng.integers(len(SCALES))])
            if min(image.size) < extent:
                continue
            left, top = (int(rng.integers(size - extent + 1)) for size in image.size)
            box = (left, top, left + extent, top + extent)
        tile = image.resize((side, side), Image.Resampling.BICUBIC, box=box)
        pixels = _apply_look(np.asarray(tile), look, rng)
        if _teaches(pixels):
            digest = hashlib.sha256(pixels.tobytes()).hexdigest()
            yield Tile(split, 0, name, rank, " ".join(map(str, box)), look, digest), pixels


def _apply_look(pixels: np.ndarray, look: str, rng: np.random.Generator) -> np.ndarray:
    """Grey copies and faded colours: B&W and vintage photos are among what people bring."""
    if look == "colour":
        return pixels
    grey = pixels @ np.array([0.299, 0.587, 0.114])
    if look == "grey":
        return np.repeat(grey.round().astype(np.uint8)[..., None], 3, -1)
    strength, tint = rng.uniform(0.3, 0.8), rng.uniform(0.85, 1.0, 3)
    mixed = strength * grey[..., None] + (1 - strength) * pixels
    return (mixed * tint + 255 * 0.05).clip(0, 255).round().astype(np.uint8)


def _teaches(pixels: np.ndarray) -> bool:
    luma = pixels @ np.array([0.299, 0.587, 0.114])
    laplacian = (
        4 * luma[1:-1, 1:-1] - luma[:-2, 1:-1] - luma[2:, 1:-1] - luma[1:-1, :-2] - luma[1:-1, 2:]
    )
    return luma.std() > BLANK and np.abs(laplacian).mean() > SOFT


def _difference_hash(image: Image.Image) -> int:
    """64 bits: is each pixel of a 9 x 8 thumbnail brighter than its right neighbour?"""
    small = np.asarray(image.convert("L").resize((9, 8), Image.Resampling.BOX), np.int16)
    return int.from_bytes(np.packbits(small[:, 1:] > small[:, :-1]).tobytes())
