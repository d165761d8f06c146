"""U-Net-1024, trained on in large crops from where the recipe unet-1024-tuned ended: published.

python -m train tiles --photos FOLDER --train 12000 --val 500 --side 256
python -m train fit unet-1024-large

The run took 47 minutes on two cores with AVX-512's bf16. What is published is the mean of the
weights before and after.

In crops of 64 to 96 pixels the zeros beyond the border reach every pixel, and a network comes to
count on them: after the recipe before, noisy photos came back worse whole than in tiles of 64.
"""

from dataclasses import replace

from ..mixture import CAMERA
from . import unet_1024_tuned

recipe = replace(
    unet_1024_tuned.recipe,
    images=3_600,
    batch=4,
    crop=256,
    ema=0.99,
    decibels=45,
    mixture=replace(CAMERA, study=0.24, gaussian=0.25, motion=0.15, shake=0.16, jpeg=0.3),
    validate_every=3_600,
    seed=9,
)
