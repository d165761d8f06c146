"""U-Net-512, trained on in large crops from where the recipe unet-512-tuned ended: published.

python -m train tiles --photos FOLDER --train 12000 --val 500 --side 256
python -m train fit unet-512-large

The run took 19 minutes on two cores with AVX-512's bf16. What is published is the mean of the
weights before and after.
"""

from dataclasses import replace

from ..mixture import CAMERA
from . import unet_1024_large

recipe = replace(
    unet_1024_large.recipe,
    model="unet-512",
    images=5_200,
    start="unet-512",
    mixture=replace(CAMERA, jpeg=0.4),
    validate_every=5_200,
    seed=10,
)
