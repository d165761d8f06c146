"""The study's GAN, trained as the study did.

python -m train fit study-gan

Its published losses are 10.98 (generator) and 0.3434 (discriminator).
"""

from . import study

recipe = study("gan", clip=500.0, adversarial=True)
