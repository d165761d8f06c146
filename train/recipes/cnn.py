"""CNN, the first baseline.

python -m train fit cnn

The run of 600,000 crops, out of 60,000 tiles (`python -m train tiles --train 60000`), took 2
minutes on an H200 that other runs shared, and ended at 32.01 dB in validation with the study's
blur.

It sees 13 x 13 pixels, too few to tell one blur from another, so other blurs than the study's only
make it timid: they have a small share in its mixture. At rates of 1e-3 its ReLUs die. Crops of a
quarter of a tile make four times the steps in the same time, and steps are what it needs.
"""

from ..mixture import Mixture
from . import Recipe

recipe = Recipe(
    model="cnn",
    images=600_000,
    batch=32,
    crop=64,
    lr=5e-4,
    ema=0.999,
    mixture=Mixture(
        clear=0.14, study=0.6, gaussian=0.13, disk=0.06, motion=0.035, shake=0.035, untouched=0.7
    ),
    validate_every=60_000,
)
