"""What the models make of the example photos, at 100 %: for README and model card."""

from pathlib import Path

import numpy as np
from PIL import Image, ImageDraw, ImageFont

from restore import MODELS, load
from restore.photo import decode

SIDE = 160
"""Of the crops, in pixels."""
HEAD, GAP = 18, 4
"""Height of the line of titles, and what lies between crops, in pixels."""
EXAMPLES: dict[str, tuple[int, int]] = {
    "cat-study": (150, 60),
    "coffee-defocus": (60, 120),
    "camera-gaussian": (190, 60),
    "hopper-gaussian": (170, 80),
    "dog-gaussian": (290, 20),
    "wren-motion": (90, 60),
    "boats-shake": (120, 90),
    "clock-real": (140, 60),
}
"""Photo -> left and top of its crop; from those that come back well to those that hardly change."""


def draw(folder: Path, weights: Path, out: Path) -> None:
    """A row for each of EXAMPLES in `folder`: distorted, every model, clear; written to `out`.

    Raises PhotoError and WeightsError.
    """
    models = {name: load(name, str(weights)) for name in MODELS}
    order = ["cnn", "gan", "unet-512", "unet-1024"]
    titles = ["distorted", *order, "clear"]
    pitch = SIDE + GAP
    sheet = Image.new("RGB", (len(titles) * pitch - GAP, HEAD + len(EXAMPLES) * pitch), "white")
    pen, font = ImageDraw.Draw(sheet), ImageFont.load_default(12)
    for column, title in enumerate(titles):
        pen.text((column * pitch + SIDE / 2, 2), title, "black", font, anchor="mt")
    for row, (name, corner) in enumerate(EXAMPLES.items()):
        photo = decode(folder / f"{name}.png")
        shown = [photo, *(models[model].restore(photo) for model in order)]
        if (clear := folder / f"{name.split('-')[0]}.jpg").exists():
            shown.append(decode(clear))
        for column, one in enumerate(shown):
            crop = Image.fromarray(_crop(one.levels(), corner))
            sheet.paste(crop, (column * pitch, HEAD + row * pitch))
    sheet.save(out, quality=92, subsampling=0)


def _crop(levels: np.ndarray, corner: tuple[int, int]) -> np.ndarray:
    left, top = corner
    return levels[top : top + SIDE, left : left + SIDE]
