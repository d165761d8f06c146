"""U-Net-512 for all blurs.

python -m train fit unet-512
"""

from . import Recipe

recipe = Recipe(model="unet-512", images=32_000)
