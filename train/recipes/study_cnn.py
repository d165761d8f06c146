"""The study's CNN, trained as the study did.

python -m train fit study-cnn

Its published figure is 24.84 dB.
"""

from . import study

recipe = study("cnn")
