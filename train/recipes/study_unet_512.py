"""The study's U-Net-512, trained as the study did.

python -m train fit study-unet-512

At full length, 2,100,000 tiles of 18.1 GFLOP each; it may be stopped with --minutes at any time,
and `python -m train study` scores what it has reached. Its published figures are 30.85 dB and
0.9229.
"""

from . import study

recipe = study("unet-512")
