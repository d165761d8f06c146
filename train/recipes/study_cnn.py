"""The study's CNN, trained as the study did.

python -m train fit study-cnn

At full length, 2,100,000 tiles of 6.2 GFLOP each; it may be stopped with --minutes at any time, and
`python -m train study` scores what it has reached. Its published figure is 24.84 dB.
"""

from . import study

recipe = study("cnn")
