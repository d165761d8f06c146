"""Fusion, trained on from what the recipe fusion left in weights/fusion: what is published.

python -m train fit fusion-longer

with `--tiles samples`. The run took 50 minutes on two cores that had other work too, on 2,087
samples: the 1,246 of the first run, whose kernels were all of the first of the searches, and others
with any of them. In validation on 160 more it went from 26.56 to 26.64 dB and rose no further after
80,000 crops.
"""

from dataclasses import replace

from . import fusion

recipe = replace(
    fusion.recipe,
    images=112_000,
    lr=5e-4,
    start="fusion",
    seed=1,
)
