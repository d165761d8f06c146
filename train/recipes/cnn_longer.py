"""CNN, trained on from where the recipe cnn ended: what is published.

python -m train fit cnn-longer

The run of 10,000 crops takes 25 minutes on one slow core and ends at 29.68 dB in validation with
the study's blur.

The published weights had seen, before it, 10,000 tiles by the recipe cnn and 17,000 crops of this
one's kind, 13 % of them clear (60 minutes on a busy core), which taught them to leave sharp photos
alone. Crops of a quarter of a tile make four times the steps in the same time, and steps were what
it lacked.
"""

from ..mixture import Mixture
from . import Recipe

recipe = Recipe(
    model="cnn",
    images=10_000,
    batch=8,
    crop=64,
    lr=4e-4,
    warmup=60,
    start="cnn",
    mixture=Mixture(clear=0.1, study=0.72, gaussian=0.1, disk=0.05, motion=0.015, shake=0.015),
    validate_every=5_000,
    seed=3,
)
