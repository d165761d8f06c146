"""U-Net-512 for all blurs.

python -m train fit unet-512

The run of 700,032 images, out of 60,000 tiles (`python -m train tiles --train 60000`), took 4.5
minutes on an H200 that other runs shared, and ended at 34.66 dB in validation with the study's
blur.
"""

from ..mixture import CAMERA
from . import Recipe

recipe = Recipe(
    model="unet-512",
    images=700_032,
    batch=128,
    warmup=500,
    ema=0.999,
    mixture=CAMERA,
    validate_every=99_968,
)
