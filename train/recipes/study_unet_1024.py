"""The study's U-Net-1024, trained as the study did.

python -m train fit study-unet-1024

At full length, 2,100,000 tiles of 72.2 GFLOP each; it may be stopped with --minutes at any time,
and `python -m train study` scores what it has reached. Its published figures are 30.90 dB and
0.9261.
"""

from . import study

recipe = study("unet-1024", batch=4)
