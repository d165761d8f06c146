"""U-Net-1024 for all blurs, grown from the trained U-Net-512 by Net2Net widening.

python -m train fit unet-1024

The run of 4,000 images takes 22 minutes on two cores and ends at 32.96 dB in validation with the
study's blur; 33.08 dB on the suite seed.

It computes what U-Net-512 does before its first step, so a short run takes it past the small one
also where hardware is slow.
"""

from . import Recipe

recipe = Recipe(
    model="unet-1024",
    images=4_000,
    lr=2e-4,
    warmup=30,
    ema=0.99,
    start="unet-512",
    validate_every=2_000,
)
