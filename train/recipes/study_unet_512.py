"""The study's U-Net-512, trained as the study did.

python -m train fit study-unet-512

Its published figures are 30.85 dB and 0.9229.
"""

from . import study

recipe = study("unet-512")
