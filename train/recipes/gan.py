"""GAN, the second baseline: generator and PatchGAN trained together.

python -m train fit gan

The clip is 100 times that of the others because L1 weighs 100 times as much in the loss.
"""

from . import Recipe

recipe = Recipe(model="gan", images=14_000, lr=5e-4, clip=500.0, adversarial=True)
