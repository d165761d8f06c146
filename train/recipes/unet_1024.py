"""U-Net-1024 for all blurs, grown from the trained U-Net-512 by Net2Net widening.

python -m train fit unet-1024

The run of 680,064 images, out of 60,000 tiles (`python -m train tiles --train 60000`), took 5
minutes on an H200 that other runs shared, at 187 TFLOP/s, and ended at 35.44 dB in validation with
the study's blur. It was planned for 1,000,064 images and shortened after the first 99,968.

It computes what U-Net-512 does before its first step, so a short run takes it past the small one
also where hardware is slow.
"""

from ..mixture import CAMERA
from . import Recipe

recipe = Recipe(
    model="unet-1024",
    images=680_064,
    batch=128,
    lr=7e-4,
    warmup=300,
    ema=0.999,
    start="unet-512",
    mixture=CAMERA,
    validate_every=99_968,
    seed=1,
)
