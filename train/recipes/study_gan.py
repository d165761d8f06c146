"""The study's GAN, trained as the study did.

python -m train fit study-gan

At full length, 2,100,000 tiles of 6.6 GFLOP each; it may be stopped with --minutes at any time, and
`python -m train study` scores what it has reached. Its published losses are 10.98 (generator) and
0.3434 (discriminator).
"""

from . import study

recipe = study("gan", clip=500.0, adversarial=True)
