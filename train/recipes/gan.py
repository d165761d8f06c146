"""GAN, the second baseline: generator and PatchGAN trained together.

python -m train fit gan

The run was ended by `--minutes 2.4`. In that time, on an H200 that other runs shared, it saw 63,008
images out of 60,000 tiles (`python -m train tiles --train 60000`), and ended at 32.96 dB in
validation with the study's blur.

The clip is 100 times that of the others because L1 weighs 100 times as much in the loss.
"""

from . import Recipe

recipe = Recipe(
    model="gan",
    images=160_000,
    lr=5e-4,
    clip=500.0,
    adversarial=True,
    validate_every=32_000,
)
