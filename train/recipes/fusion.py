"""Fusion, which joins the deconvolutions of a shaken photo with what a model made of it.

python -m train fusion --photos PHOTOS
python -m train fit fusion --tiles samples
"""

from . import Recipe

recipe = Recipe(
    model="fusion",
    images=72_000,
    frequency=0.1,
    ema=0.999,
    validate_every=8_000,
)
