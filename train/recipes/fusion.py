"""Fusion, which joins the deconvolutions of a shaken photo with what a model made of it.

python -m train fit fusion

with `--tiles samples`, the folder of what `python -m train fusion --photos PHOTOS` makes. The run
took 25 minutes on two cores with AVX-512's bf16, on 1,246 samples, and ended at 26.37 dB on 80
others.
"""

from . import Recipe

recipe = Recipe(
    model="fusion",
    images=72_000,
    frequency=0.1,
    ema=0.999,
    validate_every=8_000,
)
