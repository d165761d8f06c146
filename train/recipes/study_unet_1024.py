"""The study's U-Net-1024, trained as the study did.

python -m train fit study-unet-1024

Its published figures are 30.90 dB and 0.9261.
"""

from . import study

recipe = study("unet-1024", batch=4)
