"""Recipes at toy size; python toy.py TILES OUT IMAGES RECIPE ... runs them in a process apart."""

import dataclasses
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent.parent))

from train import recipes
from train.fit import fit, leave


def toy(name: str, **changes) -> recipes.Recipe:
    """The recipe, for 6 steps of 4 crops each, with three validations, of weights of late."""
    recipe = recipes.find(name)
    small = {"images": 24, "batch": 4, "crop": 32, "border": 0, "warmup": 1, "validate_every": 8}
    return dataclasses.replace(recipe, **{**small, "ema": min(recipe.ema, 0.5), **changes})


if __name__ == "__main__":
    tiles, out, images, *names = sys.argv[1:]
    for name in names:
        fit(toy(name, images=int(images)), name, Path(tiles), Path(out))
    leave()
